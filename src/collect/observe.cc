#include "collect/observe.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "collect/observation_parts.h"
#include "collect/packets/packet_tap.h"
#include "collect/routes_back.h"
#include "collect/traced_handshakes.h"
#include "collect/troubled_owners.h"

namespace acceptq::collect {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
// A sample every 50 ms catches a queue that is full for a tenth of a second; a sample that is
// itself slow is taken less often, so that sampling never takes more than a tenth of one core.
constexpr std::int64_t kShortestPeriodNs = 50'000'000;
constexpr std::int64_t kRestFactor = 10;

double seconds_between(std::int64_t from_ns, std::int64_t to_ns) {
  return static_cast<double>(to_ns - from_ns) / static_cast<double>(kNsPerSecond);
}

// Where to look at packets, and for which ports.
std::vector<packets::TapChoice> tap_choices(const ObserveOptions& options, const Scanner& scanner,
                                            const facts::Snapshot& snapshot) {
  std::map<NetnsId, std::set<std::uint16_t>> ports;
  for (const facts::Listener& listener : snapshot.listeners) {
    if (listener.protocol == facts::Protocol::kTcp && options.tapped(snapshot, listener)) {
      ports[listener.netns].insert(listener.port);
    }
  }
  std::vector<packets::TapChoice> choices;
  for (const auto& [id, of_namespace] : ports) {
    auto handle = scanner.entrance(id);
    if (!handle) handle = netns::Handle{.id = id};  // it will say that there is no way in
    choices.push_back(
        {.handle = std::move(*handle), .ports = {of_namespace.begin(), of_namespace.end()}});
  }
  return choices;
}

// Sleeps; packets are taken all the while, since the buffer that they wait in holds a fraction of a
// second of a busy port.
void rest_until(std::int64_t end_ns, packets::PacketTap* tap) {
  constexpr std::int64_t kTapPeriodNs = 20'000'000;
  while (true) {
    if (tap != nullptr) tap->take();
    const std::int64_t left = end_ns - monotonic_ns();
    if (left <= 0) return;
    std::this_thread::sleep_for(
        std::chrono::nanoseconds(tap == nullptr ? left : std::min(left, kTapPeriodNs)));
  }
}

}  // namespace

Result<facts::Observation> look(const ScanOptions& options) {
  Result<facts::Snapshot> snapshot = Scanner(options).scan(ScanDepth::kComplete);
  if (!snapshot) return fail(std::move(snapshot.error()));
  facts::Observation observation;
  observation.after = std::move(*snapshot);
  describe_troubled_owners(options, observation);
  observation.before = observation.after;
  return observation;
}

Result<facts::Observation> observe(const ObserveOptions& options) {
  if (options.seconds == 0) return look(options.scan);
  const std::int64_t begin = monotonic_ns();
  Scanner scanner(options.scan);
  TracedHandshakes handshakes(options.trace);
  facts::Observation observation;
  handshakes.start();
  Books opening;
  Result<facts::Snapshot> before =
      scanner.scan(ScanDepth::kFirst, {.after = [&] { opening = handshakes.books(); }});
  if (!before) return fail(std::move(before.error()));
  observation.before = std::move(*before);
  if (observation.before.scan_method == "iterator") {
    Result<facts::Snapshot> whole = scanner.scan(ScanDepth::kComplete);
    if (!whole) return fail(std::move(whole.error()));
    complete(observation.before, std::move(*whole));
  }

  std::optional<packets::PacketTap> tap;
  if (options.tapped) tap.emplace(tap_choices(options, scanner, observation.before));

  const std::int64_t end = observation.before.monotonic_ns +
                           static_cast<std::int64_t>(options.seconds * kNsPerSecond);
  const std::vector<NetnsId> watched = watched_namespaces(observation.before);
  while (true) {
    const std::int64_t now = monotonic_ns();
    if (options.progress && !options.progress(seconds_between(begin, now))) break;
    if (now >= end) break;
    for (const facts::Listener& listener : scanner.sample(watched)) {
      add_sample(listener, observation.samples);
    }
    handshakes.tend();
    const std::int64_t done = monotonic_ns();
    const std::int64_t pause = std::max(kShortestPeriodNs, (done - now) * kRestFactor);
    rest_until(std::min(done + pause, end), tap ? &*tap : nullptr);
  }
  Books closing;
  Result<facts::Snapshot> after =
      scanner.scan(ScanDepth::kFast, {.before = [&] { closing = handshakes.books(); }});
  if (!after) return fail(std::move(after.error()));
  observation.after = std::move(*after);
  carry_over(observation.before, observation.after);
  agree_on_cookies(observation);
  handshakes.finish(observation, observation.before, opening, closing, scanner);
  if (tap) {
    tap->take();
    observation.ledgers = tap->ledgers(observation.after);
    observation.tracing = facts::Source::kPackets;
    std::ranges::move(tap->blind_spots(observation.before, observation.after),
                      std::back_inserter(observation.after.blind_spots));
  }
  look_up_routes_back(scanner, observation);
  describe_troubled_owners(options.scan, observation);
  measure(observation);
  return observation;
}

}  // namespace acceptq::collect
