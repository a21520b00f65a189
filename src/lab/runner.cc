#include "lab/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>
#include <variant>

#include "lab/process.h"
#include "lab/world.h"

namespace acceptq::lab {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

std::uint64_t increase(const std::map<std::string, std::uint64_t>& before,
                       const std::map<std::string, std::uint64_t>& after, const char* name) {
  const auto from = before.find(name);
  const auto to = after.find(name);
  return from != before.end() && to != after.end() ? to->second - from->second : 0;
}

// What fits into a message of the channel even where each byte becomes six ("\\u0000").
std::string cut(const std::string& text) {
  constexpr std::size_t kMost = 10'000;
  return text.size() <= kMost ? text : text.substr(0, kMost) + " […]";
}

// Programs write any bytes; those that are not UTF-8 are replaced.
std::string to_message(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

class Runner {
 public:
  Runner(World& world, const Channel& channel, Clock::time_point deadline)
      : world_(world), channel_(channel), deadline_(deadline) {}

  // The step with this number, from 0.
  Status run(std::size_t index, const Step& step) {
    index_ = index;
    line_ = step.line;
    if (Clock::now() > deadline_)
      return fail(ErrorCode::kInterrupted, "the scenario's time is over");
    return std::visit([this](const auto& action) { return act(action); }, step.action);
  }

  // What still runs after the last step.
  Status end_loads() {
    while (!world_.loads().empty()) {
      if (const Status ended = end_load(world_.loads().begin()->first); !ended) return ended;
    }
    return {};
  }

 private:
  void say(const std::string& text) const {
    channel_.send(to_message(Json{{"kind", "text"}, {"text", cut(text)}}));
  }

  // Not past the end of the scenario's time.
  [[nodiscard]] Clock::time_point until(double seconds) const {
    return std::min(deadline_, Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                  std::chrono::duration<double>(seconds)));
  }

  Status act(const SayStep& step) {
    // Lines of the file are no lines of the terminal.
    std::string text = step.text;
    std::ranges::replace(text, '\n', ' ');
    say("\n" + text);
    return {};
  }

  Status act(const ServerStep& step) {
    constexpr const char* kNames[] = {"start", "stop", "restart"};
    say(fmt::format("  > {} {}", kNames[static_cast<int>(step.action)], step.server));
    if (step.action != ServerAction::kStart) {
      if (const Status stopped = world_.stop(step.server); !stopped) return stopped;
    }
    return step.action == ServerAction::kStop ? Status{} : world_.start(step.server);
  }

  Status act(const SignalStep& step) {
    say(fmt::format("  > signal {} to {}", ::sigabbrev_np(step.signal),
                    step.storage.empty() ? step.server : "storage " + step.storage));
    return world_.signal(step);
  }

  Status act(const FreezeStep& step) {
    say(fmt::format("  > {} {}", step.freeze ? "freeze" : "thaw",
                    step.group.empty() ? step.server : "group " + step.group));
    return world_.freeze(step);
  }

  Status act(const SysctlStep& step) {
    say(fmt::format("  > in {}: sysctl -w {}={}", step.netns, step.name, step.value));
    return world_.network().write_sysctl(step.netns, step.name, step.value);
  }

  Status act(const EditStep& step) {
    say(fmt::format("  > in {} of {}: \"{}\" becomes \"{}\"", step.file, step.server, step.replace,
                    step.with));
    return world_.edit(step);
  }

  Status act(const StorageStep& step) {
    std::string what;
    if (step.open_ms) what += fmt::format(" open {} ms", *step.open_ms);
    if (step.read_ms) what += fmt::format(" read {} ms", *step.read_ms);
    if (step.stalled) what += *step.stalled ? " stalled" : " resumed";
    say(fmt::format("  > storage {}:{}", step.storage, what));
    return world_.change_storage(step);
  }

  // Says what the clients of a load lived through, once it has ended.
  Status end_load(const std::string& name) {
    const Result<LoadResult> result = world_.end_load(name);
    if (!result) return fail(result.error());
    channel_.send(Json{{"kind", "load"},
                       {"load", result->load},
                       {"rate_per_s", result->rate_per_s},
                       {"summary", result->summary},
                       {"json", result->json}}
                      .dump());
    return {};
  }

  Status act(const LoadStep& step) {
    say(step.rate_per_s > 0
            ? fmt::format("  > load {}: {:.0f} a second", step.load, step.rate_per_s)
            : fmt::format("  > load {} ends", step.load));
    if (world_.loads().count(step.load) != 0) {
      if (const Status ended = end_load(step.load); !ended) return ended;
    }
    return step.rate_per_s > 0 ? world_.start_load(step.load, step.rate_per_s) : Status{};
  }

  [[nodiscard]] static bool holds(const WaitStep& step, const QueueLine& queue) {
    switch (step.condition) {
      case QueueCondition::kFull:
        return queue.length > 0 && queue.length >= queue.limit;
      case QueueCondition::kEmpty:
        return queue.length == 0;
      case QueueCondition::kAtLeast:
        return queue.length >= step.length;
    }
    return false;
  }

  Status act(const WaitStep& step) {
    const Clock::time_point end = until(step.seconds);
    if (step.netns.empty()) {
      std::this_thread::sleep_until(end);
      return {};
    }
    while (true) {
      const auto queue = world_.queue(step.netns, step.port);
      if (!queue) return fail(queue.error());
      if (*queue && holds(step, **queue)) return {};
      if (Clock::now() > end) {
        return fail(
            ErrorCode::kInterrupted,
            fmt::format("the queue of port {} is not as it should be after {} s ({})", step.port,
                        step.seconds, *queue ? (*queue)->text : "nothing listens"));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  Status act(const RunStep& step) {
    const Result<std::string> output = run_command(step.command, world_.network().fd(step.netns));
    if (!output) return fail(output.error());
    say(*output);
    return {};
  }

  Status act(const ShowStep& step) {
    const auto queue_before = world_.queue(step.netns, step.port);
    const auto before = world_.counters(step.netns);
    if (!before) return fail(before.error());
    const Clock::time_point begin = Clock::now();
    std::this_thread::sleep_until(until(step.seconds));
    const auto queue = world_.queue(step.netns, step.port);
    const auto after = world_.counters(step.netns);
    if (!after) return fail(after.error());
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (!queue || !*queue) {
      return fail(ErrorCode::kNotFound, fmt::format("nothing listens on port {}", step.port));
    }
    const double length_before =
        queue_before && *queue_before ? (*queue_before)->length : (*queue)->length;
    const double growth = (*queue)->length - length_before;
    const auto opened = static_cast<double>(increase(*before, *after, "TcpPassiveOpens"));
    const double accepts = std::max(0.0, opened - growth) / seconds;
    const std::uint64_t overflows = increase(*before, *after, "TcpExtListenOverflows");
    const std::uint64_t drops = increase(*before, *after, "TcpExtListenDrops");

    say("  $ ss -lnt");
    say("    State  Recv-Q Send-Q Local Address:Port  Peer Address:Port");
    say("    " + (*queue)->text);
    say(fmt::format("  $ nstat    TcpExtListenOverflows +{}   TcpExtListenDrops +{}   in {:.1f} s",
                    overflows, drops, seconds));
    const std::string wait =
        accepts > 0 ? fmt::format("{:.0f} s", (*queue)->length / accepts) : "for ever";
    if (!step.note.empty()) {
      say("  " + substitute(step.note, {{"length", std::to_string((*queue)->length)},
                                        {"limit", std::to_string((*queue)->limit)},
                                        {"accept_rate", fmt::format("{:.0f}", accepts)},
                                        {"wait", wait},
                                        {"overflows", std::to_string(overflows)}}));
    }
    channel_.send(Json{
        {"kind", "show"},
        {"line", line_},
        {"netns", step.netns},
        {"port", step.port},
        {"length", (*queue)->length},
        {"limit", (*queue)->limit},
        {"accepts_per_s", accepts},
        {"overflows", overflows},
        {"drops",
         drops}}.dump());
    return {};
  }

  Status act(const ShowSysctlStep& step) {
    for (const std::string& netns : step.namespaces) {
      const Result<std::string> value = world_.network().read_sysctl(netns, step.name);
      if (!value) return fail(value.error());
      say(fmt::format("  in {:<8} {} = {}", netns + ":", step.name, *value));
    }
    return {};
  }

  Status act(const DiagnoseStep& step) {
    const Result<NetnsId> id = world_.network().id(step.netns);
    if (!id) return fail(id.error());
    channel_.send(Json{{"kind", "diagnose"}, {"step", index_}, {"netns", id->value()}}.dump());
    if (channel_.receive().empty()) return fail(ErrorCode::kInterrupted, "nobody diagnoses");
    return {};
  }

  World& world_;
  const Channel& channel_;
  Clock::time_point deadline_;
  std::size_t index_ = 0;
  int line_ = 0;
};

}  // namespace

void run_steps(const Scenario& scenario, const std::string& slowfs, const Cgroups* cgroups,
               const Channel& channel) {
  const auto fails = [&](const Error& error, int line) {
    channel.send(to_message(Json{{"kind", "error"},
                                 {"line", line},
                                 {"interrupted", error.code == ErrorCode::kInterrupted},
                                 {"text", cut(error.message())}}));
  };
  Result<World> world = World::create(scenario, slowfs, cgroups);
  if (!world) return fails(world.error(), 0);
  Runner runner(*world, channel,
                Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                   std::chrono::duration<double>(scenario.timeout_s)));
  for (std::size_t i = 0; i < scenario.steps.size(); ++i) {
    const Step& step = scenario.steps[i];
    if (const Status done = runner.run(i, step); !done) return fails(done.error(), step.line);
  }
  if (const Status ended = runner.end_loads(); !ended) return fails(ended.error(), 0);
  channel.send(Json{{"kind", "done"}}.dump());
}

}  // namespace acceptq::lab
