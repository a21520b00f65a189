#include "lab/network.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "base/file.h"
#include "base/text.h"
#include "lab/process.h"

namespace acceptq::lab {
namespace {

constexpr const char* kBridge = "labbridge";

// A thread, so that the caller stays where it is.
Result<UniqueFd> new_namespace() {
  Result<UniqueFd> result = fail(ErrorCode::kIo, "no thread");
  std::thread([&result] {
    if (::unshare(CLONE_NEWNET) != 0) {
      result = fail_errno(errno, "making a network namespace");
      return;
    }
    UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) {
      result = fail_errno(errno, "opening a new network namespace");
      return;
    }
    result = std::move(fd);
  }).join();
  return result;
}

// /proc/sys/net shows the namespace of the thread that opens a file in it.
template <typename Work>
auto inside(int netns_fd, Work work) -> decltype(work()) {
  decltype(work()) result = fail(ErrorCode::kIo, "no thread");
  std::thread([&] {
    if (::setns(netns_fd, CLONE_NEWNET) != 0) {
      result = fail_errno(errno, "entering a network namespace");
    } else {
      result = work();
    }
  }).join();
  return result;
}

std::string sysctl_path(std::string name) {
  std::replace(name.begin(), name.end(), '.', '/');
  return "/proc/sys/" + name;
}

Status ip(const std::vector<std::string>& arguments, int netns_fd) {
  std::vector<std::string> command = {"ip"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const Result<std::string> done = run_command(command, netns_fd);
  if (!done) return fail(done.error());
  return {};
}

// One end on the bridge, the other as eth0 in the namespace.
Status join_bridge(const NamespaceSpec& spec, int netns_fd) {
  const std::string outer = "v-" + spec.name;
  const std::string path = fmt::format("/proc/{}/fd/{}", ::getpid(), netns_fd);
  Status status =
      ip({"link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", path}, -1);
  if (status) status = ip({"link", "set", outer, "master", kBridge, "up"}, -1);
  for (const std::string& address : spec.addresses) {
    if (!status) break;
    std::vector<std::string> add = {"addr", "add", address, "dev", "eth0"};
    // Without "nodad" an IPv6 address may not be used for its first second.
    if (address.find(':') != std::string::npos) add.emplace_back("nodad");
    status = ip(add, netns_fd);
  }
  if (status) status = ip({"link", "set", "eth0", "up"}, netns_fd);
  return status;
}

}  // namespace

Result<Network> Network::create(const std::vector<NamespaceSpec>& specs) {
  Network network;
  Status status = ip({"link", "add", kBridge, "type", "bridge"}, -1);
  if (status) status = ip({"link", "set", kBridge, "up"}, -1);
  for (const NamespaceSpec& spec : specs) {
    if (!status) break;
    Result<UniqueFd> made = new_namespace();
    if (!made) return fail(made.error());
    const int fd = made->get();
    network.namespaces_[spec.name] = *std::move(made);
    status = ip({"link", "set", "lo", "up"}, fd);
    if (status && !spec.addresses.empty()) status = join_bridge(spec, fd);
    for (const auto& [name, value] : spec.sysctls) {
      if (status) status = network.write_sysctl(spec.name, name, value);
    }
  }
  if (!status) return fail(status.error());
  return network;
}

int Network::fd(const std::string& name) const {
  const auto found = namespaces_.find(name);
  return found == namespaces_.end() ? -1 : found->second.get();
}

Result<NetnsId> Network::id(const std::string& name) const {
  struct stat info{};
  const int namespace_fd = fd(name);
  if (namespace_fd < 0) return fail(ErrorCode::kNotFound, "there is no namespace " + name);
  if (::fstat(namespace_fd, &info) != 0) return fail_errno(errno, "namespace " + name);
  return NetnsId(info.st_ino);
}

Status Network::write_sysctl(const std::string& netns, const std::string& name,
                             const std::string& value) const {
  return inside(fd(netns), [&] { return write_setting(sysctl_path(name), value); });
}

Result<std::string> Network::read_sysctl(const std::string& netns, const std::string& name) const {
  return inside(fd(netns), [&]() -> Result<std::string> {
    const Result<std::string> text = read_file(sysctl_path(name));
    if (!text) return fail(text.error());
    return std::string(trim(*text));
  });
}

}  // namespace acceptq::lab
