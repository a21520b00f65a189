#include "diagnose/deltas.h"

#include <limits>
#include <string>

namespace acceptq::diagnose {
namespace {

constexpr std::uint64_t k32 = std::uint64_t{1} << 32;

// From the last sixteenth of `width` (a power of two less one, plus one) to its first.
bool wrapped(std::uint64_t before, std::uint64_t after, std::uint64_t last) {
  const std::uint64_t sixteenth = last / 16;
  return before <= last && before >= last - sixteenth && after <= sixteenth;
}

std::optional<std::uint64_t> counter_of(const facts::Namespace& ns, std::string_view counter) {
  const auto it = ns.counters.find(counter);
  return it != ns.counters.end() ? std::optional(it->second) : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> counter_growth(std::uint64_t before, std::uint64_t after) {
  if (after >= before) return after - before;
  if (wrapped(before, after, std::numeric_limits<std::uint64_t>::max())) return after - before;
  if (wrapped(before, after, k32 - 1)) return after + k32 - before;
  return std::nullopt;
}

std::uint32_t socket_drops_growth(std::uint32_t before, std::uint32_t after) {
  return after - before;
}

NamespaceDelta::NamespaceDelta(const facts::Namespace* before, const facts::Namespace* after)
    : before_(before), after_(after) {
  const bool same_cookie = before != nullptr && after != nullptr &&
                           (!before->cookie || !after->cookie || before->cookie == after->cookie);
  comparable_ = same_cookie;
}

std::optional<std::uint64_t> NamespaceDelta::total(std::string_view counter) const {
  if (after_ == nullptr || (after_->pasted && after_->pasted->increments)) return std::nullopt;
  return counter_of(*after_, counter);
}

std::optional<std::uint64_t> NamespaceDelta::delta(std::string_view counter) const {
  if (!comparable_) return std::nullopt;
  const std::optional<std::uint64_t> now = counter_of(*after_, counter);
  if (!now) return std::nullopt;
  const auto it = before_->counters.find(counter);
  return it != before_->counters.end() ? counter_growth(it->second, *now) : std::nullopt;
}

std::uint64_t NamespaceDelta::grew(std::string_view counter) const {
  return delta(counter).value_or(0);
}

NamespaceDelta namespace_delta(const facts::Observation& observation, NetnsId id) {
  return {facts::find_namespace(observation.before, id),
          facts::find_namespace(observation.after, id)};
}

std::optional<std::int64_t> sysctl_value(const facts::Namespace* ns, std::string_view name) {
  if (ns == nullptr) return std::nullopt;
  const auto it = ns->sysctls.find(std::string(name));
  if (it == ns->sysctls.end() || it->second.state == facts::SysctlState::kUnreadable) {
    return std::nullopt;
  }
  return it->second.value;
}

}  // namespace acceptq::diagnose
