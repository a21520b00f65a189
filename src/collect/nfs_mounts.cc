#include "collect/nfs_mounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "collect/attended.h"

namespace acceptq::collect {
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;

}  // namespace

std::vector<evidence::NfsMountStats> read_nfs(const std::string& proc_root, Pid observer) {
  return evidence::parse_mountstats(
      read_attended({fmt::format("{}/{}/mountstats", proc_root, observer.value())}, kMostBytes)[0]);
}

std::vector<facts::NfsMount> nfs_between(const std::vector<evidence::NfsMountStats>& earlier,
                                         const std::vector<evidence::NfsMountStats>& later) {
  std::vector<facts::NfsMount> mounts;
  for (const evidence::NfsMountStats& now : later) {
    facts::NfsMount& mount = mounts.emplace_back();
    mount.source = now.source;
    mount.mountpoint = now.mountpoint;
    const auto before = std::ranges::find_if(earlier, [&](const evidence::NfsMountStats& each) {
      return each.source == now.source && each.mountpoint == now.mountpoint;
    });
    if (before == earlier.end()) continue;
    const evidence::NfsTotals& from = before->totals;
    const evidence::NfsTotals& to = now.totals;
    const auto difference = [](std::uint64_t a, std::uint64_t b) {
      return b >= a ? std::optional(b - a) : std::nullopt;  // it was mounted anew
    };
    mount.operations = difference(from.operations, to.operations);
    const auto transmissions = difference(from.transmissions, to.transmissions);
    if (mount.operations && transmissions) {
      mount.repeated = *transmissions - std::min(*transmissions, *mount.operations);
    }
    mount.major_timeouts = difference(from.major_timeouts, to.major_timeouts);
    mount.queue_ms = difference(from.queue_ms, to.queue_ms);
    mount.round_trip_ms = difference(from.round_trip_ms, to.round_trip_ms);
    mount.execute_ms = difference(from.execute_ms, to.execute_ms);
  }
  return mounts;
}

}  // namespace acceptq::collect
