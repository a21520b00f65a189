#include "facts/workload.h"

#include <cstdint>
#include <string_view>

#include "base/text.h"

namespace acceptq::facts {
namespace {

// The letters of generated names (k8s.io/apimachinery/pkg/util/rand: no vowels, no 0, 1 and 3).
bool is_generated(std::string_view text) {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  return text.find_first_not_of(kLetters) == text.npos;
}

}  // namespace

std::optional<Workload> workload_of(const Pod& pod) {
  if (!pod.name) return std::nullopt;
  const std::string_view name = *pod.name;
  const std::size_t last = name.rfind('-');
  if (last == name.npos || last == 0) return std::nullopt;
  const std::string_view end = name.substr(last + 1);
  const std::string_view rest = name.substr(0, last);
  if (parse_int<std::uint32_t>(end)) return Workload{"StatefulSet", std::string(rest)};
  // A ReplicaSet adds five letters to its own name, which a Deployment makes of its own and up to
  // ten letters that encode a 32-bit hash of the template.
  constexpr std::size_t kSuffix = 5;
  constexpr std::size_t kShortestHash = 6;
  constexpr std::size_t kLongestHash = 10;
  const std::size_t before = rest.rfind('-');
  if (end.size() != kSuffix || !is_generated(end) || before == rest.npos || before == 0) {
    return std::nullopt;
  }
  const std::string_view hash = rest.substr(before + 1);
  if (hash.size() < kShortestHash || hash.size() > kLongestHash || !is_generated(hash)) {
    return std::nullopt;
  }
  return Workload{"Deployment", std::string(rest.substr(0, before))};
}

}  // namespace acceptq::facts
