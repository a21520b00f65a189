// acceptq agent: watches this host for as long as it runs, and serves what it knows.
#include "agent/agent.h"

#include <fmt/format.h>
#include <malloc.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "agent/http_server.h"
#include "agent/local_socket.h"
#include "agent/metrics.h"
#include "agent/notify.h"
#include "agent/settings.h"
#include "agent/signals.h"
#include "agent/sparing_log.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "cli/tracing.h"
#include "collect/host_source.h"
#include "collect/host_threads.h"
#include "collect/traced_handshakes.h"
#include "facts/json.h"

namespace acceptq::cli {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr const char* kUsualConfig = "/etc/acceptq/agent.yaml";

// Read as the file's value would be.
Status set_instead(const std::string& key, const std::string& value, agent::Settings& settings) {
  const Result<agent::Settings> alone = agent::parse_settings(
      fmt::format("{}: {}\n", key, value.empty() ? "\"\"" : value), "--" + key);
  if (!alone) return fail(alone.error());
  if (key == "listen") settings.listen = alone->listen;
  if (key == "interval") settings.interval = alone->interval;
  if (key == "tracing") settings.tracing = alone->tracing;
  if (key == "socket") settings.socket = alone->socket;
  return {};
}

// The file, and what the command line says besides. One that was not named need not be there.
Result<agent::Settings> settings_of(const AgentCommand& command) {
  const std::string file = command.config.value_or(kUsualConfig);
  Result<std::string> text = read_file(file);
  if (!text && !command.config && text.error().code == ErrorCode::kNotFound) text = "";
  if (!text) return fail(std::move(text.error()));
  Result<agent::Settings> settings = agent::parse_settings(*text, file);
  if (!settings) return settings;
  for (const auto& [key, value] : command.instead) {
    if (const Status set = set_instead(key, value, *settings); !set) return fail(set.error());
  }
  if (const auto conflict = agent::conflict(*settings)) {
    return fail(ErrorCode::kMalformed, *conflict);
  }
  return settings;
}

collect::bpf::TraceOptions tracing_of(const agent::Settings& settings) {
  collect::bpf::TraceOptions options = trace_options(settings.tracing);
  // They wake it; what they add up to is counted anyway.
  options.events_per_second = 20;
  options.events_per_listener = 2;
  return options;
}

agent::Agent::Options agent_options(const agent::Settings& settings) {
  return {.interval_ns = settings.interval.count() * kNsPerMs,
          .looks_for_causes = settings.causes,
          .book = {.most_series = settings.max_listeners,
                   .forget_ns = settings.forget_after.count() * kNsPerMs}};
}

// For `systemctl status`.
std::string status_of(const agent::Frame& frame) {
  std::uint64_t refused = frame.tally.unexported_refused;
  std::size_t full = 0;
  for (const auto& [labels, series] : frame.listeners) {
    for (const std::uint64_t packets : series.refused) refused += packets;
    const std::optional<agent::Seen>& seen = series.seen;
    if (seen && seen->limit && facts::sampled_full(seen->length, *seen->limit)) ++full;
  }
  return fmt::format(
      "{} listeners, {} with a full accept queue; {} packets refused since the start",
      frame.tally.listeners, full, refused);
}

void log(const std::string& line) { print_err("acceptq agent: " + line + "\n"); }

class Service {
 public:
  Service(const AgentCommand& command, agent::Settings settings)
      : command_(command),
        settings_(std::move(settings)),
        source_({.only_listen_counters = true}),
        handshakes_(tracing_of(settings_)),
        threads_("/proc"),
        agent_(agent_options(settings_), source_, handshakes_, threads_,
               [this](const Error& error) { failures_.say(monotonic_ns(), error.message()); }) {}

  int run(agent::Signals& signals) {
    if (const Status begun = agent_.begin(); !begun) {
      print_error(begun.error());
      return kExitBlind;
    }
    if (const Status serving = serve(); !serving) {
      print_error(serving.error());
      return kExitUsage;
    }
    log(fmt::format("serves {}://{}/metrics; tracing: {}",
                    settings_.tls_certificate.empty() ? "http" : "https",
                    facts::host_and_port(settings_.listen.address, settings_.listen.port),
                    agent_.frame()->agent.tracing));
    tell(notifier_.ready());
    std::uint64_t told_of = 0;  // the scan
    while (!signals.end()) {
      agent_.tend(monotonic_ns() + kNsPerSecond);
      // An observation of thousands of listeners is let go of at once, but glibc keeps its memory.
      const std::uint64_t scans = agent_.frame()->agent.scans;
      if (std::exchange(told_of, scans) != scans) {
        ::malloc_trim(0);
        tell(notifier_.status(status_of(*agent_.frame())));
      }
      // A scan that hangs does not get here, and systemd starts the agent anew.
      tell(notifier_.watchdog());
      if (signals.reload()) reload();
    }
    tell(notifier_.stopping());
    agent_.end();
    return kExitNothingWrong;
  }

 private:
  Status serve() {
    // The loop's thread is the one that signals are for.
    const agent::SignalsBlocked blocked;
    agent::HttpOptions options = agent::http_options(settings_);
    options.refused = [this](const agent::HttpRefusal& refusal) {
      refusals_.say(monotonic_ns(), fmt::format("refused {}: {}", refusal.peer, refusal.reason));
    };
    agent::HttpRoutes routes;
    routes["/metrics"] = {.handler = [this] { return metrics(); }};
    routes["/healthz"] = {.handler = [] { return answer(true); }, .open = true};
    routes["/readyz"] = {.handler = [this] { return answer(is_fresh()); }, .open = true};
    auto server = agent::HttpServer::start(std::move(options), std::move(routes));
    if (!server) return fail(std::move(server.error()));
    server_ = std::move(*server);
    serving_ = server_.get();
    if (settings_.socket.empty()) return {};
    auto socket = agent::LocalSocket::start(
        settings_.socket,
        {{agent::kObservationPath, {.handler = [this] { return observation(); }}}});
    if (!socket) return fail(std::move(socket.error()));
    socket_ = std::move(*socket);
    return {};
  }

  void tell(const Status& told) {
    if (!told) failures_.say(monotonic_ns(), told.error().message());
  }

  [[nodiscard]] static agent::HttpReply answer(bool is_well) {
    return {.status = is_well ? 200 : 503,
            .body = std::make_shared<const std::string>(is_well ? "ok\n" : "no scan of late\n")};
  }

  [[nodiscard]] bool is_fresh() const { return monotonic_ns() < agent_.frame()->agent.stale_ns; }

  // In the server's only thread. On a large host scrapes come more often than scans, and a text of
  // megabytes takes longer to write than to send.
  [[nodiscard]] agent::HttpReply metrics() {
    if (const auto frame = agent_.frame(); frame != written_) {
      text_.clear();
      agent::write_metrics(*frame, [&](const std::string& part) { text_ += part; });
      written_ = frame;
    }
    agent::SelfUse self = agent::read_self_use();
    self.started_s = started_s_;
    std::string text = text_;
    const auto append = [&](const std::string& part) { text += part; };
    agent::write_metrics(self, append);
    if (const agent::HttpServer* server = serving_) agent::write_metrics(server->counts(), append);
    return {.content_type = agent::kMetricsContentType,
            .body = std::make_shared<const std::string>(std::move(text))};
  }

  [[nodiscard]] agent::HttpReply observation() {
    constexpr std::chrono::seconds kPatience(8);
    auto next = agent_.next_observation(kPatience);
    return {
        .status = next ? 200 : 503, .content_type = "application/json", .body = std::move(next)};
  }

  void reload() {
    tell(notifier_.reloading(monotonic_ns()));
    Result<agent::Settings> settings = settings_of(command_);
    if (!settings) {
      log(settings.error().message() + "; all stays as it was");
    } else if (const Status reloaded = server_->reload(); !reloaded) {
      log(reloaded.error().message() + "; certificate, key and token stay as they were");
    } else {
      agent_.set_interval(settings->interval.count() * kNsPerMs);
      settings_.interval = settings->interval;
      log(*settings == settings_ ? "configuration, certificate and token were read again"
                                 : "certificate, token and interval were read again; what else "
                                   "has changed takes effect with a restart");
    }
    tell(notifier_.ready());
  }

  static constexpr std::int64_t kQuietNs = 10 * kNsPerSecond;

  const AgentCommand& command_;
  agent::Settings settings_;
  double started_s_ = static_cast<double>(realtime_ns()) / 1e9;
  agent::SparingLog failures_{kQuietNs, log};
  agent::SparingLog refusals_{kQuietNs, log};
  agent::Notifier notifier_ = agent::Notifier::from_environment();
  collect::HostSource source_;
  collect::TracedHandshakes handshakes_;
  collect::HostThreads threads_;
  agent::Agent agent_;
  std::shared_ptr<const agent::Frame> written_;  // as text_
  std::string text_;
  // server_ for its own thread, which begins before that is there.
  std::atomic<const agent::HttpServer*> serving_ = nullptr;
  // They ask the agent, and end before it.
  std::unique_ptr<agent::HttpServer> server_;
  std::unique_ptr<agent::LocalSocket> socket_;
};

}  // namespace

int run_agent(const AgentCommand& command) {
  const Result<agent::Settings> settings = settings_of(command);
  if (!settings) {
    print_error(settings.error());
    return kExitUsage;
  }
  if (command.check_config) return kExitNothingWrong;
  agent::Signals signals;
  return Service(command, *settings).run(signals);
}

}  // namespace acceptq::cli
