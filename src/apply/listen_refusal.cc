// Why a descriptor could not be had, in words.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <cerrno>

#include "apply/listen_call.h"
#include "base/file.h"
#include "base/text.h"

namespace acceptq::apply {
namespace {

constexpr int kYamaNobody = 3;          // YAMA_SCOPE_NO_ATTACH, security/yama/yama_lsm.c
constexpr unsigned kCapSysPtrace = 19;  // include/uapi/linux/capability.h

constexpr const char* kElse =
    "give the server a larger backlog in its own configuration and restart it instead";

std::string process_of(const Holder& holder) { return fmt::format("pid {}", holder.pid.value()); }

bool is_at_least_5_6(std::string_view release) {
  const std::vector<std::string_view> parts = split(release, '.');
  const auto major = parse_int<unsigned>(parts[0]);
  const auto minor = parts.size() > 1 ? parse_int<unsigned>(parts[1]) : std::nullopt;
  return major && (*major > 5 || (*major == 5 && minor && *minor >= 6));
}

Error no_call(const ListenOutcome& outcome, const char* call, const Privileges& privileges) {
  std::string context =
      is_at_least_5_6(privileges.kernel)
          ? fmt::format(
                "{}() is hidden from acceptq, by a seccomp profile most likely (run it on "
                "the host, or allow the call), so that a limit cannot be changed from "
                "outside; else {}",
                call, kElse)
          : fmt::format(
                "this kernel ({}) has no {}(), which Linux 5.6 brought: a limit cannot be "
                "changed from outside; {}",
                privileges.kernel, call, kElse);
  return {ErrorCode::kUnsupported, outcome.sys_errno, std::move(context)};
}

Error not_permitted(const ListenOutcome& outcome, const Holder& holder,
                    const Privileges& privileges) {
  const std::string tried =
      fmt::format("cannot take descriptor {} of {}", holder.fd, process_of(holder));
  if (!privileges.ptrace_capability) {
    return {
        ErrorCode::kPermission, outcome.sys_errno,
        tried + ": that needs CAP_SYS_PTRACE (run as root; in a container, add the capability)"};
  }
  if (privileges.yama_scope >= kYamaNobody) {
    return {ErrorCode::kPermission, outcome.sys_errno,
            fmt::format("{}: kernel.yama.ptrace_scope is {}, which forbids it to everybody until "
                        "the next boot; {}",
                        tried, privileges.yama_scope, kElse)};
  }
  return {ErrorCode::kPermission, outcome.sys_errno,
          tried +
              ": a seccomp profile or a security module (SELinux, AppArmor) forbids "
              "pidfd_getfd(), or the process belongs to another user namespace (run acceptq on "
              "the host); else " +
              kElse};
}

Error hung(const ListenOutcome& outcome, const Holder& holder) {
  const char* where = outcome.may_have_changed()
                          ? "listen() did not return; what the limit is now is read back"
                          : "the process does not answer, as one that is stuck inside execve()";
  return {ErrorCode::kInterrupted, 0,
          fmt::format("gave up on descriptor {} of {}: {}", holder.fd, process_of(holder), where)};
}

}  // namespace

Privileges own_privileges() {
  Privileges privileges;
  utsname name{};
  if (::uname(&name) == 0) privileges.kernel = name.release;
  if (const auto text = read_file("/proc/sys/kernel/yama/ptrace_scope", 64)) {
    privileges.yama_scope = parse_int<int>(trim(*text)).value_or(0);
  }
  const Result<std::string> status = read_file("/proc/thread-self/status");
  std::string_view rest = status ? std::string_view(*status) : std::string_view();
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    constexpr std::string_view kLabel = "CapEff:";
    if (!line.starts_with(kLabel)) continue;
    const auto bits = parse_int<std::uint64_t>(trim(line.substr(kLabel.size())), 16);
    privileges.ptrace_capability = bits && (*bits >> kCapSysPtrace & 1U) != 0;
  }
  return privileges;
}

Error to_error(const ListenOutcome& outcome, const Holder& holder, const Privileges& privileges) {
  if (outcome.hung) return hung(outcome, holder);
  const std::string process = process_of(holder);
  const int error = outcome.sys_errno;
  if (outcome.difference != Difference::kNone) {
    return {ErrorCode::kInterrupted, 0,
            fmt::format("descriptor {} of {} is not the listener meant: {}; look again (acceptq "
                        "check)",
                        holder.fd, process, to_string(outcome.difference))};
  }
  switch (outcome.step) {
    case Step::kStart:
      return errno_error(error, "cannot start a child process");
    case Step::kOpenProcess:
      if (error == ENOSYS) return no_call(outcome, "pidfd_open", privileges);
      if (error == ESRCH) break;
      if (error == EPERM) return not_permitted(outcome, holder, privileges);
      return errno_error(error, "cannot open " + process);
    case Step::kKnowProcess:
      break;
    case Step::kTakeDescriptor:
      if (error == ENOSYS) return no_call(outcome, "pidfd_getfd", privileges);
      if (error == EPERM || error == EACCES) return not_permitted(outcome, holder, privileges);
      if (error == ESRCH) break;
      if (error == EBADF) {
        return {ErrorCode::kNotFound, 0,
                fmt::format("{} has closed descriptor {}; look again (acceptq check)", process,
                            holder.fd)};
      }
      return errno_error(error, fmt::format("cannot take descriptor {} of {}", holder.fd, process));
    case Step::kVerify:
    case Step::kVerifyAgain:
      if (error == ENOTSOCK) {
        return {ErrorCode::kInterrupted, 0,
                fmt::format("descriptor {} of {} is no socket by now; look again (acceptq check)",
                            holder.fd, process)};
      }
      return errno_error(
          error, fmt::format("cannot make sure what descriptor {} of {} is", holder.fd, process));
    case Step::kListen:
      if (error == 0) break;
      return errno_error(error, fmt::format("listen() on descriptor {} of {}", holder.fd, process));
    case Step::kDone:
      return {ErrorCode::kIo, 0, "nothing failed"};
  }
  if (outcome.may_have_changed() || error == 0) {
    return {ErrorCode::kIo, 0, "the child that had a duplicate of the descriptor was killed"};
  }
  return {ErrorCode::kNotFound, 0,
          process + " has ended, or another process has its number; look again (acceptq check)"};
}

}  // namespace acceptq::apply
