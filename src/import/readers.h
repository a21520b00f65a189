// One reader for each form of text. Each looks at the first of the lines that it is given, and,
// where that is of its form, reads on for as long as they are: Reading::used. None needs what was
// read before.
#pragma once

#include <string_view>

#include "import/pieces.h"
#include "import/text.h"

namespace acceptq::imports {

// What stood before the text, as far as a reader needs it: the command that was typed.
struct Typed {
  std::string_view command;  // without prompt, sudo and what enters a container; empty: not known
  std::size_t* json_budget = nullptr;  // lines_of_json()
  bool fresh = false;                  // nothing of what it printed has been read yet
};

// ss, of every age: with Netid column or without, with a head line or without, extended (-e, -m,
// -i) or not, records of two lines; -s is passed over.
[[nodiscard]] Reading read_ss(Lines lines, const Typed& typed);
// netstat -l of net-tools and busybox. The limit is not in it: its Send-Q of a listener is 0.
[[nodiscard]] Reading read_netstat_listeners(Lines lines, const Typed& typed);
// netstat -s of net-tools, whole or what grep left of it.
[[nodiscard]] Reading read_netstat_statistics(Lines lines, const Typed& typed);
// nstat and nstat --json.
[[nodiscard]] Reading read_nstat(Lines lines, const Typed& typed);
// /proc/net/netstat and /proc/net/snmp.
[[nodiscard]] Reading read_proc_counters(Lines lines, const Typed& typed);
// /proc/net/tcp and tcp6.
[[nodiscard]] Reading read_proc_tcp(Lines lines, const Typed& typed);
// sysctl, grep . /proc/sys/…, and what `cat /proc/sys/…` printed.
[[nodiscard]] Reading read_sysctls(Lines lines, const Typed& typed);
// uname -a, and uname -r where it was typed.
[[nodiscard]] Reading read_uname(Lines lines, const Typed& typed);
// "Possible SYN flooding on port 80" in the kernel's log.
[[nodiscard]] Reading read_kernel_log(Lines lines, const Typed& typed);
// kubectl get pod -o json and docker inspect: what a pod or container is called, and what it was
// given.
[[nodiscard]] Reading read_workload_json(Lines lines, const Typed& typed);
// kubectl get pod -o yaml: the same.
[[nodiscard]] Reading read_workload_yaml(Lines lines, const Typed& typed);
// kubectl describe pod: the same.
[[nodiscard]] Reading read_pod_description(Lines lines, const Typed& typed);
// The pid or the container's id alone, where it was asked for: docker inspect -f {{.State.Pid}}.
[[nodiscard]] Reading read_identity(Lines lines, const Typed& typed);
// nginx -T: the files of its configuration.
[[nodiscard]] Reading read_nginx_dump(Lines lines, const Typed& typed);
// /proc/pressure/{cpu,io,memory}, by cat, head or grep.
[[nodiscard]] Reading read_pressure(Lines lines, const Typed& typed);
// cpu.stat of a control group, of version 1 or 2.
[[nodiscard]] Reading read_cpu_stat(Lines lines, const Typed& typed);
// /proc/PID/mountstats.
[[nodiscard]] Reading read_mountstats(Lines lines, const Typed& typed);
// ip address: the addresses of a network namespace.
[[nodiscard]] Reading read_addresses(Lines lines, const Typed& typed);
// netstat of BSD, macOS and Windows.
[[nodiscard]] Reading read_foreign(Lines lines, const Typed& typed);

}  // namespace acceptq::imports
