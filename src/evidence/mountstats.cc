#include "evidence/mountstats.h"

#include <array>
#include <optional>

#include "base/bytes.h"
#include "base/text.h"

namespace acceptq::evidence {
namespace {

// "device SOURCE mounted on POINT with fstype TYPE statvers=1.1"; blanks in names are escaped.
std::optional<NfsMountStats> parse_mount(const std::vector<std::string_view>& words) {
  constexpr std::size_t kWords = 8;
  if (words.size() < kWords || words[0] != "device" || words[2] != "mounted" || words[3] != "on" ||
      words[5] != "with" || words[6] != "fstype" || !words[7].starts_with("nfs")) {
    return std::nullopt;
  }
  return NfsMountStats{.source = decode_octal_escapes(words[1]),
                       .mountpoint = decode_octal_escapes(words[4]),
                       .type = std::string(words[7])};
}

// "READ: 100 100 0 16400 409600 5 230 240 0"; nothing for another line.
std::optional<NfsTotals> parse_operation(const std::vector<std::string_view>& words) {
  constexpr std::size_t kNumbers = 8;
  if (words.size() < kNumbers + 1 || !words[0].ends_with(':')) return std::nullopt;
  std::array<std::uint64_t, kNumbers> numbers{};
  for (std::size_t i = 0; i < kNumbers; ++i) {
    const auto number = parse_int<std::uint64_t>(words[i + 1]);
    if (!number) return std::nullopt;
    numbers.at(i) = *number;
  }
  return NfsTotals{.operations = numbers[0],
                   .transmissions = numbers[1],
                   .major_timeouts = numbers[2],
                   .queue_ms = numbers[5],
                   .round_trip_ms = numbers[6],
                   .execute_ms = numbers[7]};
}

void add(const NfsTotals& operation, NfsTotals& totals) {
  totals.operations += operation.operations;
  totals.transmissions += operation.transmissions;
  totals.major_timeouts += operation.major_timeouts;
  totals.queue_ms += operation.queue_ms;
  totals.round_trip_ms += operation.round_trip_ms;
  totals.execute_ms += operation.execute_ms;
}

}  // namespace

std::vector<NfsMountStats> parse_mountstats(std::string_view text) {
  std::vector<NfsMountStats> mounts;
  bool of_nfs = false;  // the mount that the line belongs to
  bool in_operations = false;
  while (!text.empty()) {
    const std::vector<std::string_view> words = split_blank(next_line(text));
    if (words.empty()) continue;
    if (words[0] == "device") {
      std::optional<NfsMountStats> mount = parse_mount(words);
      of_nfs = mount.has_value();
      in_operations = false;
      if (mount) mounts.push_back(*std::move(mount));
    } else if (words[0] == "per-op") {
      in_operations = true;
    } else if (of_nfs && in_operations) {
      if (const auto operation = parse_operation(words)) add(*operation, mounts.back().totals);
    }
  }
  return mounts;
}

}  // namespace acceptq::evidence
