#include "remedy/inside.h"

#include <fmt/format.h>

namespace acceptq::remedy {

std::string into_namespace(const facts::Namespace* ns, const facts::Process* owner) {
  if (ns != nullptr && (ns->is_host == true || ns->own_container)) return "";
  if (owner != nullptr) return fmt::format("nsenter -t {} -n ", owner->pid.value());
  if (ns == nullptr || ns->pids.empty()) return "";
  return fmt::format("nsenter -t {} -n ", ns->pids.front().value());
}

}  // namespace acceptq::remedy
