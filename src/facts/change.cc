#include "facts/change.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "facts/json_fields.h"

namespace acceptq::facts {
// Found by their arguments (facts/json_fields.h).
static void fields(auto& archive, SysctlStep& step) {
  archive("netns", step.netns);
  archive("name", step.name);
  archive("value", step.value);
  archive("before", step.before);
}

static void fields(auto& archive, FileIdentity& identity) {
  archive("device", identity.device);
  archive("inode", identity.inode);
}

static void fields(auto& archive, FileStep& step) {
  archive("path", step.path);
  archive("before", step.before);
  archive("identity", step.identity);
  archive("after", step.after);
}

static void fields(auto& archive, ReloadStep& step) {
  archive("pid", step.pid);
  archive("start_ticks", step.start_ticks);
  archive("name", step.name);
  archive("signal", step.signal);
  archive("check", step.check);
}

static void fields(auto& archive, ExpectedLimit& expected) {
  archive("netns", expected.netns);
  archive("address", expected.address);
  archive("port", expected.port);
  archive("before", expected.before);
  archive("limit", expected.limit);
}

static void fields(auto& archive, KeptChange& kept) {
  archive("id", kept.id);
  archive("boot_id", kept.boot_id);
  archive("done", kept.done);
  archive("realtime_ns", kept.realtime_ns);
  fields(archive, kept.author);
  archive("why", kept.why);
  archive("sysctls", kept.change.sysctls);
  archive("files", kept.change.files);
  archive("reloads", kept.change.reloads);
  archive("limits", kept.change.limits);
}

bool Change::signals() const {
  return std::ranges::any_of(reloads, [](const ReloadStep& step) { return step.signal != 0; });
}

void Change::add(const Change& other) {
  for (const SysctlStep& step : other.sysctls) {
    const auto same = std::ranges::find_if(sysctls, [&](const SysctlStep& mine) {
      return mine.netns == step.netns && mine.name == step.name;
    });
    if (same == sysctls.end()) {
      sysctls.push_back(step);
    } else {
      same->value = std::max(same->value, step.value);
    }
  }
  for (const FileStep& step : other.files) {
    const auto same = std::ranges::find(files, step.path, &FileStep::path);
    if (same == files.end()) {
      files.push_back(step);
    } else {
      same->after = step.after;
    }
  }
  for (const ReloadStep& step : other.reloads) {
    if (std::ranges::find(reloads, step.pid, &ReloadStep::pid) == reloads.end()) {
      reloads.push_back(step);
    }
  }
  limits.insert(limits.end(), other.limits.begin(), other.limits.end());
}

std::string to_json(const KeptChange& kept) {
  json::Json object{{"schema", kChangeSchema}};
  object.update(json::FieldWriter::write(kept));
  return object.dump(1) + "\n";
}

Result<KeptChange> change_from_json(std::string_view text) {
  constexpr std::size_t kMostValues = 10'000;
  const Result<json::Node> tree = json::parse(text, kMostValues);
  if (!tree) return fail(tree.error());
  json::Document document{.text = text, .error = {}};
  const json::Value root(*tree, "$", document);
  std::string schema;
  root.member("schema").read(schema);
  if (!document.error && schema != kChangeSchema) {
    root.member("schema").wrong(fmt::format("\"{}\"", kChangeSchema));
  }
  KeptChange kept;
  json::FieldReader::read(root, kept);
  if (document.error) return fail(std::move(*document.error));
  return kept;
}

}  // namespace acceptq::facts
