#include "collect/netns/sysctls.h"

#include <sys/socket.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace acceptq::collect::netns {
namespace {

constexpr int kSoNetnsCookie = 71;  // SO_NETNS_COOKIE, asm-generic/socket.h

facts::Sysctl read_one(const char* name, const Sysctls* host) {
  std::string path = std::string("/proc/sys/") + name;
  std::ranges::replace(path.begin() + 10, path.end(), '.', '/');
  const Result<std::string> text = read_file(path, 256);
  if (text) {
    if (const auto value = parse_int<std::int64_t>(trim(*text))) {
      return {.state = facts::SysctlState::kValue, .value = *value};
    }
    return {.reason = path + " holds no number"};
  }
  const bool absent = text.error().code == ErrorCode::kNotFound;
  if (absent && std::string_view(name) == facts::kSomaxconn) {
    return {.reason =
                "hidden from this namespace (Linux up to 6.2 hides it where the namespace "
                "belongs to another user namespace); it still applies"};
  }
  if (absent && host != nullptr) {
    const auto it = host->find(name);
    if (it != host->end() && it->second.state == facts::SysctlState::kValue) {
      return {.state = facts::SysctlState::kNotNamespaced, .value = it->second.value};
    }
  }
  return {.reason = text.error().message()};
}

}  // namespace

Sysctls read_listen_sysctls(const Sysctls* host) {
  Sysctls sysctls;
  for (const char* name : facts::kListenSysctls) sysctls.emplace(name, read_one(name, host));
  return sysctls;
}

void add_conntrack_sysctls(Sysctls& sysctls) {
  for (const char* name : {facts::kConntrackCount, facts::kConntrackMax}) {
    facts::Sysctl sysctl = read_one(name, nullptr);
    if (sysctl.state == facts::SysctlState::kValue)
      sysctls.insert_or_assign(name, std::move(sysctl));
  }
}

std::optional<std::uint64_t> netns_cookie() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (!socket.valid() ||
      ::getsockopt(socket.get(), SOL_SOCKET, kSoNetnsCookie, &cookie, &size) != 0) {
    return std::nullopt;
  }
  return cookie;
}

}  // namespace acceptq::collect::netns
