// The command line. The only file that includes CLI11, with its options of app_options.h.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <set>

#include "base/bytes.h"
#include "cli/app_options.h"
#include "cli/commands.h"
#include "cli/completion.h"

namespace acceptq::cli {
namespace {

using collect::bpf::TraceLevel;

constexpr std::uint64_t kMostEvents = 1'000'000'000;  // of --count

constexpr const char* kSelectorHelp =
    "which listeners: :80, 10.0.0.3:80, [::1]:443, pid:N, comm:NAME, container:ID, "
    "pod:NAMESPACE/NAME, netns:INODE, netns:NAME, netns:PATH, unix:PATH";

// Everything that can be asked for, filled while CLI11 parses.
struct Parsed {
  CheckOptions check;
  std::vector<std::string> selectors;
  TraceCommand trace;
  TopCommand top;
  FixCommand fix;
  CollectCommand collect;
  AgentCommand agent;
  ExplainOptions explain;
  ProbeCommand probe;
  LabCommand lab;
  std::string shell;
};

// CLI11 lists what an option needs and excludes by address, which differs from one run to another.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text = CLI::Formatter::make_option_opts(option);
    text.resize(std::min({text.find(" Needs:"), text.find(" Excludes:"), text.size()}));
    return text + by_name(" Needs:", option->get_needs()) +
           by_name(" Excludes:", option->get_excludes());
  }

 private:
  static std::string by_name(const char* label, const std::set<CLI::Option*>& options) {
    std::set<std::string> names;
    for (const CLI::Option* option : options) names.insert(option->get_name());
    return names.empty() ? "" : fmt::format("{} {}", label, fmt::join(names, " "));
  }
};

void define_check(CLI::App& app, Parsed& parsed) {
  CLI::App* check = app.add_subcommand(
      "check", "watch this host and say which listener loses connections, whose it is and why");
  CheckOptions& options = parsed.check;
  check->add_option("selector", parsed.selectors, kSelectorHelp);
  CLI::Option* time = add_duration(*check, "--for", options.seconds,
                                   "how long to watch (default 2s; 0s: one look; with "
                                   "--until-overflow, how long to wait: default without limit)",
                                   Zero::kTaken);
  CLI::Option* until = check->add_flag("--until-overflow", options.until_overflow,
                                       "wait until packets are refused, then report what was "
                                       "before, during and after");
  add_text(*check, "--exec", options.exec, "run COMMAND with sh at that moment; see acceptq(1)")
      ->type_name("COMMAND")
      ->needs(until);
  CLI::Option* format = add_choice<ReportFormat>(*check, "--format", options.format,
                                                 {{"text", ReportFormat::kText},
                                                  {"json", ReportFormat::kJson},
                                                  {"markdown", ReportFormat::kMarkdown},
                                                  {"html", ReportFormat::kHtml}},
                                                 "how to write the report (default text)");
  check
      ->add_flag_callback(
          "--json", [&options] { options.format = ReportFormat::kJson; },
          "the same as --format json: schema acceptq.report/1")
      ->excludes(format);
  check->add_flag("--all", options.all, "list every listener");
  check->add_flag("--verbose,-v", options.verbose,
                  "say all that is known of each listener in trouble, and every way to help it");
  add_text(*check, "--save", options.save,
           "also write what was observed to FILE (-: to stdout, the report then to stderr)")
      ->type_name("FILE");
  CLI::Option* from = check
                          ->add_option("--from", options.from,
                                       "diagnose recordings of --save, pasted output of ss, "
                                       "netstat, nstat, sysctl …, captures or "
                                       "tcpdump's text instead of this host (-: stdin)")
                          ->type_name("FILE")
                          ->expected(1, -1)
                          ->excludes(until)
                          ->excludes(time);
  CLI::Option* agent =
      check
          ->add_flag_callback(
              "--agent",
              [&options] {
                if (options.agent.empty()) options.agent = "/run/acceptq/agent.sock";
              },
              "what the agent of this host observes next, instead of watching once more")
          ->excludes(from)
          ->excludes(until)
          ->excludes(time);
  add_text(*check, "--agent-socket", options.agent,
           "where it serves (default /run/acceptq/agent.sock)")
      ->type_name("PATH")
      ->needs(agent);
  add_text(*check, "--baseline", options.baseline,
           "also compare with a recording of --save from before a change")
      ->type_name("FILE");
  check->final_callback([&options, time] {
    if (options.seconds == 0 && (options.until_overflow || options.packets)) {
      throw CLI::ValidationError("--for", "\"0s\" is no time to wait or to follow packets in");
    }
    if (options.until_overflow && time->count() == 0) {
      options.seconds = std::numeric_limits<double>::infinity();
    }
  });
  add_choice<FailOn>(*check, "--fail-on", options.fail_on,
                     {{"notice", FailOn::kNotice},
                      {"warning", FailOn::kWarning},
                      {"critical", FailOn::kCritical},
                      {"never", FailOn::kNever}},
                     "exit with 1 for findings of this severity or worse (default warning)");
  add_choice<collect::ScanMethod>(*check, "--scan", options.scan,
                                  {{"auto", collect::ScanMethod::kAuto},
                                   {"iterator", collect::ScanMethod::kIterator},
                                   {"netlink", collect::ScanMethod::kNetlink}},
                                  "how to find listeners (default auto: the best that works)");
  add_tracing(*check, options.tracing);
  check
      ->add_flag("--packets", options.packets,
                 "follow handshakes by their packets, on the interfaces of the listeners' "
                 "namespaces, instead of tracing")
      ->excludes(until)
      ->excludes(from);
  add_color(*check, options.color);
  check->footer(
      "Examples:\n"
      "  acceptq check                        every listener of this host\n"
      "  acceptq check :80 --for 10s          only port 80, watched for longer\n"
      "  acceptq check pod:default/web-0      one pod\n"
      "  acceptq check --until-overflow --for 12h --save night.json\n"
      "  acceptq check --save now.json        keep what was seen …\n"
      "  acceptq check --from now.json :80    … and diagnose it elsewhere\n"
      "  acceptq check --from ticket.txt      what somebody pasted: ss -lnt, netstat -s …\n"
      "  acceptq check --from server.pcap     what a capture shows\n"
      "  acceptq check --agent                what the agent of this host observes\n"
      "  acceptq check --baseline now.json    … and, after a change, prove that it helped\n"
      "Exit codes: 0 nothing wrong, 1 findings, 2 bad usage or input, 3 something could not be "
      "seen.");
}

void define_trace(CLI::App& app, Parsed& parsed) {
  CLI::App* trace = app.add_subcommand(
      "trace", "show each refused handshake as it happens, and account for all of them at the end");
  TraceCommand& command = parsed.trace;
  trace->add_option("selector", parsed.selectors, kSelectorHelp);
  add_duration(*trace, "--for", command.seconds, "how long (default: until Ctrl-C)");
  add_count(*trace, "--count", command.count, kMostEvents, "end after this many refusals");
  trace->add_flag("--summary", command.summary, "only the ledgers at the end");
  trace->add_flag("--json", command.json, "one JSON object per line; the last is the summary");
  add_choice<TraceLevel>(*trace, "--tracing", command.level,
                         {{"auto", TraceLevel::kBest},
                          {"functions", TraceLevel::kFunctions},
                          {"kprobes", TraceLevel::kKprobes},
                          {"tracepoints", TraceLevel::kTracepoints}},
                         "how to follow handshakes (default auto: the best that works)");
  add_color(*trace, command.color);
  trace->footer(
      "Examples:\n"
      "  acceptq trace                        every refused handshake of this host\n"
      "  acceptq trace :80 --count 20         the next twenty on port 80\n"
      "  acceptq trace --summary --for 1m     one minute's ledger of every listener\n"
      "Hooks functions of the kernel's listen path, or else uses its tracepoints, which tell less "
      "(Linux 6.2). Needs root and the kernel's BTF.");
}

void define_top(CLI::App& app, Parsed& parsed) {
  CLI::App* top = app.add_subcommand("top", "watch all listeners live, worst first");
  TopCommand& command = parsed.top;
  top->add_option("selector", parsed.selectors, kSelectorHelp);
  add_duration(*top, "--every", command.every, "time between two looks (default 1s)");
  add_count(*top, "--count", command.count, kMostEvents, "end after this many looks");
  top->add_flag("--batch", command.batch, "print one look after the other, as into a pipe");
  top->add_flag("--json", command.json, "one report per line, schema acceptq.report/1");
  add_tracing(*top, command.tracing);
  add_color(*top, command.color);
  top->footer(
      "Keys: s sort, / filter, Enter open a listener, p pause, a all, h help, q end.\n"
      "Examples:\n"
      "  acceptq top                          every listener that gets connections\n"
      "  acceptq top pod:default/web-0        one pod\n"
      "  acceptq top --json --count 10        ten reports for a script");
}

void define_fix(CLI::App& app, Parsed& parsed) {
  CLI::App* fix = app.add_subcommand(
      "fix", "say what to change for a listener, all of it, in each form that applies");
  FixCommand& command = parsed.fix;
  fix->add_option("selector", parsed.selectors, kSelectorHelp);
  CLI::Option* time =
      add_duration(*fix, "--for", command.seconds,
                   "how long to watch first (default 2s; 0s: one look)", Zero::kTaken);
  CLI::Option* limit =
      add_limit(*fix, "--limit", command.limit,
                "the limit that the queue should have (default: what was seen asks for)");
  CLI::Option* from =
      fix->add_option("--from", command.from,
                      "plan for recordings of check --save, or for pasted text (-: stdin)")
          ->type_name("FILE")
          ->expected(1, -1)
          ->excludes(time);
  CLI::Option* live =
      fix->add_flag("--live", command.live,
                    "enlarge the queue of the running server in place, without a restart")
          ->excludes(from);
  CLI::Option* apply =
      fix->add_option_function<std::string>(
             "--apply",
             [&command](const std::string& forms) {
               for (const std::string_view form : split(forms, ','))
                 command.apply.emplace_back(form);
             },
             "carry out these forms of the plan: netns.sysctl, sysctl.d, server.config")
          ->type_name("FORM[,FORM]")
          ->excludes(from)
          ->excludes(live);
  CLI::Option* undo = fix->add_flag("--undo", command.undo, "take back what --live and --apply did")
                          ->excludes(from)
                          ->excludes(time)
                          ->excludes(live)
                          ->excludes(apply);
  CLI::Option* yes = fix->add_flag("--yes", command.yes, "do not ask first, as in a script");
  CLI::Option* even_so =
      fix->add_flag("--even-so", command.even_so,
                    "even where a longer queue cures nothing, is very long, or will not last");
  fix->add_flag("--keep-sysctl", command.keep_sysctl,
                "leave the namespace's somaxconn raised, where --live has to raise it")
      ->needs(live);
  fix->final_callback([&command, yes, even_so, undo, limit] {
    const bool changes = command.live || !command.apply.empty();
    if (yes->count() > 0 && !changes && !command.undo) {
      throw CLI::ValidationError("--yes",
                                 "there is nothing to agree to without --live, --apply or --undo");
    }
    if (even_so->count() > 0 && !changes) {
      throw CLI::ValidationError("--even-so", "it goes with --live or --apply");
    }
    if (undo->count() > 0 && limit->count() > 0) {
      throw CLI::ValidationError("--undo",
                                 "the limit that it goes back to is the server's own, "
                                 "without --limit");
    }
  });
  fix->add_flag(
      "--json", command.json,
      "print it as JSON, schema acceptq.fix/1; of --live and --undo acceptq.fix_live/1, of --apply "
      "acceptq.fix_apply/1");
  add_tracing(*fix, command.tracing);
  add_color(*fix, command.color);
  fix->footer(
      "Changes nothing without --live, --apply or --undo.\n"
      "Examples:\n"
      "  acceptq fix :80                      what to change, and how\n"
      "  acceptq fix :80 --limit 8192         for a queue of that length\n"
      "  acceptq fix :80 --live               enlarge the running server's queue now\n"
      "  acceptq fix :80 --apply server.config  edit the server's configuration and reload it\n"
      "  acceptq fix :80 --undo               give it back the limit that it had\n"
      "  acceptq fix --from night.json :80    for what was recorded");
}

void define_collect(CLI::App& app, Parsed& parsed) {
  CLI::App* collect = app.add_subcommand(
      "collect", "write what is observed into one file, for check --from on another machine");
  CollectCommand& command = parsed.collect;
  add_duration(*collect, "--for", command.seconds, "how long to watch (default 10s; 0s: one look)",
               Zero::kTaken);
  add_text(*collect, "--output,-o", command.output,
           "where to (default acceptq-TIME.tar.zst; -: stdout)")
      ->type_name("FILE");
  collect->add_flag("--redact", command.redact,
                    "replace addresses and names of hosts, pods, containers and files");
  add_duration(*collect, "--capture", command.capture,
               "then capture the headers of handshakes' packets of listeners in trouble for so "
               "long, 60s at most (default: no packets)");
  add_tracing(*collect, command.tracing);
  collect->footer(
      "Reads only, as check does. The file holds no payload, no environment and no command lines.\n"
      "Examples:\n"
      "  acceptq collect --for 30s            while it goes wrong\n"
      "  acceptq collect --capture 10s        with packets of the listeners in trouble\n"
      "  acceptq collect --redact -o - | ssh other 'acceptq check --from -'");
}

// Keys of the configuration that can be given on the command line as well.
constexpr struct {
  const char* key;
  const char* type;
  const char* help;
} kAgentFlags[] = {
    {"listen", "ADDRESS:PORT", "where to serve (default 127.0.0.1:9927)"},
    {"interval", "DURATION", "between two scans while no queue fills (default 5s)"},
    {"tracing", "auto|functions|kprobes|tracepoints|none",
     "how to follow handshakes (default auto)"},
    {"socket", "PATH", "for check --agent (default /run/acceptq/agent.sock; \"\": none)"},
};

void define_agent(CLI::App& app, Parsed& parsed) {
  CLI::App* agent = app.add_subcommand(
      "agent", "watch this host for as long as it runs, and serve metrics to Prometheus");
  AgentCommand& command = parsed.agent;
  agent
      ->add_option("--config", command.config,
                   "a YAML file (default /etc/acceptq/agent.yaml, where it is there)")
      ->type_name("FILE");
  agent->add_flag("--check-config", command.check_config, "say what is wrong with it, and end");
  for (const auto& [key, type, help] : kAgentFlags) {
    agent
        ->add_option_function<std::string>(
            std::string("--") + key,
            [&command, key](const std::string& value) { command.instead[key] = value; }, help)
        ->type_name(type);
  }
  agent->footer(
      "Reads only. Metrics: http://127.0.0.1:9927/metrics\n"
      "Examples:\n"
      "  acceptq agent\n"
      "  acceptq agent --config /etc/acceptq/agent.yaml --check-config");
}

void define_explain(CLI::App& app, Parsed& parsed) {
  CLI::App* explain = app.add_subcommand(
      "explain", "explain a finding, a counter, a sysctl, or the rule in force for a listener");
  explain->add_option("word", parsed.explain.word, "AQ101, ListenOverflows, somaxconn, :80 …")
      ->required();
  explain->add_flag("--json", parsed.explain.json, "print it as JSON");
  add_color(*explain, parsed.explain.color);
  explain->footer(
      "Examples:\n"
      "  acceptq explain AQ104\n"
      "  acceptq explain ListenDrops\n"
      "  acceptq explain :80");
}

void define_probe(CLI::App& app, Parsed& parsed) {
  CLI::App* probe = app.add_subcommand(
      "probe", "open connections at a given rate and report what clients live through");
  ProbeCommand& options = parsed.probe;
  probe->add_option("target", options.target, "HOST:PORT, with IPv6 in brackets")->required();
  add_rate(*probe, "--rate", options.rate, "connections per second (default 10)");
  add_count(*probe, "--count", options.count, kMostEvents,
            "how many (default: as many as 10 s take)");
  add_count(*probe, "--concurrency", options.concurrency, 100'000U, "most at once (default 1000)");
  add_duration(*probe, "--timeout", options.timeout_s,
               "give up on a connection, and on its answer, after this (default 5s)");
  add_duration(*probe, "--for", options.seconds, "how long to open connections");
  probe->add_option("--send", options.send, "send TEXT on each (\\r and \\n are understood)")
      ->type_name("TEXT");
  probe->add_flag("--expect-reply", options.expect_reply, "wait for the first byte of an answer");
  add_text(*probe, "--netns", options.netns, "open them from this network namespace")
      ->type_name("PATH");
  probe->add_flag("--json", options.json, "print the result as JSON");
  probe->footer(
      "Examples:\n"
      "  acceptq probe 10.0.0.3:80 --rate 100 --for 10s\n"
      "  acceptq probe [::1]:443 --count 50 --concurrency 50\n"
      "  acceptq probe web:80 --send 'GET / HTTP/1.0\\r\\n\\r\\n' --expect-reply");
}

void define_lab(CLI::App& app, Parsed& parsed) {
  CLI::App* lab = app.add_subcommand(
      "lab", "reproduce known cases with real servers in namespaces of their own");
  lab->require_subcommand(1);
  CLI::App* list = lab->add_subcommand("list", "list the scenarios");
  list->callback([&parsed] { parsed.lab.action = LabCommand::Action::kList; });
  CLI::App* run = lab->add_subcommand("run", "run a scenario (needs root)");
  run->add_option("scenario", parsed.lab.scenario, "its name, or a file")->required();
  run->callback([&parsed] { parsed.lab.action = LabCommand::Action::kRun; });
  CLI::App* score = lab->add_subcommand(
      "score", "run scenarios and count how often the cause is named right (needs root)");
  score->add_option("scenarios", parsed.lab.scored,
                    "folders, names or files; all that say what the cause is, unless given");
  score
      ->add_option("--recordings", parsed.lab.recordings,
                   "keep what is observed in this folder, for check --from")
      ->type_name("PATH");
  score->add_flag("--ablate", parsed.lab.ablate,
                  "diagnose each observation again without one kind of evidence after the other");
  score->add_flag("--allow-unknown", parsed.lab.may_be_unknown,
                  "exit with 0 where causes stayed unknown and none was wrong");
  score->add_flag("--json", parsed.lab.json, "print the result as JSON");
  score->callback([&parsed] { parsed.lab.action = LabCommand::Action::kScore; });
  lab->footer(
      "Examples:\n"
      "  acceptq lab list\n"
      "  acceptq lab run seed\n"
      "  acceptq lab run ./my-scenario.yaml\n"
      "  acceptq lab score causes --recordings /tmp/recordings");
}

void define_completion(CLI::App& app, Parsed& parsed) {
  CLI::App* completion = app.add_subcommand("completion", "print a completion script for a shell");
  completion->add_option("shell", parsed.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->footer("Example:\n  acceptq completion bash > /etc/bash_completion.d/acceptq");
}

// What the completion scripts are made from.
CommandTree tree_of(const CLI::App& app) {
  CommandTree tree{.name = app.get_name(), .help = app.get_description()};
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      tree.options.push_back({.name = "--" + name,
                              .help = option->get_description(),
                              .takes_value = option->get_items_expected_max() != 0,
                              .values = option->get_type_name()});
    }
  }
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    tree.commands.push_back(tree_of(*sub));
  }
  return tree;
}

Command usage_error(const std::string& message, const std::string& command) {
  return PrintAndExit{
      .err = "acceptq: " + printable(message) + "\nTry: acceptq " + command + "--help\n",
      .code = kExitUsage};
}

Command unknown_command(const CLI::App& app, const std::vector<std::string>& words) {
  std::string names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    names += (names.empty() ? "" : ", ") + sub->get_name();
  }
  const std::string word = words.empty() ? "" : words.front();
  const bool option = word.starts_with('-');
  return usage_error((option ? "there is no option \"" : "there is no command \"") + word +
                         "\"; the commands are " + names,
                     "");
}

// CLI11 gives an option of several values every word up to the next option, so that selectors
// behind
// `--from FILE` are among its files. The first word behind it is a file whatever it looks like.
void take_selectors(std::vector<std::string>& files, std::vector<std::string>& selectors) {
  if (files.empty()) return;
  const auto moved = std::stable_partition(
      files.begin() + 1, files.end(),
      [](const std::string& word) { return !select::looks_like_selector(word); });
  selectors.insert(selectors.end(), moved, files.end());
  files.erase(moved, files.end());
}

// check and trace: the command with its selectors.
template <typename Options>
Command with_selectors(Options& options, const std::vector<std::string>& texts,
                       const std::string& command) {
  for (const std::string& text : texts) {
    Result<select::Selector> selector = select::parse_selector(text);
    if (!selector) return usage_error(selector.error().message(), command + " ");
    options.selectors.push_back(std::move(*selector));
  }
  return std::move(options);
}

Command chosen(const CLI::App& app, Parsed& parsed) {
  if (app.got_subcommand("check")) {
    take_selectors(parsed.check.from, parsed.selectors);
    return with_selectors(parsed.check, parsed.selectors, "check");
  }
  if (app.got_subcommand("trace")) {
    return with_selectors(parsed.trace, parsed.selectors, "trace");
  }
  if (app.got_subcommand("top")) return with_selectors(parsed.top, parsed.selectors, "top");
  if (app.got_subcommand("collect")) return parsed.collect;
  if (app.got_subcommand("agent")) return std::move(parsed.agent);
  if (app.got_subcommand("fix")) {
    take_selectors(parsed.fix.from, parsed.selectors);
    if (parsed.selectors.empty()) {
      return usage_error("fix needs a selector, such as :80 (acceptq check shows listeners)",
                         "fix ");
    }
    return with_selectors(parsed.fix, parsed.selectors, "fix");
  }
  if (app.got_subcommand("explain")) return std::move(parsed.explain);
  if (app.got_subcommand("probe")) return std::move(parsed.probe);
  if (app.got_subcommand("lab")) return std::move(parsed.lab);
  if (app.got_subcommand("completion")) {
    return PrintAndExit{.out = completion_script(parsed.shell, tree_of(app))};
  }
  return usage_error("a command is needed", "");
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  CLI::App app("Finds the TCP listener that is losing connections, whose it is, and why.",
               "acceptq");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_version_flag("--version", std::string("acceptq ") + ACCEPTQ_VERSION);
  app.require_subcommand(0, 1);
  app.footer("Start with: acceptq check");
  Parsed parsed;
  define_check(app, parsed);
  define_trace(app, parsed);
  define_top(app, parsed);
  define_fix(app, parsed);
  define_collect(app, parsed);
  define_agent(app, parsed);
  define_explain(app, parsed);
  define_probe(app, parsed);
  define_lab(app, parsed);
  define_completion(app, parsed);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return PrintAndExit{.out = app.help()};  // of the subcommand that was asked, if any
  } catch (const CLI::CallForVersion&) {
    return PrintAndExit{.out = app.version() + "\n"};
  } catch (const CLI::ExtrasError& error) {
    if (app.get_subcommands().empty()) return unknown_command(app, app.remaining());
    return usage_error(error.what(), app.get_subcommands().front()->get_name() + " ");
  } catch (const CLI::ParseError& error) {
    const auto subs = app.get_subcommands();
    return usage_error(error.what(), subs.empty() ? "" : subs.front()->get_name() + " ");
  }
  return chosen(app, parsed);
}

}  // namespace acceptq::cli
