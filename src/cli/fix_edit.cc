#include "cli/fix_edit.h"

#include <fmt/format.h>

#include "config/unified_diff.h"

namespace acceptq::cli {
namespace {

std::string places_of(const config::Edit& edit) {
  std::string places;
  for (const config::FileEdit& file : edit.files) {
    places += fmt::format("{}{}", places.empty() ? "" : ", ", file.path);
    if (file.before) places += fmt::format(":{}", file.line);
  }
  return places;
}

}  // namespace

std::string summary_of(const config::Edit& edit, const facts::Process& process) {
  std::string text;
  if (!edit.option.empty()) {
    text = fmt::format("Start the server with the option {}.", edit.option);
  } else if (edit.files.empty()) {
    text = config::kind_of(edit.takes_effect) == "reload" ? "Reload the server."
                                                          : "Restart the server.";
  } else {
    text = fmt::format("Change {}.", places_of(edit));
  }
  if (!edit.note.empty()) text += " " + edit.note + ".";
  if (!edit.files.empty() && (process.pod || process.container)) {
    text +=
        " In a container a file comes from its image or a volume (of a pod, often a ConfigMap): "
        "change it there, or it is lost with the container.";
  }
  return text;
}

std::string takes_effect(const config::Edit& edit, const facts::Process& process) {
  if (process.pod) return "new_pod";
  return config::kind_of(edit.takes_effect);
}

std::vector<remedy::Piece> pieces_of(const config::Edit& edit, const facts::Process& process) {
  std::vector<remedy::Piece> pieces;
  pieces.reserve(edit.files.size() + 2);
  const bool here = !process.pod && !process.container;
  for (const config::FileEdit& file : edit.files) {
    pieces.push_back({.where = here ? "patch -p1 -d /" : "patch -p1, in the root of the container",
                      .text = config::unified_diff(file)});
  }
  if (!edit.files.empty() && !edit.check.empty()) {
    pieces.push_back({.where = "check it", .text = config::shell_line(edit.check) + "\n"});
  }
  const std::string then = config::shell_line(edit.takes_effect);
  if (!then.empty()) pieces.push_back({.where = "then", .text = then + "\n"});
  return pieces;
}

void show_edit(const config::Edit& edit, const facts::Process& process, remedy::Way& way) {
  diagnose::Remedy& remedy = way.remedy;
  if (remedy.form == "application") remedy.form = "server.config";
  remedy.summary = summary_of(edit, process);
  remedy.content.clear();
  remedy.takes_effect = takes_effect(edit, process);
  way.pieces = pieces_of(edit, process);
}

}  // namespace acceptq::cli
