#include "listenpath/kernel.h"

#include <array>
#include <compare>
#include <utility>

#include "base/text.h"

namespace acceptq::listenpath {
namespace {

// The number at the front of `text`, cut off it.
std::optional<int> take_number(std::string_view& text) {
  const std::size_t end = text.find_first_not_of("0123456789");
  const std::string_view digits = text.substr(0, end);
  text.remove_prefix(digits.size());
  return parse_int<int>(digits);
}

bool before(const KernelVersion& version, int major, int minor) {
  return std::pair(version.major, version.minor) < std::pair(major, minor);
}

// Stable branches that took 3479c7549fb1 in January and February 2025. `first` surely has it (its
// release is later than the patch's queue), `last_without` surely has not; between them the release
// does not tell. The Debian package that follows `first` is named by its ABI number.
struct Backport {
  int major;
  int minor;
  int last_without;
  int first;
  std::optional<int> debian_abi;
};
constexpr std::array<Backport, 6> kAboveLimitBackports = {{
    {5, 4, 289, 290, std::nullopt},
    {5, 10, 233, 234, 34},
    {5, 15, 176, 177, std::nullopt},
    {6, 1, 124, 128, 31},
    {6, 6, 71, 75, std::nullopt},
    {6, 12, 9, 12, std::nullopt},
}};

SynQueueRule syn_queue_rule(const KernelVersion& version) {
  if (before(version, 4, 4)) return SynQueueRule::kTable;
  if (!before(version, 6, 13)) return SynQueueRule::kAboveLimit;
  if (version.rhel) return SynQueueRule::kAtLimit;
  for (const Backport& branch : kAboveLimitBackports) {
    if (branch.major != version.major || branch.minor != version.minor) continue;
    if (version.patch && *version.patch >= branch.first) return SynQueueRule::kAboveLimit;
    if (version.patch && *version.patch <= branch.last_without) return SynQueueRule::kAtLimit;
    if (version.debian_abi && branch.debian_abi && *version.debian_abi >= *branch.debian_abi) {
      return SynQueueRule::kAboveLimit;
    }
    return SynQueueRule::kAtOrAboveLimit;
  }
  return SynQueueRule::kAtLimit;
}

}  // namespace

std::optional<KernelVersion> parse_release(std::string_view release) {
  KernelVersion version;
  std::string_view rest = release;
  const std::optional<int> major = take_number(rest);
  if (!major || !rest.starts_with('.')) return std::nullopt;
  rest.remove_prefix(1);
  const std::optional<int> minor = take_number(rest);
  if (!minor) return std::nullopt;
  version.major = *major;
  version.minor = *minor;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    version.patch = take_number(rest);
  }
  if (const std::size_t el = release.find(".el"); el != std::string_view::npos) {
    std::string_view digits = release.substr(el + 3);
    version.rhel = take_number(digits);
  }
  // Debian's and Ubuntu's "6.1.0-56-amd64": the third number is always 0 and says nothing.
  if (version.patch == 0 && !version.rhel && rest.starts_with('-')) {
    rest.remove_prefix(1);
    std::string_view tail = rest;
    const std::optional<int> abi = take_number(tail);
    if (abi && tail.starts_with('-')) {
      version.patch = std::nullopt;
      if (tail.starts_with("-amd64") || tail.starts_with("-cloud") || tail.starts_with("-rt") ||
          tail.starts_with("-arm64")) {
        version.debian_abi = abi;
      }
    }
  }
  return version;
}

KernelRules rules_for(std::string_view release) {
  KernelRules rules;
  const std::optional<KernelVersion> version = parse_release(release);
  if (!version) return rules;
  rules.known = true;
  rules.syn_queue = syn_queue_rule(*version);
  // 5ea8ea2cb7f1 of 4.10; RHEL 8 is 4.18.
  rules.full_needs_young = before(*version, 4, 10);
  rules.cookies_count_as_drops = !before(*version, 3, 8) && before(*version, 4, 7);
  rules.syn_drops_counted = !before(*version, 3, 8);
  rules.socket_drops_counted = !before(*version, 4, 7);
  rules.default_somaxconn = before(*version, 5, 4) ? 128 : 4096;
  rules.max_syn_backlog_per_namespace = !before(*version, 4, 11);
  rules.abort_on_overflow_per_namespace = !before(*version, 4, 15);
  rules.linear_syn_timeouts = !before(*version, 6, 5);
  return rules;
}

}  // namespace acceptq::listenpath
