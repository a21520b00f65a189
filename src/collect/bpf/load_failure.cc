#include "collect/bpf/load_failure.h"

#include <bpf/btf.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace acceptq::collect::bpf {
namespace {

constexpr const char* kBtfPath = "/sys/kernel/btf/vmlinux";

// Whether this thread may load tracing programs (bpf_capable and perfmon_capable,
// include/linux/capability.h). Inside a user namespace the answer is about that one, and the kernel
// still refuses.
bool may_load() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  const std::uint64_t effective = std::uint64_t{data[1].effective} << 32 | data[0].effective;
  const auto has = [effective](unsigned capability) { return (effective >> capability & 1) != 0; };
  return has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON));
}

}  // namespace

LoadFailure examine_load_failure(int err, std::string log, const btf* types, Programs programs) {
  LoadFailure failure{
      .err = err, .log = std::move(log), .capable = may_load(), .programs = programs};
  if (const Result<std::string> text = read_file("/sys/kernel/security/lockdown")) {
    failure.confidential = is_confidential(*text);
  }
  failure.has_btf = types != nullptr;
  if (failure.has_btf) {
    failure.has_iterator =
        btf__find_by_name_kind(types, "bpf_iter__task_file", BTF_KIND_STRUCT) > 0;
    failure.has_file_helper =
        btf__find_by_name_kind(types, "bpf_sock_from_file", BTF_KIND_FUNC) > 0;
  }
  return failure;
}

Error explain_load_failure(const LoadFailure& failure) {
  const auto unsupported = [&](std::string context) {
    return Error{ErrorCode::kUnsupported, failure.err, std::move(context)};
  };
  const auto forbidden = [&](std::string context) {
    return Error{ErrorCode::kPermission, failure.err, std::move(context)};
  };
  const bool hooks = failure.programs == Programs::kHandshakeHooks;
  const bool listeners = failure.programs == Programs::kListenerIterator;
  const bool threads = failure.programs == Programs::kThreadIterator;
  const std::string what = hooks       ? "hooking the kernel's listen path"
                           : listeners ? "loading the BPF listener iterator"
                           : threads   ? "loading the BPF thread iterator"
                                       : "watching the kernel's tracepoints";
  if (!failure.capable && (failure.err == EPERM || failure.err == EACCES)) {
    return forbidden(what + " needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN (run as root)");
  }
  if (failure.confidential) {
    return forbidden(what +
                     " is forbidden by kernel lockdown, mode confidentiality (boot with "
                     "lockdown=integrity to allow it)");
  }
  if (!failure.has_btf) {
    // Without the errno: that is libbpf's, and says nothing here.
    return {ErrorCode::kUnsupported, 0,
            what + " needs the kernel's BTF, " + kBtfPath +
                " (a kernel built with CONFIG_DEBUG_INFO_BTF, and /sys mounted)"};
  }
  if (hooks && (failure.err == EPERM || failure.kprobe_err == ENOENT)) {
    return {ErrorCode::kUnsupported, 0,
            "this kernel refuses fentry (" + std::generic_category().message(failure.err) +
                ") and kprobes (" + std::generic_category().message(failure.kprobe_err) + ")"};
  }
  // The thread iterator uses nothing of 5.11, but has never been seen to load on what is older.
  if ((listeners || threads) && (!failure.has_iterator || !failure.has_file_helper)) {
    return unsupported(what + " needs Linux 5.11 or newer: this kernel has no " +
                       (failure.has_iterator ? "bpf_sock_from_file" : "iterator over open files"));
  }
  if (failure.err == EPERM) {
    return forbidden(what +
                     " was refused although the capabilities are there (a user namespace, a "
                     "container's seccomp profile or a security module; run it on the host)");
  }
  const std::string_view line = telling_line(failure.log);
  return unsupported(what + " was refused by this kernel" +
                     (line.empty() ? std::string() : " (" + std::string(line) + ")") +
                     "; please report this with the kernel's release");
}

std::string_view telling_line(std::string_view log) {
  std::string_view first;
  std::string_view previous;
  std::string_view verdict;
  while (!log.empty()) {
    const std::string_view line = trim(next_line(log));
    if (line.empty()) continue;
    // The verifier ends with its statistics; its complaint is the line before. Several logs are
    // those of several attempts, the last of which asked for least.
    if (line.starts_with("processed ")) verdict = previous;
    if (first.empty()) first = line;
    previous = line;
  }
  return verdict.empty() ? first : verdict;
}

bool is_confidential(std::string_view lockdown) {
  return lockdown.find("[confidentiality]") != std::string_view::npos;
}

}  // namespace acceptq::collect::bpf
