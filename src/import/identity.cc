// Commands on the way from a pod to its network namespace, which print one word: the id of a
// container, or the pid of its process. They tell what of a ticket is one place.
#include <algorithm>

#include "base/text.h"
#include "import/readers.h"

namespace acceptq::imports {
namespace {

// 64 hex digits, as runtimes write an id; "docker://" before them.
std::string_view container_id(std::string_view text) {
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    text.remove_prefix(scheme + 3);
  }
  const bool is_hex = text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return text.size() == 64 && is_hex ? text : std::string_view();
}

// "pod shop/web-1" of `kubectl -n shop get pod web-1 …`; empty where the command names no one pod.
std::string pod_of(const std::vector<std::string_view>& words) {
  std::string ns;
  std::string pod;
  for (std::size_t i = 1; i < words.size() && words[i] != "|"; ++i) {
    const bool has_next = i + 1 < words.size() && words[i + 1] != "|";
    if ((words[i] == "-n" || words[i] == "--namespace") && has_next) {
      ns = std::string(words[++i]) + "/";
    } else if ((words[i] == "pod" || words[i] == "pods" || words[i] == "po") && has_next &&
               !words[i + 1].starts_with('-')) {
      if (!pod.empty()) return "";
      pod = words[++i];
    } else if (words[i].starts_with("pod/")) {
      pod = words[i].substr(4);
    }
  }
  return pod.empty() ? "" : "pod " + ns + pod;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

Reading read_identity(Lines lines, const Typed& typed) {
  if (lines.empty() || !typed.fresh) return {};
  const std::vector<std::string_view> words = split_blank(typed.command);
  if (words.size() < 3) return {};
  const std::string_view printed = trim(lines[0].text);
  Description place;
  if (words[0] == "kubectl" || words[0] == "oc") {
    const std::string pod = pod_of(words);
    const std::string_view id = container_id(printed);
    if (pod.empty() || id.empty()) return {};
    place.names = {pod, "container " + std::string(id)};
  } else if (words[1] == "inspect" && has(typed.command, ".State.Pid")) {
    std::string_view target = words.back();
    const auto pid = parse_int<std::int32_t>(printed);
    if (!pid || *pid <= 0 || target.starts_with('-') || has(target, "{")) return {};
    place.names = {"container " + std::string(target),
                   "network namespace of pid " + std::string(printed)};
  } else {
    return {};
  }
  return {.used = 1, .piece = Descriptions{{std::move(place)}}};
}

}  // namespace acceptq::imports
