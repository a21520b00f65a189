// Why a BPF program did not load, and what its user can do about it. The errno alone does not say:
// EPERM stands for a missing capability, a container's seccomp profile and a lockdown; EINVAL for a
// kernel too old and for a verifier that refuses.
#pragma once

#include <bpf/btf.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace acceptq::collect::bpf {

enum class Programs {
  kListenerIterator,
  kThreadIterator,
  kHandshakeHooks,  // fentry and fexit, then kprobes
  kHandshakeTracepoints,
};

// What was found out after a load failed.
struct LoadFailure {
  int err = 0;                   // what libbpf returned, positive; for hooks, for the first attempt
  std::string log;               // what it said
  bool capable = false;          // CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, are effective
  bool confidential = false;     // kernel lockdown in its mode "confidentiality"
  bool has_btf = false;          // /sys/kernel/btf/vmlinux
  bool has_iterator = false;     // an iterator over tasks (5.8), and over their open files
  bool has_file_helper = false;  // bpf_sock_from_file (5.11)
  Programs programs = Programs::kListenerIterator;
  int kprobe_err = 0;  // for hooks: what became of the last attempt
};

// Asks this host. The types are the running kernel's; null: it does not tell them.
[[nodiscard]] LoadFailure examine_load_failure(int err, std::string log, const btf* types,
                                               Programs programs = Programs::kListenerIterator);

// kPermission: capability, lockdown, or a policy. kUnsupported: no BTF, a kernel too old, or a
// verifier that refuses; then with the line of `log` that says why. Pure.
[[nodiscard]] Error explain_load_failure(const LoadFailure& failure);

// The one line of libbpf's output that says why: the verifier's last complaint where it spoke, else
// libbpf's first. Empty for an empty log.
[[nodiscard]] std::string_view telling_line(std::string_view log);

// Whether the text of /sys/kernel/security/lockdown ("none [integrity] confidentiality") selects
// the mode that forbids reading the kernel's memory.
[[nodiscard]] bool is_confidential(std::string_view lockdown);

}  // namespace acceptq::collect::bpf
