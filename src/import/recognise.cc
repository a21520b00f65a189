#include "import/recognise.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "base/text.h"
#include "import/prompt.h"
#include "import/readers.h"

namespace acceptq::imports {
namespace {

// Lines of tcpdump are evidence of their own, which is not read here.
Reading skip_packets(Lines lines, const Typed& /*typed*/) {
  const auto is_packet = [](std::string_view line) {
    const bool ip = line.find(" IP ") != std::string_view::npos ||
                    line.find(" IP6 ") != std::string_view::npos || line.starts_with("IP ");
    return (ip && line.find(" > ") != std::string_view::npos) ||
           line.starts_with("listening on ") || line.starts_with("tcpdump: ");
  };
  Reading reading;
  while (reading.used < lines.size() && is_packet(lines[reading.used].text)) ++reading.used;
  return reading;
}

// In this order: what a command printed without a name first.
constexpr std::array kReaders = {read_sysctls,
                                 read_uname,
                                 read_identity,
                                 read_nginx_dump,
                                 skip_packets,
                                 read_ss,
                                 read_netstat_listeners,
                                 read_netstat_statistics,
                                 read_nstat,
                                 read_proc_counters,
                                 read_proc_tcp,
                                 read_kernel_log,
                                 read_workload_json,
                                 read_workload_yaml,
                                 read_pod_description,
                                 read_addresses,
                                 read_pressure,
                                 read_cpu_stat,
                                 read_mountstats,
                                 read_foreign};

// A command that failed, as it says itself.
bool is_failure(std::string_view line) {
  constexpr std::array<std::string_view, 17> kWho = {
      "bash:",    "-bash:",   "sh:",    "-sh:",        "/bin/sh:",   "zsh:",
      "ss:",      "netstat:", "nstat:", "cat:",        "sysctl:",    "nsenter:",
      "kubectl:", "Error",    "error:", "OCI runtime", "Cannot open"};
  constexpr std::array<std::string_view, 10> kWhat = {
      "not found", "denied", "No such",   "not permitted",  "annot",
      "unable",    "failed", "exit code", "not recognized", "rror from server"};
  const auto says = [&](std::string_view what) {
    return line.find(what) != std::string_view::npos;
  };
  if (line.starts_with("command terminated with exit code")) return true;
  return std::ranges::any_of(kWho, [&](auto who) { return line.starts_with(who); }) &&
         std::ranges::any_of(kWhat, says);
}

// A line of a table whose form nobody here knows, rather than a sentence about one.
bool looks_like_evidence(std::string_view line) {
  const std::vector<std::string_view> words = split_blank(line);
  if (words.empty()) return false;
  const bool has_number = std::ranges::any_of(
      words, [](std::string_view word) { return parse_int<std::uint64_t>(word).has_value(); });
  const auto has = [&](std::string_view word) {
    return std::ranges::find(words, word) != words.end();
  };
  if (has("LISTEN") && has_number) return true;
  if (words[0].starts_with("TcpExt")) return true;
  if (parse_int<std::uint64_t>(words[0]) && line.find("listen queue") != std::string_view::npos) {
    return true;
  }
  return parse_int<std::uint64_t>(words[0]).has_value() && has("LISTEN");
}

// nstat that prints nothing, and remembers what the next one counts from.
bool remembers_counters(std::string_view command) {
  const std::vector<std::string_view> words = split_blank(command);
  const auto nstat = std::ranges::find(words, "nstat");
  if (nstat == words.end()) return false;
  const bool is_thrown_away = command.find("/dev/null") != std::string_view::npos;
  return is_thrown_away || std::find(nstat, words.end(), "-n") != words.end();
}

// "and a minute later:" between two samples is no other host's name.
bool tells_of_time(std::string_view line) {
  constexpr std::array<std::string_view, 18> kWords = {
      "秒",     "分钟", "后",  "later", "again", "after",  "before", "then", "second",
      "minute", "hour", "now", "first", "next",  "sample", "sleep",  "sec",  "min"};
  std::string lower;
  for (const char c : line) {
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return std::ranges::any_of(
      kWords, [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

class Session {
 public:
  Session(Lines lines, std::string_view command) : lines_(lines) {
    if (!command.empty()) type({.command = std::string(command)});
  }

  Recognised run() {
    while (at_ < lines_.size()) take();
    if (hosts_.size() == 1) result_.host = *hosts_.begin();
    return std::move(result_);
  }

 private:
  void take() {
    const Line& line = lines_[at_];
    if (line.text.empty()) {
      ++at_;
      return;
    }
    if (const auto typed = parse_typed(line.text)) {
      type(*typed);
      ++at_;
      return;
    }
    if (const auto moment = parse_moment(line.text)) {
      tell(*moment);
      ++at_;
      return;
    }
    if (read()) return;
    if (is_failure(line.text)) {
      result_.problems.push_back({line.number, "a command failed: " + shortened(line.text)});
    } else if (looks_like_evidence(line.text)) {
      result_.problems.push_back({line.number, "it is in no form that acceptq knows"});
    }
    if (!tells_of_time(line.text)) ++moment_.said;
    fresh_ = false;
    ++at_;
  }

  static std::string shortened(std::string_view text) {
    constexpr std::size_t kMost = 100;
    return std::string(text.substr(0, kMost)) + (text.size() > kMost ? "…" : "");
  }

  bool read() {
    const Lines rest = lines_.subspan(at_);
    // Indented as a whole: a table inside a list, or quoted.
    for (const auto reader : kReaders) {
      Reading reading =
          reader(rest, {.command = command_, .json_budget = &json_budget_, .fresh = fresh_});
      if (reading.used == 0) continue;
      if (!std::holds_alternative<std::monostate>(reading.piece)) {
        const std::size_t kind = reading.piece.index();
        // In `nstat; sleep 10; nstat` the second of a kind is one sleep later.
        if (between_ > 0 && !printed_.insert(kind).second) {
          moment_.slept += between_;
          printed_ = {kind};
        }
        const auto* sample = std::get_if<CounterSample>(&reading.piece);
        if (sample != nullptr && sample->increments && remembered_ &&
            remembered_->context == context()) {
          result_.blocks.push_back(std::move(*remembered_));
          remembered_.reset();
        }
        result_.blocks.push_back({.context = context(),
                                  .moment = moment_,
                                  .line = rest[0].number,
                                  .command = command_,
                                  .piece = std::move(reading.piece)});
      }
      std::ranges::move(reading.problems, std::back_inserter(result_.problems));
      at_ += reading.used;
      fresh_ = false;
      return true;
    }
    return false;
  }

  void tell(double moment) {
    moment_.at = moment;
    ++moment_.told;
  }

  void type(const TypedLine& typed) {
    if (typed.clock) tell(*typed.clock);
    once_.clear();
    between_ = 0;
    printed_.clear();
    if (typed.prompt) move_to(typed);
    bool slept_first = true;
    command_.clear();
    for (const std::string_view part : commands_of(typed.command)) {
      if (const auto seconds = sleep_of(part)) {
        if (slept_first) {
          moment_.slept += *seconds;
        } else {
          between_ = *seconds;
        }
        continue;
      }
      slept_first = false;
      run(part);
      if (!remembers_counters(part)) continue;
      remembered_ = Block{.context = context(),
                          .moment = moment_,
                          .line = lines_[std::min(at_, lines_.size() - 1)].number,
                          .command = std::string(part),
                          .piece = CounterSample{.form = {}, .counters = {}, .increments = true}};
      printed_.insert(remembered_->piece.index());
    }
    fresh_ = true;
  }

  // The prompt changes where one enters or leaves another host or container.
  void move_to(const TypedLine& typed) {
    if (!stack_.empty() && typed.where == stack_.back().outer && stack_.back().moved) {
      stack_.pop_back();
    } else if (!stack_.empty()) {
      stack_.back().moved |= typed.where != stack_.back().outer;
    }
    where_ = typed.where;
    if (!stack_.empty()) return;
    base_ = typed.names_host       ? "host " + typed.where
            : typed.where == "/ #" ? "the container with the prompt \"/ #\""
                                   : "";
    if (typed.names_host) hosts_.insert(typed.where);
  }

  void run(std::string_view command) {
    const std::vector<std::string_view> words = split_blank(command);
    if (!words.empty() && (words[0] == "exit" || words[0] == "logout")) {
      if (!stack_.empty()) stack_.pop_back();
      return;
    }
    Entered entered = entered_by(command);
    if (entered.stays) {
      stack_.push_back({.label = entered.label, .outer = where_});
    } else if (!entered.label.empty()) {
      once_ = entered.label;
    }
    // What the container's shell was given is a line of commands, too.
    for (const std::string_view part : commands_of(entered.command)) {
      if (const auto seconds = sleep_of(part)) {
        between_ = *seconds;
      } else {
        command_ += (command_.empty() ? "" : "; ") + std::string(part);
      }
    }
  }

  [[nodiscard]] std::string context() const {
    if (!once_.empty()) return once_;
    return stack_.empty() ? base_ : stack_.back().label;
  }

  struct Shell {
    std::string label;
    std::string outer;  // the prompt from which it was entered
    bool moved = false;
  };

  Lines lines_;
  std::size_t json_budget_ = std::size_t{32} << 20;
  std::size_t at_ = 0;
  Recognised result_;
  std::optional<Block> remembered_;  // from when the next increments of counters are
  std::string base_;                 // by the prompt
  std::string where_;                // the prompt
  std::vector<Shell> stack_;         // entered, and not left
  std::string once_;                 // entered for one command
  std::string command_;
  bool fresh_ = false;
  Moment moment_;
  double between_ = 0;             // what one line sleeps between two commands
  std::set<std::size_t> printed_;  // kinds of pieces, since that line or its last sleep
  std::set<std::string> hosts_;
};

}  // namespace

std::optional<double> seconds_between(const Moment& from, const Moment& to) {
  constexpr double kDay = 86400;
  if (from.at && to.at && to.told > from.told) {
    double seconds = *to.at - *from.at;
    // Without a day, past midnight.
    if (seconds < 0 && *from.at < kDay && *to.at < kDay) seconds += kDay;
    if (seconds > 0) return seconds;
    return std::nullopt;
  }
  if (to.slept > from.slept) return to.slept - from.slept;
  return std::nullopt;
}

bool may_be_compared(const Moment& from, const Moment& to) { return from.said == to.said; }

Recognised recognise(Lines lines, std::string_view command) {
  return Session(lines, command).run();
}

}  // namespace acceptq::imports
