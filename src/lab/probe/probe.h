// The load generator and its reading of what clients live through: opens TCP connections at a given
// rate, whatever the server does, and classifies each.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "facts/address.h"
#include "lab/probe/classify.h"
#include "lab/probe/histogram.h"

namespace acceptq::lab::probe {

struct ProbeOptions {
  facts::IpAddress address;
  std::string device;  // of a link-local address, in the namespace that is probed from
  std::uint16_t port = 0;
  // Arrivals per second: an open loop, so a slow server does not slow the load. 0: as fast as
  // `concurrency` allows (a closed loop); then `count` or `duration` must end it.
  double rate_per_s = 10;
  std::uint64_t count = 0;                  // attempts to make; 0: until `duration`
  std::uint32_t concurrency = 1000;         // attempts outstanding at most
  std::chrono::milliseconds timeout{5000};  // for connecting, and again for the first byte
  std::chrono::milliseconds duration{0};    // of arrivals; 0: until `count`, or until stopped
  std::chrono::milliseconds hold{0};        // keeps a finished connection open for so long
  std::string send;                         // sent on every connection once it is established
  bool expect_reply = false;                // else an attempt ends when it is connected
  std::vector<facts::IpAddress> source_addresses;  // used in turn; empty: the kernel's choice
  int netns_fd = -1;  // open file of the network namespace to probe from; -1: the caller's
};

struct ProbeProgress {
  double elapsed_s = 0;
  std::uint64_t started = 0;
  std::uint64_t connected = 0;
  std::uint64_t failed = 0;
  std::uint32_t outstanding = 0;
};

struct ProbeResult {
  std::string target;  // "10.0.0.2:80"
  double asked_rate_per_s = 0;
  double arrivals_s = 0;  // how long attempts were being started
  double elapsed_s = 0;   // until the last of them ended
  std::uint64_t started = 0;
  // Arrivals that the rate asked for and that were not made, because `concurrency` attempts were
  // outstanding.
  std::uint64_t shortfall = 0;
  std::array<std::uint64_t, kOutcomes> outcomes{};  // by Outcome
  std::map<unsigned, std::uint64_t> syn_retries;    // of those that connected: retries → how many
  bool retries_from_kernel = true;                  // false: from the schedule, by time
  unsigned syn_linear_timeouts = 0;                 // of the namespace probed from
  std::map<int, std::uint64_t> errors;              // errno → how many
  std::map<int, std::uint64_t> local_errors;
  LatencyHistogram connect_time;     // of those that connected
  LatencyHistogram first_byte_time;  // from the start of the attempt; of those that were answered
  bool stopped = false;              // by the caller

  [[nodiscard]] std::uint64_t of(Outcome outcome) const {
    return outcomes[static_cast<std::size_t>(outcome)];
  }
};

// Called about four times a second, from the thread that runs the load.
using ProgressCallback = std::function<void(const ProbeProgress&)>;

// Runs the load and returns once every attempt has ended, or soon after `*stop` becomes true (may
// be null). Runs in the calling thread, or in one of its own where `netns_fd` is given, so the
// caller's namespace never changes. Raises the process's soft limit on descriptors to the hard one
// where `concurrency` needs it. Fails where nothing can be tried at all (options that make no
// sense, no epoll, a namespace that cannot be entered); what single attempts meet is in the result.
[[nodiscard]] Result<ProbeResult> probe(const ProbeOptions& options,
                                        const std::atomic<bool>* stop = nullptr,
                                        const ProgressCallback& progress = {});

// For people, several lines; one line without a newline; and an object of schema acceptq.probe/1.
[[nodiscard]] std::string to_text(const ProbeResult& result);
[[nodiscard]] std::string to_line(const ProbeResult& result);
[[nodiscard]] std::string to_json(const ProbeResult& result);

}  // namespace acceptq::lab::probe
