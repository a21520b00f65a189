#include "import/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "import/assemble.h"
#include "import/places.h"
#include "import/recognise.h"
#include "import/text.h"

namespace acceptq::imports {
namespace {

constexpr const char* kForms =
    "acceptq reads what these print: ss -lnt, netstat -s, nstat -az, netstat -lnt, sysctl, "
    "/proc/net/{netstat,snmp,tcp}, uname -a, kubectl describe pod, nginx -T; folders of sos "
    "report; and recordings of check --save";

std::string named(std::span<const Text> texts) {
  return texts.size() == 1 ? texts.front().name : fmt::format("{} files", texts.size());
}

}  // namespace

Result<Imported> import_texts(std::span<const Text> texts) {
  std::vector<Source> sources;
  std::string foreign;
  for (const Text& text : texts) {
    const Result<std::vector<Line>> lines = normalize_text(text.bytes);
    if (!lines && texts.size() == 1) {
      return fail(lines.error().code,
                  fmt::format("cannot read {}: {}", text.name, lines.error().context));
    }
    if (!lines) {
      sources.push_back({.name = text.name, .recognised = {}});
      sources.back().recognised.problems.push_back({1, lines.error().context});
      continue;
    }
    Source source{.name = text.name, .recognised = recognise(*lines, text.command)};
    std::erase_if(source.recognised.blocks, [&](const Block& block) {
      const auto* other = std::get_if<ForeignSystem>(&block.piece);
      if (other == nullptr) return false;
      foreign = other->system;
      source.recognised.problems.push_back(
          {block.line, "it is of " + other->system + ", whose counters are not Linux's"});
      return true;
    });
    sources.push_back(std::move(source));
  }
  const bool nothing = std::ranges::all_of(
      sources, [](const Source& source) { return source.recognised.blocks.empty(); });
  if (nothing && !foreign.empty()) {
    return fail(ErrorCode::kMalformed,
                fmt::format("cannot diagnose {}: it is of {}; acceptq knows the counters and "
                            "queues of Linux only",
                            named(texts), foreign));
  }
  if (nothing) {
    std::string first;
    for (const Source& source : sources) {
      if (!first.empty() || source.recognised.problems.empty()) continue;
      const Problem& problem = source.recognised.problems.front();
      first = fmt::format(" (line {}: {})", problem.line, problem.reason);
    }
    return fail(ErrorCode::kMalformed,
                fmt::format("nothing in {} could be read{}; {}", named(texts), first, kForms));
  }
  return assemble(std::move(sources));
}

}  // namespace acceptq::imports
