// One scan of a busy node, 500 namespaces × 10 listeners, with owners and counters, against what an
// operator would run instead: for each namespace, nsenter and ss -lntp. One run measures all, so
// that the ratios are of the same machine at the same moment.
//
//   build-bench/bench/scan_bench [NAMESPACES [LISTENERS [CONNECTIONS]]]
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "collect/scan.h"
#include "support/child.h"
#include "support/fleet.h"

namespace {

using acceptq::collect::ScanDepth;
using acceptq::collect::ScanMethod;
using acceptq::collect::Scanner;

constexpr int kRounds = 7;

double milliseconds_since(std::int64_t begin) {
  return static_cast<double>(acceptq::monotonic_ns() - begin) / 1e6;
}

struct Timed {
  double first = 0;   // with what is loaded once
  double median = 0;  // of the later rounds
  std::size_t listeners = 0;
  std::size_t with_owner = 0;
};

Timed time_scan(ScanMethod method, ScanDepth depth) {
  Timed timed;
  Scanner scanner({.method = method});
  std::vector<double> rounds;
  for (int i = 0; i <= kRounds; ++i) {
    const std::int64_t begin = acceptq::monotonic_ns();
    const auto snapshot = scanner.scan(depth);
    const double took = milliseconds_since(begin);
    if (!snapshot) {
      fmt::print(stderr, "{}\n", snapshot.error().message());
      std::exit(1);
    }
    if (i == 0) {
      timed.first = took;
    } else {
      rounds.push_back(took);
    }
    timed.listeners = snapshot->listeners.size();
    timed.with_owner = static_cast<std::size_t>(std::ranges::count_if(
        snapshot->listeners, [](const auto& listener) { return !listener.owners.empty(); }));
  }
  std::ranges::sort(rounds);
  timed.median = rounds[rounds.size() / 2];
  return timed;
}

// The loop, over the first `sample` namespaces, scaled to all: beside many sockets each ss walks
// all descriptors of the host, and the whole loop takes minutes.
double time_ss_loop(const std::vector<pid_t>& pids, std::size_t sample) {
  const std::int64_t begin = acceptq::monotonic_ns();
  sample = std::min(sample, pids.size());
  for (const pid_t pid : std::span(pids).first(sample)) {
    const auto output =
        acceptq::test::run_program({"nsenter", "-t", std::to_string(pid), "-n", "ss", "-lntp"});
    if (output.exit_code != 0) {
      fmt::print(stderr, "nsenter failed: {}\n", output.err);
      std::exit(1);
    }
  }
  return milliseconds_since(begin) * static_cast<double>(pids.size()) / static_cast<double>(sample);
}

// What the kernel itself takes for the counters: reading the files and nothing else.
double time_counter_files(const std::vector<pid_t>& pids) {
  const std::int64_t begin = acceptq::monotonic_ns();
  for (const pid_t pid : pids) {
    const std::string dir = "/proc/" + std::to_string(pid) + "/net/";
    if (!acceptq::read_file(dir + "netstat") || !acceptq::read_file(dir + "snmp")) std::exit(1);
  }
  return milliseconds_since(begin);
}

void print_row(const char* what, const Timed& timed, double loop_ms) {
  fmt::print("{:<42} {:>9.1f} {:>9.1f} {:>9.0f} x {:>7} {:>7}\n", what, timed.first, timed.median,
             loop_ms / timed.median, timed.listeners, timed.with_owner);
}

std::size_t argument(int argc, char** argv, int index, std::size_t otherwise) {
  if (argc <= index) return otherwise;
  return acceptq::parse_int<std::size_t>(argv[index]).value_or(otherwise);
}

}  // namespace

int main(int argc, char** argv) {
  if (::geteuid() != 0) {
    fmt::print(stderr, "scan_bench: needs root, to make network namespaces\n");
    return 2;
  }
  const std::size_t namespaces = argument(argc, argv, 1, 500);
  const std::size_t listeners = argument(argc, argv, 2, 10);
  const std::size_t connections = argument(argc, argv, 3, 100000);
  const acceptq::test::Fleet fleet(namespaces, listeners);

  const auto measure = [&](const std::string& title, std::size_t sample) {
    fmt::print("\n{}\n{:<42} {:>9} {:>9} {:>11} {:>7} {:>7}\n", title, "milliseconds", "first",
               "median", "of the loop", "found", "owned");
    const double loop = time_ss_loop(fleet.pids(), sample);
    fmt::print("{:<42} {:>9} {:>9.1f} {:>9} x   ({} measured)\n", "for each: nsenter ss -lntp", "",
               loop, 1, std::min(sample, namespaces));
    print_row("iterator, owners, counters, sysctls",
              time_scan(ScanMethod::kIterator, ScanDepth::kFast), loop);
    print_row("  and a visit to every namespace",
              time_scan(ScanMethod::kIterator, ScanDepth::kComplete), loop);
    print_row("netlink, owners, counters, sysctls",
              time_scan(ScanMethod::kNetlink, ScanDepth::kFast), loop);
    fmt::print("{:<42} {:>9} {:>9.1f}\n", "of which, kernel: netstat and snmp", "",
               time_counter_files(fleet.pids()));
  };
  measure(fmt::format("{} namespaces x {} listeners, idle host", namespaces, listeners),
          namespaces);
  if (connections > 0) {
    const acceptq::test::Connections crowd(connections);
    constexpr std::size_t kSample = 10;
    measure(fmt::format("the same beside {} established connections", connections), kSample);
  }
  return 0;
}
