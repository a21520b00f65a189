// The series of an agent: what one observation after another adds up to, under names that outlive
// the processes and sockets that it is about. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/frame.h"
#include "agent/labels.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::agent {

struct BookOptions {
  std::size_t most_series = 1000;            // of listeners
  std::int64_t forget_ns = 600'000'000'000;  // what has not been seen for so long
};

// Not thread-safe.
class SeriesBook {
 public:
  explicit SeriesBook(BookOptions options) : options_(options) {
    tally_.most_series = options.most_series;
  }

  // What happened since the observation before. Each is added once, and they follow each other.
  void add(const facts::Observation& observation);
  // What was concluded from the last observation, or from a part of it.
  void add(const facts::Observation& part, const diagnose::Report& report);

  // Namespaces with a listener of which it is not known yet who set its limit.
  [[nodiscard]] const std::set<NetnsId>& unjudged() const { return unjudged_; }

  // Everything but the state of the agent.
  [[nodiscard]] Frame frame() const;

 private:
  struct Point {
    std::int64_t at_ns;
    QueueLength length;
  };
  struct Kept {
    ListenerSeries series;
    std::vector<Point> points;  // of the last minute, those above 0
    std::int64_t seen_ns = 0;
    std::int64_t caused_ns = 0;  // when its causes were concluded
    bool was_refusing = false;
  };
  // Of a socket, as it was last known.
  struct Named {
    Labels labels;
    std::uint64_t scan = 0;
    std::optional<QueueLimit> limit;
  };

  using Names = std::unordered_map<std::string, Named>;  // by listener_key
  using Ledgers = std::vector<const facts::Ledger*>;     // as facts::ledgers_of

  Names::value_type& name(const Labeller& labeller, const facts::Listener& listener);
  // Null where there is no room for one more.
  Kept* series_of(const Labels& labels, bool is_refusing);
  void see(const facts::Observation& observation, const Ledgers& ledgers);
  void count_unnamed(const facts::Observation& observation, const Ledgers& ledgers);
  void see_namespaces(const facts::Snapshot& now);
  void forget(std::int64_t now_ns);

  BookOptions options_;
  std::uint64_t scan_ = 0;
  std::map<Labels, Kept> kept_;
  Names names_;
  std::map<NetnsId, Labels> lived_in_;  // with the labels of a listener that has a series
  std::map<Labels, NamespaceSeries> namespaces_;
  std::set<NetnsId> unjudged_;
  Tally tally_;
};

}  // namespace acceptq::agent
