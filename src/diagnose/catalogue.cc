#include "diagnose/catalogue.h"

#include <algorithm>
#include <cstdlib>

namespace acceptq::diagnose {
namespace {

using enum Severity;

constexpr CatalogueEntry kCatalogue[] = {
    {"AQ101", kCritical, "accept queue is overflowing",
     "Connections that the kernel has completed wait in the accept queue until the application "
     "calls "
     "accept(). This queue was full and packets of new handshakes were refused while acceptq "
     "watched. "
     "A refused SYN gets no answer: the client repeats it, first after 1 s. A refused "
     "final ACK leaves a client that believes to be connected and hears nothing. The application "
     "logs "
     "neither.",
     "Find out why accept() is slow before making the queue longer: a longer queue only lets "
     "clients "
     "wait longer, unless the load comes in short bursts."},
    {"AQ102", kNotice, "connections were refused in the past",
     "The kernel's counters say that packets of handshakes were refused since the network "
     "namespace "
     "was made, but none while acceptq watched. The counters carry no time.",
     "If users complain now and then, watch for longer (acceptq check --for 10m) at the time when "
     "they do."},
    {"AQ103", kWarning, "accept queue is close to its limit",
     "The accept queue held at least four fifths of what fits, though nothing was refused. A burst "
     "that is "
     "a little larger will be.",
     "See how long the queue stays filled: if all the time, accept() does not keep up; if for "
     "moments "
     "only, the limit is small for the bursts that arrive."},
    {"AQ104", kWarning, "the queue's limit is somaxconn of its own network namespace",
     "The length of an accept queue is limited by the smaller of what the application asks for in "
     "listen() and of net.core.somaxconn in the network namespace of the socket. Here somaxconn is "
     "what limits it. A new namespace, such as a pod's, starts with the kernel's default (4096; "
     "128 "
     "before Linux 5.4), whatever the node's value is.",
     "Raise somaxconn in that namespace, and make the application call listen() again: a limit "
     "that "
     "was given stays."},
    {"AQ105", kWarning, "the queue's limit is the application's own backlog",
     "The application asked for this limit when it called listen(), and somaxconn would allow "
     "more. "
     "Raising somaxconn changes nothing.",
     "Raise the backlog in the application's own configuration or code, and reload or restart it "
     "as "
     "it needs."},
    {"AQ106", kNotice, "the queue's limit is older than the present somaxconn",
     "A limit is fixed when listen() is called. somaxconn was changed after that, so the two do "
     "not "
     "fit: the listener still has the limit of before.",
     "Make the application call listen() again (usually: restart it)."},
    {"AQ107", kWarning, "handshakes are refused for another reason than a full accept queue",
     "The kernel counted refused packets of handshakes that were no overflow of the accept queue: "
     "the "
     "SYN queue with SYN cookies off, no memory for the request, no route back to the client, or a "
     "security module.",
     "Look at the other counters in the evidence; with tcp_syncookies 0, at AQ201."},
    {"AQ108", kWarning, "accept queue is full",
     "The accept queue holds as many connections as fit, or one less, so the next handshake will "
     "be "
     "refused. None was refused while acceptq watched, so few clients are trying.",
     "See whether the owner still calls accept(): a stopped or stuck server looks just like this."},
    {"AQ109", kNotice, "clients are reset when the accept queue is full",
     "net.ipv4.tcp_abort_on_overflow is 1 in this namespace: a client whose final ACK is refused "
     "gets "
     "a reset, which it sees as \"connection reset by peer\" although the server's process did "
     "nothing. Refused SYNs still get no answer.",
     "Useful to fail fast behind a proxy that retries; harmful to clients that do not. Set it to 0 "
     "to "
     "let the kernel retry instead."},
    {"AQ110", kWarning, "Unix socket's queue is full",
     "A Unix stream listener holds as many unaccepted connections as its limit allows. A further "
     "connect() waits, or fails with EAGAIN where the client does not want to wait (nginx then "
     "answers 502). The kernel counts none of this.",
     "See why the owner does not call accept(); raise its backlog (and net.core.somaxconn) if the "
     "load comes in bursts."},
    {"AQ111", kWarning, "one socket of a SO_REUSEPORT group is full while others have room",
     "Several sockets share this address with SO_REUSEPORT. The kernel gives each new connection "
     "to "
     "one of them by a hash and does not look at how full it is: the clients of the full member "
     "are "
     "refused although others are idle.",
     "Look at the owner of the full member: a stuck worker, or a descriptor leaked to a process "
     "that "
     "never calls accept()."},
    {"AQ112", kNotice, "no process holds this listener",
     "No descriptor of any process refers to this socket: the kernel itself owns it (nfsd, for "
     "instance), or it is on its way between processes, or io_uring holds it. If its queue is "
     "full, "
     "nobody may be accepting.",
     "For kernel services look at their threads; the limit of a kernel listener is not clamped by "
     "somaxconn."},
    {"AQ201", kCritical, "SYN queue is full and SYN cookies are off",
     "Handshakes that are not complete fill the SYN queue, and with net.ipv4.tcp_syncookies 0 the "
     "kernel refuses further SYNs instead of answering them without keeping state.",
     "Set net.ipv4.tcp_syncookies to 1 in the namespace of the listener."},
    {"AQ202", kWarning, "SYN queue overflows and SYN cookies are being sent",
     "More handshakes are under way than the SYN queue holds, so the kernel answers SYNs with "
     "cookies "
     "and keeps no state. Clients get through; without TCP timestamps they lose window scaling and "
     "selective acknowledgements for the life of the connection.",
     "If the clients are real (most cookies come back), raise the limit of the listener, which is "
     "also that of its SYN queue. If few come back, see AQ203."},
    {"AQ203", kWarning, "looks like a SYN flood",
     "Many SYNs arrive and few of their handshakes are completed, be they answered by cookies or "
     "refused: addresses are forged, or the answers do not reach the clients. The accept queue is "
     "not the problem, and a longer one would not help.",
     "Filter upstream; keep tcp_syncookies at 1. If the clients are real, look for what eats the "
     "SYN-ACKs on their way."},
    {"AQ204", kNotice, "invalid SYN cookies arrive",
     "Packets came that claim to answer a SYN cookie but do not: cookies older than two minutes, "
     "or scans.",
     "Harmless in small numbers. In large ones, see AQ203."},
    {"AQ205", kWarning, "SYNs are refused to keep a reserve in the SYN queue",
     "With net.ipv4.tcp_syncookies 0 the kernel keeps the last quarter of "
     "net.ipv4.tcp_max_syn_backlog "
     "for clients that it knows, and refuses others before the queue is full.",
     "Set net.ipv4.tcp_syncookies to 1, or raise net.ipv4.tcp_max_syn_backlog."},
    {"AQ601", kNotice, "this kernel refuses BPF programs that acceptq would use",
     "acceptq reads all listeners in one pass of a BPF iterator, and follows each handshake by "
     "hooks "
     "on the kernel's functions (fentry, or else kprobes), or at least by its tracepoints. Without "
     "the iterator sock_diag is asked in each namespace, which does not show lengths of SYN "
     "queues; "
     "without hooks, refused packets are known by counters alone.",
     "Run as root (CAP_BPF, CAP_PERFMON) on Linux 5.11 or later with BTF; the reason given says "
     "what "
     "else is missing. Or live without."},
    {"AQ602", kWarning, "a network namespace could not be looked into",
     "Listeners in a namespace that may not be read or entered are not in the report.",
     "Run as root, in the PID namespace of the host (hostPID in a pod)."},
    {"AQ603", kWarning, "the list of sockets of a namespace is incomplete",
     "The kernel's list of listening sockets changed while it was read, several times in a row, or "
     "could not be read.",
     "Run acceptq again."},
    {"AQ604", kWarning, "the kernel's socket diagnosis module is missing",
     "Without tcp_diag the kernel shows the length of an accept queue but not its limit (ss prints "
     "0 "
     "then). acceptq leaves such limits empty.",
     "Load the module: modprobe tcp_diag inet_diag unix_diag."},
    {"AQ605", kWarning, "owners may be missing",
     "The descriptors of some processes may not be read, so that an owner of a listener can be "
     "missing, and a listener can seem to have none.",
     "Run as root."},
    {"AQ606", kWarning, "counters of a namespace could not be read",
     "Without the counters it is not known whether packets were refused in this namespace.",
     "Run as root, and see the reason given."},
    {"AQ607", kNotice, "the observation was cut short",
     "acceptq was interrupted before the time that was asked for.", "Let it run to its end."},
    {"AQ608", kNotice, "a namespace came or went while acceptq watched",
     "Its counters have no beginning or no end, so that nothing can be said of what happened in "
     "it.",
     "Run acceptq again if it matters."},
    {"AQ609", kNotice, "a namespace is kept alive by open sockets alone",
     "No process lives in the namespace and it is mounted nowhere, so that it cannot be entered. "
     "Its "
     "listeners are seen, its counters are not.",
     "Look at the owner of the listener: it moved to another namespace after it made the socket."},
    {"AQ610", kWarning, "a process is stuck and cannot be looked at",
     "The kernel answers what a process holds only when it is not inside execve(). One that closes "
     "a "
     "file there on storage that does not answer stays inside for good; ps hangs on it, too. "
     "acceptq "
     "waits for it, once and shortly, and goes on without it.",
     "Find the storage that does not answer: /proc/PID/mountinfo names what the process has "
     "mounted, "
     "and can be read. The process goes on by itself once that answers, or is unmounted by force."},
    {"AQ611", kNotice, "tracing counted only a part",
     "The programs that follow handshakes in the kernel have room for a number of listeners and of "
     "refused attempts. What found no room is counted by the kernel alone.",
     "Nothing, if the counters of the namespace say enough."},
    {"AQ612", kWarning, "packets could not be looked at",
     "--packets opens a packet socket in the network namespace of each listener that is selected.",
     "Run as root (CAP_NET_RAW in the namespace), or without --packets."},
};

}  // namespace

std::span<const CatalogueEntry> catalogue() { return kCatalogue; }

const CatalogueEntry* find_entry(std::string_view id) {
  const auto* it = std::ranges::find(kCatalogue, id, &CatalogueEntry::id);
  return it != std::end(kCatalogue) ? it : nullptr;
}

Finding make_finding(std::string_view id) {
  const CatalogueEntry* entry = find_entry(id);
  if (entry == nullptr) std::abort();  // a finding that the table does not have: our own mistake
  Finding finding;
  finding.id = entry->id;
  finding.severity = entry->severity;
  finding.title = entry->title;
  return finding;
}

}  // namespace acceptq::diagnose
