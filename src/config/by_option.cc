// Servers whose backlog is an option of their command line, which wins over any file of theirs.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "config/ini.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

struct ByOption {
  std::string_view program;  // its own name, or that of the script or module that Python runs
  std::string_view option;   // with the place of the number
};

constexpr ByOption kPrograms[] = {
    {"varnishd", "-p listen_depth={}"}, {"uvicorn", "--backlog {}"},  {"hypercorn", "--backlog {}"},
    {"waitress-serve", "--backlog={}"}, {"waitress", "--backlog={}"},
};

const ByOption* program_of(const Invocation& invocation) {
  // The program; else, of an interpreter, its script or module.
  constexpr std::size_t kScript = 3;
  const auto is = [](std::string_view word, const ByOption& known) {
    return word.substr(word.rfind('/') + 1) == known.program;
  };
  for (const ByOption& known : kPrograms) {
    if (is(invocation.program, known)) return &known;
    const std::size_t end = std::min(kScript, invocation.arguments.size());
    for (std::size_t i = 1; i < end; ++i) {
      if (is(invocation.arguments[i], known)) return &known;
    }
  }
  return nullptr;
}

}  // namespace

Result<Edit> edit_by_option(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  (void)read;
  const ByOption* known = program_of(invocation);
  if (known == nullptr) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("what {} runs has its backlog in its code, at its call of listen()",
                            invocation.program));
  }
  if (wish.setting != Setting::kBacklog) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} has no such setting that is known here", known->program));
  }
  return edit_option(fmt::format(fmt::runtime(known->option), wish.value));
}

}  // namespace acceptq::config
