// Where the threads that accept for a listener were while it was watched: what can be had from
// outside of a process, without stopping it, waking it or waiting for it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "facts/address.h"
#include "facts/disks.h"
#include "facts/local_client.h"

namespace acceptq::facts {

// What is known of a thread's part in accepting; the strongest first.
enum class AcceptLink {
  kAccept,  // it was in accept() on the listener
  kPoll,    // it was in poll() or select() for it
  kEpoll,   // it was in epoll_wait() on an epoll that holds it
  kOwner,   // no more than that its process holds the listener
};
inline constexpr std::size_t kAcceptLinks = 4;
// "accept", "poll", "epoll", "owner".
[[nodiscard]] std::string_view accept_link_name(AcceptLink link);

// What a descriptor was that a system call was about.
struct FileTarget {
  std::string type;          // of its file system: "fuse", "nfs4", "pipefs", "sockfs"
  std::uint64_t device = 0;  // of its file system, as st_dev: major << 20 | minor
  std::uint64_t inode = 0;
  std::optional<std::string> path;      // as the process would name it
  std::optional<std::string> source;    // what is mounted: "10.0.0.9:/data"
  std::optional<std::string> protocol;  // of a socket: "tcp", "udp"; empty: another, or unknown
  // Of a connected TCP or UDP socket.
  std::optional<IpAddress> local;
  std::optional<std::uint16_t> local_port;
  std::optional<IpAddress> peer;
  std::optional<std::uint16_t> peer_port;
  // The other end is to say something, since what was said last was said from here; of UDP always,
  // and empty where it is not known. Who is told of events, or has half an answer, waits without.
  std::optional<bool> answer_due;

  friend bool operator==(const FileTarget&, const FileTarget&) = default;
};

// Whether a file system of this type has files with names; sockets and pipes are on none.
[[nodiscard]] bool has_names(std::string_view filesystem_type);

// What else than the listener a thread waited for that waits for any number of descriptors; of
// several, the last.
enum class Polled {
  kNothing,      // that tells anything: timers, events, idle connections
  kPipes,        // to read from
  kConnections,  // to others than the listener's clients, of whom an answer is due
  kClients,      // of the listener
};
inline constexpr std::size_t kPolledKinds = 4;
// "nothing", "pipes", "connections", "clients".
[[nodiscard]] std::string_view polled_name(Polled polled);

// One place where a thread was seen. State "R" with an empty stack: it ran, or waited for a core.
struct Wait {
  std::string state;                   // of /proc/PID/stat: "R", "S", "D", "T", "t" …
  std::optional<std::string> syscall;  // "accept4"; empty: in user space, or not known
  std::optional<std::int32_t> fd;      // the descriptor that the call is about
  std::optional<FileTarget> target;    // what that was
  // Of poll(), select() and epoll_wait() of a thread that does not wait for the listener; empty:
  // not known.
  std::optional<Polled> polled;
  std::optional<std::uint64_t> lock;  // the address that futex() waits at
  // Of that: it is a mutex of the C library that another thread has; false: it may be one of
  // another library as well, or a place to wait for work at. Empty: not known, and in earlier
  // recordings.
  std::optional<bool> contended;
  std::optional<bool> timed;       // of it, or of no descriptor's poll(): ended by a timer, too
  std::vector<std::string> stack;  // the kernel's functions, innermost first
  std::uint32_t looks = 0;         // at which the thread was here
  // Of these, in each part of the time (Acceptors::parts), up to the last that has one; empty where
  // that was not told.
  std::vector<std::uint32_t> when;

  friend bool operator==(const Wait&, const Wait&) = default;
};

// `looks` more in that part of the time.
void add_when(std::size_t part, std::uint32_t looks, std::vector<std::uint32_t>& when);
// Two parts of the time are one from here on.
void coarsen(std::vector<std::uint32_t>& when);

// Whether it was in poll() or select(), which wait for any number of descriptors.
[[nodiscard]] bool is_polling(const Wait& wait);
// In epoll_wait() or one of its kind.
[[nodiscard]] bool waits_by_epoll(const Wait& wait);
// The descriptor of its call was a socket, or one socket is all that it polled.
[[nodiscard]] bool is_about_socket(const Wait& wait);

// What a thread used and suffered while it was looked at; empty where the kernel does not tell.
struct ThreadTimes {
  std::optional<std::uint64_t> user_ns;
  std::optional<std::uint64_t> system_ns;
  std::optional<std::uint64_t> delay_ns;     // ready to run, without a core (run_delay)
  std::optional<std::uint64_t> voluntary;    // switches: it waited
  std::optional<std::uint64_t> involuntary;  // switches: its core was taken away
  std::optional<std::uint64_t> major_faults;

  friend bool operator==(const ThreadTimes&, const ThreadTimes&) = default;
};

// A place where a thread was blocked, and for how long.
struct BlockedTime {
  std::string state;                   // as in Wait, and so are the next two
  std::optional<std::string> syscall;  // empty: none, or not known
  std::vector<std::string> stack;      // empty where it could not be kept
  std::uint64_t ns = 0;
  std::uint64_t times = 0;
  std::optional<std::uint64_t> woken;  // of these: by another of its process in that call

  friend bool operator==(const BlockedTime&, const BlockedTime&) = default;
};

// Where a thread's time went without a gap, by the scheduler's own events.
struct ExactTime {
  std::uint64_t counted_ns = 0;  // all that follows is of this
  std::uint64_t on_core_ns = 0;
  std::uint64_t ready_ns = 0;        // without a core; throttled as well
  std::uint64_t unplaced_ns = 0;     // blocked, with no room to keep where
  std::vector<BlockedTime> blocked;  // longest first

  friend bool operator==(const ExactTime&, const ExactTime&) = default;
};

// One more stretch at a place, which may be known already.
void add_blocked(BlockedTime more, ExactTime& time);

struct ThreadWatch {
  Pid pid;  // of its process
  Pid tid;
  std::string comm;
  AcceptLink link = AcceptLink::kOwner;
  std::uint32_t looks = 0;
  std::int64_t watched_ns = 0;  // from the first look to the last
  ThreadTimes times;            // over that
  std::vector<Wait> waits;      // most looks first
  // Connections of the listener that it closed, as whoever serves them does; empty where that was
  // not counted.
  std::optional<std::uint64_t> closed;
  std::optional<ExactTime> exact;  // empty where the kernel does not let it be counted

  friend bool operator==(const ThreadWatch&, const ThreadWatch&) = default;
};

// The time in which the threads of one listener were looked at, in equal parts.
struct LookParts {
  std::int64_t begin_ns = 0;  // the first look, by the clock of Snapshot::monotonic_ns
  std::int64_t part_ns = 100'000'000;

  friend bool operator==(const LookParts&, const LookParts&) = default;
};
inline constexpr std::size_t kMostLookParts = 32;

// The listener's connections that a process had open, and those to others.
struct HeldConnections {
  Pid pid;
  std::uint32_t most = 0;  // of the listener's, at one look
  // At any look at least: of them, those whose client had sent nothing yet; and those to others, at
  // which an answer was due, with the other end of one of them. Empty in earlier recordings.
  std::optional<std::uint32_t> silent;
  std::optional<std::uint32_t> asked;
  // Of the listener's, at any look at most: those at which nothing tells that the client has got
  // the answer to what it sent last. Empty where it is not known, and in earlier recordings.
  std::optional<std::uint32_t> unanswered;
  // Over all looks: of the listener's, and of those to others at which an answer may have been due:
  // some are asked again within the jiffy of an answer. Empty in earlier recordings.
  std::optional<double> mean;
  std::optional<double> mean_asked;
  std::optional<IpAddress> peer;
  std::optional<std::uint16_t> peer_port;

  friend bool operator==(const HeldConnections&, const HeldConnections&) = default;
};

// Who accepts for one listener, and where they were.
struct Acceptors {
  // Looks at the listener's own wait queue (who waits for it, and which epolls hold it); 0: it
  // could not be read, so links are taken from system calls alone.
  std::uint32_t queue_looks = 0;
  std::uint32_t waited_for = 0;  // those at which a thread waited for it, by accept, poll or epoll
  std::uint32_t in_epoll = 0;    // those at which an epoll held it
  std::optional<LookParts> parts;      // of Wait::when
  std::vector<ThreadWatch> threads;    // by process and thread
  std::uint32_t threads_left_out = 0;  // of its processes, there being too many
  std::vector<HeldConnections> held;   // by pid; of those that were looked into for that

  friend bool operator==(const Acceptors&, const Acceptors&) = default;
};

// A control group with a limit of CPU time, of a process or above it, and what it held back.
struct CpuGroup {
  std::string path;  // in its hierarchy: "/kubepods/burstable/pod1…"
  std::uint32_t version = 2;
  std::uint64_t quota_us = 0;  // of each period
  std::uint64_t period_us = 0;
  // While it was watched; empty after one look.
  std::optional<std::uint64_t> periods;
  std::optional<std::uint64_t> throttled;  // periods in which it was held back
  std::optional<std::uint64_t> throttled_ns;

  friend bool operator==(const CpuGroup&, const CpuGroup&) = default;
};

// A control group with a limit of memory, of a process or above it. Counts are of the time that was
// watched, and empty after one look.
struct MemoryGroup {
  std::string path;  // as of CpuGroup
  std::uint32_t version = 2;
  std::optional<std::uint64_t> high_bytes;  // above it, tasks are held back
  std::optional<std::uint64_t> max_bytes;   // it never has more
  std::optional<std::uint64_t> above_high;  // how often it was; only by its own limit
  std::optional<std::uint64_t> at_max;
  std::optional<std::uint64_t> stalled_us;  // in which some task of it waited for memory

  friend bool operator==(const MemoryGroup&, const MemoryGroup&) = default;
};

// What holds a whole process back, as it was at the last look.
struct ProcessCondition {
  Pid pid;
  std::optional<Pid> tracer;  // a debugger's
  std::optional<bool> dumping_core;
  std::optional<std::string> frozen_group;  // the control group that is frozen, itself or above it
  std::vector<CpuGroup> cpu_groups;         // innermost first
  std::optional<bool> cpu_groups_seen;      // false: it may have a limit that could not be read
  std::vector<MemoryGroup> memory_groups;   // innermost first

  friend bool operator==(const ProcessCondition&, const ProcessCondition&) = default;
};

// A connection between the kernel and a file system in user space.
struct FuseConnection {
  std::uint64_t device = 0;  // of the file system, as in FileTarget
  std::optional<std::string> mountpoint;
  std::optional<std::string> type;       // "fuse.sshfs"
  std::optional<std::uint32_t> waiting;  // requests without an answer
  // The process that answers; empty where it cannot be told.
  std::optional<Pid> daemon;
  std::optional<std::string> daemon_comm;
  std::optional<std::string> daemon_state;  // as in Wait

  friend bool operator==(const FuseConnection&, const FuseConnection&) = default;
};

// A process that has a pipe open to read from which a thread waits to write into.
struct PipeReader {
  std::uint64_t inode = 0;              // as in FileTarget
  std::optional<std::uint64_t> device;  // as in FileTarget; empty in earlier recordings
  Pid pid;
  std::string comm;
  std::string state;  // as in Wait

  [[nodiscard]] bool reads_from(const FileTarget& pipe) const {
    return inode == pipe.inode && device.value_or(pipe.device) == pipe.device;
  }

  friend bool operator==(const PipeReader&, const PipeReader&) = default;
};

// An NFS mount that processes see, and its operations while it was watched; without these after one
// look. One that stands still has none that ended.
struct NfsMount {
  std::string source;  // "10.0.0.9:/data"
  std::string mountpoint;
  std::optional<std::uint64_t> operations;
  std::optional<std::uint64_t> repeated;  // requests
  std::optional<std::uint64_t> major_timeouts;
  // Sums over these operations, in milliseconds: until sent, until answered, and in all.
  std::optional<std::uint64_t> queue_ms;
  std::optional<std::uint64_t> round_trip_ms;
  std::optional<std::uint64_t> execute_ms;

  friend bool operator==(const NfsMount&, const NfsMount&) = default;
};

// Of listeners in trouble, and of the processes that hold them.
struct AcceptEvidence {
  std::map<std::string, Acceptors> acceptors;               // by listener_key
  std::vector<ProcessCondition> processes;                  // by pid
  std::vector<FuseConnection> fuse;                         // by device
  std::vector<NfsMount> nfs;                                // by source and mount point
  std::vector<PipeReader> pipe_readers;                     // by inode and pid
  std::map<std::string, std::vector<LocalClient>> clients;  // by listener_key, then by pid
  std::vector<Disk> disks;              // by name; those waited for, and what is beneath
  std::optional<HungTasks> hung_tasks;  // empty: this kernel does not count them

  friend bool operator==(const AcceptEvidence&, const AcceptEvidence&) = default;
};

}  // namespace acceptq::facts
