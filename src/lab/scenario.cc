#include "lab/scenario.h"

#include <algorithm>
#include <exception>

#include "base/text.h"
#include "base/yaml_reader.h"
#include "lab/scenario_steps.h"

namespace acceptq::lab {
namespace {

constexpr std::size_t kLargestFile = std::size_t{1} << 20;

// Names become parts of interface names (at most 15 bytes), of paths and of cgroups.
bool is_name(const std::string& text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= 12 && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), allowed);
}

bool is_file_name(const std::string& text) {
  return !text.empty() && text.size() < 200 && text != "." && text != ".." &&
         text.find('/') == std::string::npos && text.find('\0') == std::string::npos;
}

bool is_prefixed_address(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return false;
  const std::optional<facts::IpAddress> address =
      facts::IpAddress::parse(std::string_view(text).substr(0, slash));
  const std::optional<unsigned> bits =
      parse_int<unsigned>(std::string_view(text).substr(slash + 1));
  return address && bits && *bits <= (address->is_v6() ? 128U : 32U);
}

class Reader {
 public:
  explicit Reader(YamlErrors& errors) : errors_(errors) {}

  Scenario read(const YAML::Node& root) {
    YamlMap map(root, "scenario", errors_);
    scenario_.name = map.text("name");
    if (!is_file_name(scenario_.name)) map.error("name", "must be a word without \"/\"");
    scenario_.title = map.text("title");
    scenario_.description = map.optional_text("description").value_or("");
    scenario_.timeout_s = map.optional_number("timeout", 1, 3600).value_or(120);
    each(map, "namespaces", [this](const std::string& name, const YAML::Node& node) {
      scenario_.namespaces.push_back(read_namespace(name, node));
    });
    each(map, "storage", [this](const std::string& name, const YAML::Node& node) {
      scenario_.storage.push_back(read_storage(name, node));
    });
    each(map, "groups", [this](const std::string& name, const YAML::Node& node) {
      YamlMap group(node, "group " + name, errors_);
      scenario_.groups.push_back(
          {.name = name, .cpu_quota = group.optional_number("cpu_quota", 0.01, 64)});
      group.finish();
    });
    each(map, "servers", [this](const std::string& name, const YAML::Node& node) {
      scenario_.servers.push_back(read_server(name, node));
    });
    each(map, "loads", [this](const std::string& name, const YAML::Node& node) {
      scenario_.loads.push_back(read_load(name, node));
    });
    const YAML::Node steps = map.child("steps");
    if (!steps.IsDefined() || !steps.IsSequence() || steps.size() == 0) {
      map.error("steps", "must be a list of at least one step");
    } else {
      for (const auto& step : steps)
        scenario_.steps.push_back(parse_step(step, scenario_, errors_));
    }
    map.finish();
    return std::move(scenario_);
  }

 private:
  template <typename Visit>
  void each(YamlMap& parent, const char* key, Visit visit) {
    const YAML::Node node = parent.child(key);
    if (!node.IsDefined()) return;
    // Only checks that it is a map with plain, unique keys.
    YamlMap map(node, key, errors_);
    if (!node.IsMap()) return;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return;
      if (!is_name(entry.first.Scalar())) {
        errors_.add(entry.first.Mark(),
                    std::string(key) + ": a name has 1 to 12 of a-z, 0-9 and \"-\"");
        return;
      }
      visit(entry.first.Scalar(), entry.second);
    }
  }

  void check_netns(YamlMap& map, const std::string& name) {
    for (const NamespaceSpec& spec : scenario_.namespaces) {
      if (spec.name == name) return;
    }
    map.error("namespace", "names \"" + name + "\", which this scenario does not define");
  }

  NamespaceSpec read_namespace(const std::string& name, const YAML::Node& node) {
    NamespaceSpec spec;
    spec.name = name;
    if (node.IsNull()) return spec;
    YamlMap map(node, "namespace " + name, errors_);
    spec.addresses = map.texts("addresses");
    for (const std::string& address : spec.addresses) {
      if (!is_prefixed_address(address)) {
        map.error("addresses", "holds \"" + address + "\", not of the form 10.77.0.2/24");
      }
    }
    const YAML::Node sysctls = map.child("sysctls");
    if (sysctls.IsDefined()) spec.sysctls = read_texts(sysctls, "sysctls");
    for (const auto& [key, value] : spec.sysctls) {
      // Anything else would not be the namespace's own but the host's.
      if (!key.starts_with("net.") || key.find('/') != std::string::npos) {
        map.error("sysctls", "holds \"" + key + "\", which is not a dotted name below net.");
      }
    }
    map.finish();
    return spec;
  }

  std::map<std::string, std::string> read_texts(const YAML::Node& node, const std::string& what) {
    std::map<std::string, std::string> texts;
    YamlMap map(node, what, errors_);
    if (!node.IsMap()) return texts;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return texts;
      texts[entry.first.Scalar()] = map.text(entry.first.Scalar().c_str());
    }
    return texts;
  }

  StorageSpec read_storage(const std::string& name, const YAML::Node& node) {
    StorageSpec spec;
    spec.name = name;
    YamlMap map(node, "storage " + name, errors_);
    spec.open_ms = static_cast<unsigned>(map.optional_count("open_ms", 0, 600'000).value_or(0));
    spec.read_ms = static_cast<unsigned>(map.optional_count("read_ms", 0, 600'000).value_or(0));
    spec.direct_io = map.optional_flag("direct_io").value_or(false);
    const YAML::Node files = map.child("files");
    if (files.IsDefined()) {
      YamlMap sizes(files, "files", errors_);
      for (const auto& [file, unused] : read_texts(files, "files")) {
        if (!is_file_name(file)) map.error("files", "holds a name with \"/\"");
        spec.files[file] = sizes.count(file.c_str(), 0, std::uint64_t{64} << 20);
      }
    }
    map.finish();
    return spec;
  }

  ServerSpec read_server(const std::string& name, const YAML::Node& node) {
    ServerSpec spec;
    spec.name = name;
    YamlMap map(node, "server " + name, errors_);
    spec.netns = map.text("namespace");
    check_netns(map, spec.netns);
    spec.command = map.texts("command");
    spec.needs = map.texts("needs");
    if (spec.command.empty()) map.error("command", "is missing");
    if (const YAML::Node files = map.child("files"); files.IsDefined()) {
      spec.files = read_texts(files, "files");
      for (const auto& [file, content] : spec.files) {
        if (!is_file_name(file)) map.error("files", "holds a name with \"/\"");
      }
    }
    if (const YAML::Node environment = map.child("environment"); environment.IsDefined()) {
      spec.environment = read_texts(environment, "environment");
    }
    spec.ready_port =
        static_cast<std::uint16_t>(map.optional_count("ready_port", 1, 65535).value_or(0));
    spec.ready_within_s = map.optional_number("ready_within", 0.1, 120).value_or(5);
    spec.cpu_quota = map.optional_number("cpu_quota", 0.01, 64);
    if (const auto group = map.optional_text("group")) {
      spec.group = *group;
      if (group_of(scenario_, spec) == nullptr) {
        map.error("group", "names \"" + *group + "\", which this scenario does not define");
      }
    }
    spec.open_files = map.optional_count("open_files", 3, 1U << 20);
    map.finish();
    return spec;
  }

  LoadSpec read_load(const std::string& name, const YAML::Node& node) {
    LoadSpec spec;
    spec.name = name;
    YamlMap map(node, "load " + name, errors_);
    spec.netns = map.text("namespace");
    check_netns(map, spec.netns);
    const auto address = [&map](const char* key, const std::string& text) {
      const std::optional<facts::IpAddress> parsed = facts::IpAddress::parse(text);
      if (!parsed) map.error(key, "holds \"" + text + "\", which is no IP address");
      return parsed.value_or(facts::IpAddress{});
    };
    spec.address = address("address", map.text("address"));
    spec.port = static_cast<std::uint16_t>(map.count("port", 1, 65535));
    spec.concurrency =
        static_cast<std::uint32_t>(map.optional_count("concurrency", 1, 1U << 20).value_or(4000));
    const auto duration = [&map](const char* key, double otherwise) {
      const double seconds = map.optional_number(key, 0, 3600).value_or(otherwise);
      return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
    };
    spec.timeout = duration("timeout", 5);
    if (spec.timeout.count() == 0) map.error("timeout", "must be at least 0.001");
    spec.hold = duration("hold", 0);
    spec.send = map.optional_text("send").value_or("");
    spec.expect_reply = map.optional_flag("expect_reply").value_or(false);
    for (const std::string& source : map.texts("sources")) {
      spec.sources.push_back(address("sources", source));
      if (spec.sources.back().is_v6() != spec.address.is_v6()) {
        map.error("sources", "must be of the address family of \"address\"");
      }
    }
    map.finish();
    return spec;
  }

  YamlErrors& errors_;
  Scenario scenario_;
};

}  // namespace

const GroupSpec* group_of(const Scenario& scenario, const ServerSpec& server) {
  const auto found = std::ranges::find(scenario.groups, server.group, &GroupSpec::name);
  return found == scenario.groups.end() ? nullptr : &*found;
}

CgroupNeed cgroup_need(const Scenario& scenario, const ServerSpec& server) {
  const GroupSpec* const group = group_of(scenario, server);
  CgroupNeed need;
  need.cpu = server.cpu_quota.has_value() || (group != nullptr && group->cpu_quota);
  need.freezer = std::ranges::any_of(scenario.steps, [&](const Step& step) {
    const auto* const freeze = std::get_if<FreezeStep>(&step.action);
    return freeze != nullptr &&
           (freeze->server == server.name || (group != nullptr && freeze->group == group->name));
  });
  return need;
}

Result<Scenario> parse_scenario(std::string_view text, const std::string& file_name) {
  YamlErrors errors(file_name);
  if (text.size() > kLargestFile) {
    return fail(ErrorCode::kMalformed, file_name + ": larger than a scenario can be (1 MiB)");
  }
  // yaml-cpp throws; nothing of it leaves this function.
  try {
    Scenario scenario = Reader(errors).read(YAML::Load(std::string(text)));
    if (errors.first()) return fail(*errors.first());
    return scenario;
  } catch (const YAML::Exception& exception) {
    errors.add(exception.mark, exception.msg);
  } catch (const std::exception& exception) {
    errors.add(YAML::Mark::null_mark(), exception.what());
  }
  return fail(*errors.first());
}

}  // namespace acceptq::lab
