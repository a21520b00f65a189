#include "facts/threads_json.h"

#include "facts/disks_json.h"
#include "facts/json_fields.h"

// Found by their arguments, where an unnamed namespace is not looked into; so they are static.
namespace acceptq::facts {

static const char* name_of(AcceptLink link) { return accept_link_name(link).data(); }

static void read_name(const json::Value& value, AcceptLink& link) {
  int index = 0;
  value.read_name({"accept", "poll", "epoll", "owner"}, index);
  link = static_cast<AcceptLink>(index);
}

static const char* name_of(Polled polled) { return polled_name(polled).data(); }

static void read_name(const json::Value& value, Polled& polled) {
  int index = 0;
  value.read_name({"nothing", "pipes", "connections", "clients"}, index);
  polled = static_cast<Polled>(index);
}

static void fields(auto& archive, FileTarget& target) {
  archive("type", target.type);
  archive("device", target.device);
  archive("inode", target.inode);
  archive("path", target.path);
  archive("source", target.source);
  archive("protocol", target.protocol);
  archive("local", target.local);
  archive("local_port", target.local_port);
  archive("peer", target.peer);
  archive("peer_port", target.peer_port);
  archive("answer_due", target.answer_due);
}

static void fields(auto& archive, Wait& wait) {
  archive("state", wait.state);
  archive("syscall", wait.syscall);
  archive("fd", wait.fd);
  archive("target", wait.target);
  archive("polled", wait.polled);
  archive("lock", wait.lock);
  archive("contended", wait.contended);
  archive("timed", wait.timed);
  archive("stack", wait.stack);
  archive("looks", wait.looks);
  archive("when", wait.when);
}

static void fields(auto& archive, LookParts& parts) {
  archive("begin_ns", parts.begin_ns);
  archive("part_ns", parts.part_ns);
}

static void fields(auto& archive, ThreadTimes& times) {
  archive("user_ns", times.user_ns);
  archive("system_ns", times.system_ns);
  archive("delay_ns", times.delay_ns);
  archive("voluntary", times.voluntary);
  archive("involuntary", times.involuntary);
  archive("major_faults", times.major_faults);
}

static void fields(auto& archive, BlockedTime& blocked) {
  archive("state", blocked.state);
  archive("syscall", blocked.syscall);
  archive("stack", blocked.stack);
  archive("ns", blocked.ns);
  archive("times", blocked.times);
  archive("woken", blocked.woken);
}

static void fields(auto& archive, ExactTime& exact) {
  archive("counted_ns", exact.counted_ns);
  archive("on_core_ns", exact.on_core_ns);
  archive("ready_ns", exact.ready_ns);
  archive("unplaced_ns", exact.unplaced_ns);
  archive("blocked", exact.blocked);
}

static void fields(auto& archive, ThreadWatch& thread) {
  archive("pid", thread.pid);
  archive("tid", thread.tid);
  archive("comm", thread.comm);
  archive("link", thread.link);
  archive("looks", thread.looks);
  archive("watched_ns", thread.watched_ns);
  archive("times", thread.times);
  archive("waits", thread.waits);
  archive("closed", thread.closed);
  archive("exact", thread.exact);
}

static void fields(auto& archive, HeldConnections& held) {
  archive("pid", held.pid);
  archive("most", held.most);
  archive("silent", held.silent);
  archive("asked", held.asked);
  archive("unanswered", held.unanswered);
  archive("mean", held.mean);
  archive("mean_asked", held.mean_asked);
  archive("peer", held.peer);
  archive("peer_port", held.peer_port);
}

static void fields(auto& archive, Acceptors& acceptors) {
  archive("queue_looks", acceptors.queue_looks);
  archive("waited_for", acceptors.waited_for);
  archive("in_epoll", acceptors.in_epoll);
  archive("parts", acceptors.parts);
  archive("threads", acceptors.threads);
  archive("threads_left_out", acceptors.threads_left_out);
  archive("held", acceptors.held);
}

static void fields(auto& archive, CpuGroup& group) {
  archive("path", group.path);
  archive("version", group.version);
  archive("quota_us", group.quota_us);
  archive("period_us", group.period_us);
  archive("periods", group.periods);
  archive("throttled", group.throttled);
  archive("throttled_ns", group.throttled_ns);
}

static void fields(auto& archive, MemoryGroup& group) {
  archive("path", group.path);
  archive("version", group.version);
  archive("high_bytes", group.high_bytes);
  archive("max_bytes", group.max_bytes);
  archive("above_high", group.above_high);
  archive("at_max", group.at_max);
  archive("stalled_us", group.stalled_us);
}

static void fields(auto& archive, ProcessCondition& process) {
  archive("pid", process.pid);
  archive("tracer", process.tracer);
  archive("dumping_core", process.dumping_core);
  archive("frozen_group", process.frozen_group);
  archive("cpu_groups", process.cpu_groups);
  archive("cpu_groups_seen", process.cpu_groups_seen);
  archive("memory_groups", process.memory_groups);
}

static void fields(auto& archive, FuseConnection& fuse) {
  archive("device", fuse.device);
  archive("mountpoint", fuse.mountpoint);
  archive("type", fuse.type);
  archive("waiting", fuse.waiting);
  archive("daemon", fuse.daemon);
  archive("daemon_comm", fuse.daemon_comm);
  archive("daemon_state", fuse.daemon_state);
}

static void fields(auto& archive, NfsMount& mount) {
  archive("source", mount.source);
  archive("mountpoint", mount.mountpoint);
  archive("operations", mount.operations);
  archive("repeated", mount.repeated);
  archive("major_timeouts", mount.major_timeouts);
  archive("queue_ms", mount.queue_ms);
  archive("round_trip_ms", mount.round_trip_ms);
  archive("execute_ms", mount.execute_ms);
}

static void fields(auto& archive, PipeReader& reader) {
  archive("inode", reader.inode);
  archive("device", reader.device);
  archive("pid", reader.pid);
  archive("comm", reader.comm);
  archive("state", reader.state);
}

static void fields(auto& archive, LocalClient& client) {
  archive("pid", client.pid);
  archive("comm", client.comm);
  archive("address", client.address);
  archive("connecting", client.connecting);
  archive("connected", client.connected);
}

static void fields(auto& archive, AcceptEvidence& evidence) {
  archive("acceptors", evidence.acceptors);
  archive("processes", evidence.processes);
  archive("fuse", evidence.fuse);
  archive("nfs", evidence.nfs);
  archive("pipe_readers", evidence.pipe_readers);
  archive("clients", evidence.clients);
  archive("disks", evidence.disks);
  archive("hung_tasks", evidence.hung_tasks);
}

nlohmann::ordered_json evidence_to_json(const AcceptEvidence& evidence) {
  return json::FieldWriter::write(evidence);
}

AcceptEvidence read_evidence(const json::Value& value) {
  AcceptEvidence evidence;
  json::FieldReader::read(value, evidence);
  return evidence;
}

}  // namespace acceptq::facts
