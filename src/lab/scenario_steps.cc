#include "lab/scenario_steps.h"

#include <algorithm>
#include <csignal>
#include <string>
#include <utility>

#include "diagnose/catalogue.h"
#include "diagnose/cause_kind.h"
#include "render/names.h"

namespace acceptq::lab {
namespace {

constexpr double kLongestWait = 600;

template <typename Spec>
void check_defined(YamlMap& map, const char* key, const std::string& name,
                   const std::vector<Spec>& specs) {
  for (const Spec& spec : specs) {
    if (spec.name == name) return;
  }
  map.error(key, "names \"" + name + "\", which this scenario does not define");
}

std::uint16_t port_of(YamlMap& map) {
  return static_cast<std::uint16_t>(map.count("port", 1, 65535));
}

std::string netns_of(YamlMap& map, const Scenario& scenario) {
  std::string name = map.text("namespace");
  check_defined(map, "namespace", name, scenario.namespaces);
  return name;
}

// "server: nginx" within a map, or the bare name.
Action server_step(ServerAction action, YamlMap& step, const char* key, const Scenario& scenario) {
  ServerStep result{action, step.text(key)};
  check_defined(step, key, result.server, scenario.servers);
  return result;
}

Action signal_step(YamlMap map, const Scenario& scenario) {
  constexpr std::pair<const char*, int> kSignals[] = {
      {"STOP", SIGSTOP}, {"CONT", SIGCONT}, {"HUP", SIGHUP},   {"TERM", SIGTERM},
      {"KILL", SIGKILL}, {"INT", SIGINT},   {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};
  SignalStep result;
  if (map.has("storage")) {
    result.storage = map.text("storage");
    check_defined(map, "storage", result.storage, scenario.storage);
  } else {
    result.server = map.text("server");
    check_defined(map, "server", result.server, scenario.servers);
  }
  const std::string name = map.text("signal");
  for (const auto& [word, number] : kSignals) {
    if (name == word) result.signal = number;
  }
  if (result.signal == 0)
    map.error("signal", "must be STOP, CONT, HUP, TERM, KILL, INT, USR1 or USR2");
  const std::string to = map.optional_text("to").value_or("all");
  if (to != "all" && to != "main") map.error("to", "must be all or main");
  result.whole_group = to == "all";
  map.finish();
  return result;
}

Action freeze_step(bool freeze, YamlMap map, const Scenario& scenario) {
  FreezeStep result{.freeze = freeze};
  if (map.has("group")) {
    result.group = map.text("group");
    check_defined(map, "group", result.group, scenario.groups);
  } else {
    result.server = map.text("server");
    check_defined(map, "server", result.server, scenario.servers);
  }
  map.finish();
  return result;
}

Action sysctl_step(YamlMap map, const Scenario& scenario) {
  SysctlStep result{netns_of(map, scenario), map.text("name"), map.text("value")};
  if (!result.name.starts_with("net.") || result.name.find('/') != std::string::npos) {
    map.error("name", "must be a dotted name below net.");
  }
  map.finish();
  return result;
}

Action edit_step(YamlMap map, const Scenario& scenario) {
  EditStep result{map.text("server"), map.text("file"), map.text("replace"), map.text("with")};
  check_defined(map, "server", result.server, scenario.servers);
  for (const ServerSpec& server : scenario.servers) {
    if (server.name == result.server && server.files.count(result.file) == 0) {
      map.error("file", "names \"" + result.file + "\", which is not among the server's files");
    }
  }
  if (result.replace.empty()) map.error("replace", "must not be empty");
  map.finish();
  return result;
}

Action storage_step(YamlMap map, const Scenario& scenario) {
  StorageStep result;
  result.storage = map.text("name");
  check_defined(map, "name", result.storage, scenario.storage);
  const auto delay = [&map](const char* key) -> std::optional<unsigned> {
    const std::optional<std::uint64_t> value = map.optional_count(key, 0, 600'000);
    if (!value) return std::nullopt;
    return static_cast<unsigned>(*value);
  };
  result.open_ms = delay("open_ms");
  result.read_ms = delay("read_ms");
  result.stalled = map.optional_flag("stalled");
  map.finish();
  return result;
}

Action load_step(YamlMap map, const Scenario& scenario) {
  LoadStep result{map.text("name"), map.number("rate", 0, 1e6)};
  check_defined(map, "name", result.load, scenario.loads);
  map.finish();
  return result;
}

Action wait_step(YamlMap map, const Scenario& scenario) {
  WaitStep result;
  if (map.has("seconds")) {
    result.seconds = map.number("seconds", 0, kLongestWait);
    map.finish();
    return result;
  }
  result.netns = netns_of(map, scenario);
  result.port = port_of(map);
  result.seconds = map.number("within", 0, kLongestWait);
  const std::string queue = map.optional_text("queue").value_or("");
  const std::optional<std::uint64_t> length = map.optional_count("at_least", 1, 1U << 30);
  if (map.has("queue") && map.has("at_least")) {
    map.error(
        "at_least",
        "cannot go with \"queue\": choose \"at_least\" for a length of your own, or \"queue\" "
        "for full (the limit) or empty");
  } else if (length) {
    result.condition = QueueCondition::kAtLeast;
    result.length = static_cast<std::uint32_t>(*length);
  } else if (queue == "full") {
    result.condition = QueueCondition::kFull;
  } else if (queue == "empty") {
    result.condition = QueueCondition::kEmpty;
  } else {
    map.error("queue", "must be full or empty, or \"at_least\" a length, or the wait \"seconds\"");
  }
  map.finish();
  return result;
}

Action run_step(YamlMap map, const Scenario& scenario) {
  RunStep result{netns_of(map, scenario), map.texts("command")};
  if (result.command.empty()) map.error("command", "is missing");
  map.finish();
  return result;
}

Action show_step(YamlMap map, const Scenario& scenario) {
  ShowStep result;
  result.netns = netns_of(map, scenario);
  result.port = port_of(map);
  result.seconds = map.optional_number("seconds", 0.1, 60).value_or(1);
  result.note = map.optional_text("note").value_or("");
  map.finish();
  return result;
}

Action show_sysctl_step(YamlMap map, const Scenario& scenario) {
  ShowSysctlStep result{map.text("name"), map.texts("namespaces")};
  if (!result.name.starts_with("net.") || result.name.find('/') != std::string::npos) {
    map.error("name", "must be a dotted name below net.");
  }
  if (result.namespaces.empty()) map.error("namespaces", "is missing");
  for (const std::string& name : result.namespaces) {
    check_defined(map, "namespaces", name, scenario.namespaces);
  }
  map.finish();
  return result;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::optional<std::string> word_of(YamlMap& map, const char* key,
                                   const std::vector<std::string>& words) {
  std::optional<std::string> text = map.optional_text(key);
  if (text && std::ranges::find(words, *text) == words.end()) {
    map.error(key, "must be one of " + joined(words) + ", not \"" + *text + "\"");
  }
  return text;
}

// Texts that `fits` says to be an id of the catalogue, or its beginning.
template <typename Fits>
std::vector<std::string> findings_of(YamlMap& map, const char* key, const char* must, Fits fits) {
  std::vector<std::string> ids;
  for (const diagnose::CatalogueEntry& entry : diagnose::catalogue()) ids.emplace_back(entry.id);
  std::vector<std::string> texts = map.texts(key);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string& text = texts[i];
    if (std::ranges::any_of(ids, [&](const std::string& id) { return fits(id, text); })) continue;
    map.entry_error(key, i, std::string(must) + " " + joined(ids) + ", not \"" + text + "\"");
  }
  return texts;
}

// Kinds of causes, or "none" alone.
void read_causes(YamlMap& map, Expect& expect) {
  const std::vector<std::string> words = map.texts("cause");
  expect.no_cause = words == std::vector<std::string>{"none"};
  if (expect.no_cause) return;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (const auto kind = diagnose::cause_of_name(words[i])) {
      expect.causes.push_back(*kind);
      continue;
    }
    map.entry_error("cause", i,
                    "must be none, or hold some of " + joined(diagnose::cause_names()) +
                        ", not \"" + words[i] + "\"");
  }
}

// A word that acceptq never says would never be met, or, in `no_findings`, never be broken.
Expect parse_expect(YamlMap map) {
  Expect expect;
  expect.verdict = word_of(map, "verdict", render::verdict_names());
  expect.must =
      findings_of(map, "findings", "must hold one of",
                  [](const std::string& id, const std::string& text) { return id == text; });
  expect.must_not =
      findings_of(map, "no_findings", "must hold the whole or the beginning of one of",
                  [](const std::string& id, const std::string& text) {
                    return !text.empty() && id.starts_with(text);
                  });
  if (const std::optional<std::uint64_t> limit = map.optional_count("limit", 0, 0xffffffff)) {
    expect.limit = static_cast<std::uint32_t>(*limit);
  }
  expect.limit_set_by = word_of(map, "limit_set_by", render::limit_set_by_names());
  expect.owner = map.optional_text("owner");
  read_causes(map, expect);
  map.finish();
  return expect;
}

Action diagnose_step(YamlMap map, const Scenario& scenario, YamlErrors& errors) {
  DiagnoseStep result;
  result.netns = netns_of(map, scenario);
  result.port = port_of(map);
  result.seconds = map.optional_number("seconds", 0, 60).value_or(2);
  const YAML::Node expect = map.child("expect");
  if (expect.IsDefined()) result.expect = parse_expect(YamlMap(expect, "expect", errors));
  map.finish();
  return result;
}

}  // namespace

Step parse_step(const YAML::Node& node, const Scenario& scenario, YamlErrors& errors) {
  Step step;
  step.line = node.Mark().line + 1;
  YamlMap map(node, "step", errors);
  if (node.IsMap() && node.size() != 1) {
    errors.add(node.Mark(), "a step has one key, which says what it does");
    return step;
  }
  const auto inner = [&](const char* key) { return YamlMap(map.child(key), key, errors); };
  if (map.has("say")) {
    step.action = SayStep{map.text("say")};
  } else if (map.has("start")) {
    step.action = server_step(ServerAction::kStart, map, "start", scenario);
  } else if (map.has("stop")) {
    step.action = server_step(ServerAction::kStop, map, "stop", scenario);
  } else if (map.has("restart")) {
    step.action = server_step(ServerAction::kRestart, map, "restart", scenario);
  } else if (map.has("signal")) {
    step.action = signal_step(inner("signal"), scenario);
  } else if (map.has("freeze")) {
    step.action = freeze_step(true, inner("freeze"), scenario);
  } else if (map.has("thaw")) {
    step.action = freeze_step(false, inner("thaw"), scenario);
  } else if (map.has("sysctl")) {
    step.action = sysctl_step(inner("sysctl"), scenario);
  } else if (map.has("edit")) {
    step.action = edit_step(inner("edit"), scenario);
  } else if (map.has("storage")) {
    step.action = storage_step(inner("storage"), scenario);
  } else if (map.has("load")) {
    step.action = load_step(inner("load"), scenario);
  } else if (map.has("wait")) {
    step.action = wait_step(inner("wait"), scenario);
  } else if (map.has("run")) {
    step.action = run_step(inner("run"), scenario);
  } else if (map.has("show")) {
    step.action = show_step(inner("show"), scenario);
  } else if (map.has("show_sysctl")) {
    step.action = show_sysctl_step(inner("show_sysctl"), scenario);
  } else if (map.has("diagnose")) {
    step.action = diagnose_step(inner("diagnose"), scenario, errors);
  }
  map.finish();
  return step;
}

}  // namespace acceptq::lab
