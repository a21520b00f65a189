#include "apply/sysctl.h"

#include <algorithm>

#include "base/file.h"
#include "base/text.h"

namespace acceptq::apply {
namespace {

// /proc/sys/net is that of the thread's namespace (net/sysctl_net.c, net_ctl_header_lookup).
std::string path_of(std::string name) {
  std::ranges::replace(name, '.', '/');
  return "/proc/sys/" + name;
}

}  // namespace

Result<std::int64_t> read_sysctl(const std::string& name) {
  const Result<std::string> text = read_file(path_of(name), 256);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kUnsupported,
                name +
                    " is hidden from this namespace (Linux up to 6.2 hides it where the "
                    "namespace belongs to another user namespace)");
  }
  if (!text) return fail(text.error());
  const auto value = parse_int<std::int64_t>(trim(*text));
  if (!value) return fail(ErrorCode::kMalformed, path_of(name) + " holds no number");
  return *value;
}

Status write_sysctl(const std::string& name, std::int64_t value) {
  return write_setting(path_of(name), std::to_string(value));
}

}  // namespace acceptq::apply
