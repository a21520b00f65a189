#include "agent/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "diagnose/cause_kind.h"
#include "render/names.h"

namespace acceptq::agent {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Extra = std::vector<ClientMetric::Label>;

constexpr int kHttpOk = 200;

std::vector<ClientMetric::Label> labels_of(const Labels& labels, Extra extra = {}) {
  std::vector<ClientMetric::Label> all;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) all.push_back({name, value});
  };
  add("namespace", labels.ns);
  add("pod", labels.pod);
  add("container", labels.container);
  add("netns", labels.netns);
  add("address", labels.address);
  add("port", labels.port);
  add("process", labels.process);
  std::ranges::move(extra, std::back_inserter(all));
  return all;
}

// Gathers one metric, and hands it over where it has a value at all.
class Family {
 public:
  Family(std::string name, std::string help, MetricType type) {
    family_.name = std::move(name);
    family_.help = std::move(help);
    family_.type = type;
  }

  void add(double value, std::vector<ClientMetric::Label> labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = metric.counter.value = value;
    family_.metric.push_back(std::move(metric));
  }
  void add(const Waits& waits, std::vector<ClientMetric::Label> labels) {
    constexpr double kNsPerSecond = 1e9;
    ClientMetric metric;
    metric.label = std::move(labels);
    ClientMetric::Histogram& histogram = metric.histogram;
    for (std::size_t i = 0; i < waits.counts.size(); ++i) {
      histogram.sample_count += waits.counts[i];
      const double bound = i < kWaitBoundsNs.size()
                               ? static_cast<double>(kWaitBoundsNs[i]) / kNsPerSecond
                               : std::numeric_limits<double>::infinity();
      histogram.bucket.push_back(
          {.cumulative_count = histogram.sample_count, .upper_bound = bound});
    }
    histogram.sample_sum = waits.sum_s;
    family_.metric.push_back(std::move(metric));
  }

  void hand_over(const std::function<void(std::string)>& take) {
    if (family_.metric.empty()) return;
    std::vector<MetricFamily> one;
    one.push_back(std::move(family_));
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, one);
    take(std::move(out).str());
  }

 private:
  MetricFamily family_;
};

void write_one(const char* name, const char* help, MetricType type, double value,
               std::vector<ClientMetric::Label> labels,
               const std::function<void(std::string)>& take) {
  Family family(name, help, type);
  family.add(value, std::move(labels));
  family.hand_over(take);
}

class Writer {
 public:
  Writer(const Frame& frame, const std::function<void(std::string)>& take)
      : frame_(frame), take_(take) {}

  void write() {
    write_queues();
    write_counts();
    write_trouble();
    write_namespaces();
    write_agent();
  }

 private:
  // A value of each listener's, where it has one.
  template <typename Value>
  void of_listeners(const char* name, const char* help, MetricType type, Value value) {
    Family family(std::string("acceptq_listener_") + name, help, type);
    for (const auto& [labels, series] : frame_.listeners) {
      if (const std::optional<double> number = value(series)) {
        family.add(*number, labels_of(labels));
      }
    }
    family.hand_over(take_);
  }
  template <typename Value>
  void of_seen(const char* name, const char* help, Value value) {
    of_listeners(name, help, MetricType::Gauge,
                 [&](const ListenerSeries& series) -> std::optional<double> {
                   return series.seen ? value(*series.seen) : std::nullopt;
                 });
  }
  void one(const char* name, const char* help, MetricType type, double value,
           std::vector<ClientMetric::Label> labels = {}) {
    write_one(name, help, type, value, std::move(labels), take_);
  }

  void write_queues() {
    of_listeners(
        "observed",
        "1: seen by the last scan. 0: it was there before, and is gone or could not be seen",
        MetricType::Gauge,
        [](const ListenerSeries& series) -> std::optional<double> { return series.seen ? 1 : 0; });
    of_seen("sockets", "Sockets that this series stands for",
            [](const Seen& seen) -> std::optional<double> { return seen.sockets; });
    of_seen("accept_queue_length", "Connections that waited for accept() at the last scan",
            [](const Seen& seen) -> std::optional<double> { return seen.length.value(); });
    of_listeners("accept_queue_longest",
                 "Most connections that were seen waiting for accept() in the last minute",
                 MetricType::Gauge, [](const ListenerSeries& series) -> std::optional<double> {
                   if (!series.seen) return std::nullopt;
                   return series.longest.value();
                 });
    of_seen("accept_queue_limit",
            "Limit of the accept queue in force, which holds one connection more",
            [](const Seen& seen) -> std::optional<double> {
              if (!seen.limit) return std::nullopt;
              return seen.limit->value();
            });
    Family set_by("acceptq_listener_limit_info", "Who set the limit of the accept queue",
                  MetricType::Gauge);
    for (const auto& [labels, series] : frame_.listeners) {
      if (!series.seen || !series.limit_set_by) continue;
      set_by.add(1, labels_of(labels, {{"set_by", render::name_of(*series.limit_set_by)}}));
    }
    set_by.hand_over(take_);
    of_seen("syn_queue_length", "Handshakes that are not complete yet",
            [](const Seen& seen) -> std::optional<double> {
              if (!seen.syn_length) return std::nullopt;
              return *seen.syn_length;
            });
  }

  void write_counts() {
    Family refused("acceptq_listener_refused_packets_total",
                   "Packets of handshakes that the kernel refused", MetricType::Counter);
    for (const auto& [labels, series] : frame_.listeners) {
      // The kernel counts nothing of them.
      if (series.protocol == facts::Protocol::kUnix) continue;
      for (std::size_t kind = 0; kind < kRefusedKinds; ++kind) {
        refused.add(static_cast<double>(series.refused[kind]),
                    labels_of(labels, {{"stage", kRefusedNames[kind].stage},
                                       {"reason", kRefusedNames[kind].reason}}));
      }
    }
    refused.hand_over(take_);
    const auto number = [](const std::optional<std::uint64_t>& count) -> std::optional<double> {
      if (!count) return std::nullopt;
      return static_cast<double>(*count);
    };
    of_listeners("refused_attempts_total", "Attempts to connect that refused packets belong to",
                 MetricType::Counter,
                 [&](const ListenerSeries& series) { return number(series.attempts_refused); });
    of_listeners("accepted_total", "Connections that accept() took", MetricType::Counter,
                 [&](const ListenerSeries& series) { return number(series.accepted); });
    Family waits("acceptq_listener_wait_seconds", "How long connections waited for accept()",
                 MetricType::Histogram);
    for (const auto& [labels, series] : frame_.listeners) {
      if (series.waits) waits.add(*series.waits, labels_of(labels));
    }
    waits.hand_over(take_);
  }

  void write_trouble() {
    of_listeners("estimated_wait_seconds", "How long a connection that comes now would wait",
                 MetricType::Gauge,
                 [](const ListenerSeries& series) { return series.estimated_wait_s; });
    Family causes("acceptq_listener_cause_share",
                  "Why accept() is slow, as a share of the time; 1 where a cause has no share",
                  MetricType::Gauge);
    for (const auto& [labels, series] : frame_.listeners) {
      if (!series.seen) continue;
      for (const auto& [kind, share] : series.causes) {
        causes.add(share, labels_of(labels, {{"cause", std::string(diagnose::cause_name(kind))}}));
      }
    }
    causes.hand_over(take_);
  }

  void write_namespaces() {
    for (const NamespaceCounter& each : kNamespaceCounters) {
      Family family(std::string("acceptq_netns_") + each.metric + "_total",
                    std::string(each.counter) + " of the network namespace", MetricType::Counter);
      for (const auto& [labels, series] : frame_.namespaces) {
        if (const auto found = series.counters.find(each.metric); found != series.counters.end()) {
          family.add(static_cast<double>(found->second), labels_of(labels));
        }
      }
      family.hand_over(take_);
    }
    Family somaxconn("acceptq_netns_somaxconn", "net.core.somaxconn of the network namespace",
                     MetricType::Gauge);
    for (const auto& [labels, series] : frame_.namespaces) {
      if (series.somaxconn) {
        somaxconn.add(static_cast<double>(*series.somaxconn), labels_of(labels));
      }
    }
    somaxconn.hand_over(take_);
  }

  void write_agent() {
    const AgentState& agent = frame_.agent;
    const Tally& tally = frame_.tally;
    const auto gauge = [&](const char* name, const char* help, double value) {
      one(name, help, MetricType::Gauge, value);
    };
    one("acceptq_build_info", "Version of the agent", MetricType::Gauge, 1,
        {{"version", ACCEPTQ_VERSION}});
    one("acceptq_tracing_info", "How handshakes are traced", MetricType::Gauge, 1,
        {{"level", agent.tracing}});
    one("acceptq_scans_total", "Scans of the host", MetricType::Counter,
        static_cast<double>(agent.scans));
    one("acceptq_scan_failures_total", "Scans of the host that gave nothing", MetricType::Counter,
        static_cast<double>(agent.failed_scans));
    gauge("acceptq_scan_duration_seconds",
          "What the last scan took, with all that was concluded from it", agent.scan_s);
    gauge("acceptq_last_scan_timestamp_seconds", "When the last scan ended", agent.scan_ended_s);
    gauge("acceptq_listeners", "Listening sockets that the last scan saw",
          static_cast<double>(tally.listeners));
    gauge("acceptq_listeners_exported", "Series of listeners",
          static_cast<double>(frame_.listeners.size()));
    gauge("acceptq_listeners_exported_limit", "Series of listeners that there may be",
          static_cast<double>(tally.most_series));
    gauge("acceptq_listeners_unexported", "Listening sockets without a series: there are too many",
          static_cast<double>(tally.unexported));
    one("acceptq_unexported_refused_packets_total", "Refused packets of listeners without a series",
        MetricType::Counter, static_cast<double>(tally.unexported_refused));
    Family blind("acceptq_blind_spots",
                 "What the last scan could not see; unobserved: listeners or namespaces at all",
                 MetricType::Gauge);
    for (const auto& [what, count] : agent.blind_spots) {
      blind.add(static_cast<double>(count),
                {{"id", what.first}, {"unobserved", what.second ? "true" : "false"}});
    }
    blind.hand_over(take_);
  }

  const Frame& frame_;
  const std::function<void(std::string)>& take_;
};

}  // namespace

void write_metrics(const Frame& frame, const std::function<void(std::string)>& take) {
  Writer(frame, take).write();
}

void write_metrics(const SelfUse& self, const std::function<void(std::string)>& take) {
  const auto write = [&](const char* name, const char* help, MetricType type, double value) {
    write_one(name, help, type, value, {}, take);
  };
  write("process_cpu_seconds_total", "Processor time of the agent", MetricType::Counter,
        self.cpu_s);
  write("process_resident_memory_bytes", "Resident memory of the agent", MetricType::Gauge,
        static_cast<double>(self.resident_bytes));
  write("process_open_fds", "Open descriptors of the agent", MetricType::Gauge,
        static_cast<double>(self.open_fds));
  write("process_start_time_seconds", "When the agent started", MetricType::Gauge, self.started_s);
}

void write_metrics(const HttpCounts& http, const std::function<void(std::string)>& take) {
  Family requests("acceptq_http_requests_total", "Requests that the agent answered",
                  MetricType::Counter);
  std::map<int, std::uint64_t> by_status = http.by_status;
  by_status.try_emplace(kHttpOk);
  for (const auto& [status, count] : by_status) {
    requests.add(static_cast<double>(count), {{"code", std::to_string(status)}});
  }
  requests.hand_over(take);
  write_one("acceptq_http_connections_total", "Connections that the agent took",
            MetricType::Counter, static_cast<double>(http.connections), {}, take);
  Family cut("acceptq_http_connections_cut_total", "Of these, those that ended before their time",
             MetricType::Counter);
  const auto add = [&](const char* reason, std::uint64_t count) {
    cut.add(static_cast<double>(count), {{"reason", reason}});
  };
  add("no_room", http.turned_away);
  add("made_room", http.replaced);
  add("too_slow", http.timed_out);
  add("tls_failed", http.tls_failed);
  add("broken_off", http.broken_off);
  cut.hand_over(take);
}

}  // namespace acceptq::agent
