#include <fmt/format.h>

#include "base/bytes.h"
#include "facts/json.h"
#include "facts/json_value.h"
#include "facts/ledger_read.h"
#include "facts/threads_json.h"

namespace acceptq::facts {
namespace {

using json::Document;
using json::Node;
using json::Value;

// Reads the member `name` into `out`.
template <typename T>
void get(const Value& value, const char* name, T& out) {
  value.member(name).read(out);
}

template <typename T>
void get(const Value& value, const char* name, std::optional<T>& out) {
  value.nullable(name).read(out);
}

template <typename T>
std::vector<T> get_all(const Value& value, const char* name, T (*read)(const Value&)) {
  std::vector<T> items;
  value.member(name).each([&](const Value& item) { items.push_back(read(item)); });
  return items;
}

BlindSpot read_blind_spot(const Value& value) {
  BlindSpot spot;
  get(value, "id", spot.id);
  get(value, "scope", spot.scope);
  get(value, "reason", spot.reason);
  get(value, "cost", spot.cost);
  get(value, "unobserved", spot.unobserved);
  return spot;
}

Sysctl read_sysctl(const Value& value) {
  Sysctl sysctl;
  int state = 0;
  value.member("state").read_name({"value", "not_namespaced", "unreadable"}, state);
  sysctl.state = static_cast<SysctlState>(state);
  get(value, "value", sysctl.value);
  get(value, "reason", sysctl.reason);
  return sysctl;
}

void read_workload(const Value& value, std::optional<Container>& container,
                   std::optional<Pod>& pod) {
  if (const Value member = value.nullable("container"); !member.is_null()) {
    Container& out = container.emplace();
    get(member, "id", out.id);
    get(member, "runtime", out.runtime);
    get(member, "name", out.name);
  }
  if (const Value member = value.nullable("pod"); !member.is_null()) {
    Pod& out = pod.emplace();
    get(member, "namespace", out.ns);
    get(member, "name", out.name);
    get(member, "uid", out.uid);
  }
}

Namespace read_namespace(const Value& value) {
  Namespace ns;
  get(value, "id", ns.id);
  if (const Value pasted = value.nullable("pasted"); !pasted.is_null()) {
    Pasted& out = ns.pasted.emplace();
    get(pasted, "label", out.label);
    get(pasted, "all_listeners", out.all_listeners);
    get(pasted, "compared", out.compared);
    get(pasted, "seconds", out.seconds);
    if (pasted.has("superseded")) get(pasted, "superseded", out.superseded);
    if (pasted.has("increments")) get(pasted, "increments", out.increments);
    if (pasted.has("addresses")) {
      pasted.member("addresses").each([&](const Value& item) {
        item.read(out.addresses.emplace_back());
      });
    }
    read_workload(pasted, out.container, out.pod);
  }
  get(value, "is_host", ns.is_host);
  if (value.has("own_container")) get(value, "own_container", ns.own_container);
  int held_by = 0;
  value.member("held_by").read_name({"process", "mount", "descriptor", "unknown"}, held_by);
  ns.held_by = static_cast<HeldBy>(held_by);
  get(value, "mount_path", ns.mount_path);
  value.member("pids").each([&](const Value& item) { item.read(ns.pids.emplace_back()); });
  if (const Value cookie = value.nullable("cookie"); !cookie.is_null()) {
    cookie.read_hex(ns.cookie.emplace());
  }
  value.member("sysctls").each_member(
      [&](const std::string& name, const Value& item) { ns.sysctls[name] = read_sysctl(item); });
  get(value, "counters_source", ns.counters_source);
  value.member("counters").each_member([&](const std::string& name, const Value& item) {
    item.read(ns.counters[name]);
  });
  return ns;
}

OwnerRef read_owner(const Value& value) {
  OwnerRef owner;
  get(value, "pid", owner.pid);
  get(value, "fd", owner.fd);
  return owner;
}

Listener read_listener(const Value& value) {
  Listener listener;
  int protocol = 0;
  value.member("protocol").read_name({"tcp", "unix"}, protocol);
  listener.protocol = static_cast<Protocol>(protocol);
  get(value, "mptcp", listener.mptcp);
  get(value, "netns", listener.netns);
  if (listener.protocol == Protocol::kTcp) {
    std::string address;
    get(value, "address", address);
    if (const auto parsed = IpAddress::parse(address)) {
      listener.address = *parsed;
    } else {
      value.member("address").wrong("an IP address");
    }
    get(value, "port", listener.port);
  } else {
    get(value, "path", listener.path);
  }
  get(value, "ifindex", listener.ifindex);
  get(value, "device", listener.device);
  get(value, "v6only", listener.v6only);
  get(value, "reuseport", listener.reuseport);
  std::uint64_t cookie = 0;
  value.member("cookie").read_hex(cookie);
  listener.cookie = SocketCookie(cookie);
  get(value, "inode", listener.inode);
  get(value, "uid", listener.uid);
  get(value, "cgroup_id", listener.cgroup_id);
  if (value.has("queue_seen")) get(value, "queue_seen", listener.queue_seen);
  get(value, "accept_queue_len", listener.accept_queue_len);
  get(value, "limit", listener.limit);
  get(value, "resized_from", listener.resized_from);
  get(value, "syn_queue_len", listener.syn_queue_len);
  get(value, "syn_queue_young", listener.syn_queue_young);
  if (value.has("defer_accept")) get(value, "defer_accept", listener.defer_accept);
  if (value.has("waiting_seen")) get(value, "waiting_seen", listener.waiting_seen);
  if (value.has("waiting_hung_up")) get(value, "waiting_hung_up", listener.waiting_hung_up);
  // One says nothing without the other.
  if (!listener.waiting_seen || !listener.waiting_hung_up) {
    listener.waiting_seen.reset();
    listener.waiting_hung_up.reset();
  }
  get(value, "drops", listener.drops);
  get(value, "backlog_requested", listener.backlog_requested);
  if (value.has("closed")) get(value, "closed", listener.closed);
  if (const Value place = value.nullable("pasted_at"); !place.is_null()) {
    place.read(listener.pasted_at);
  }
  listener.owners = get_all(value, "owners", read_owner);
  get(value, "owners_complete", listener.owners_complete);
  return listener;
}

Process read_process(const Value& value) {
  Process process;
  get(value, "pid", process.pid);
  get(value, "parent", process.parent);
  get(value, "start_ticks", process.start_ticks);
  get(value, "comm", process.comm);
  get(value, "exe", process.exe);
  get(value, "uid", process.uid);
  get(value, "cgroup", process.cgroup);
  get(value, "netns", process.netns);
  read_workload(value, process.container, process.pod);
  // Recordings of before these were read have none of them.
  if (value.has("program")) get(value, "program", process.program);
  if (value.has("language")) get(value, "language", process.language);
  if (value.has("open_files")) get(value, "open_files", process.open_files);
  if (value.has("open_files_limit")) get(value, "open_files_limit", process.open_files_limit);
  return process;
}

Translation read_translation(const Value& value) {
  Translation translation;
  get(value, "netns", translation.netns);
  read_address(value.member("address"), translation.address);
  get(value, "port", translation.port);
  read_address(value.member("to_address"), translation.to_address);
  get(value, "to_port", translation.to_port);
  get(value, "to_netns", translation.to_netns);
  value.member("connections").read_count(translation.connections);
  return translation;
}

Snapshot read_snapshot(const Value& value) {
  Snapshot snapshot;
  const Value host = value.member("host");
  get(host, "name", snapshot.host.name);
  get(host, "kernel", snapshot.host.kernel);
  get(host, "boot_id", snapshot.host.boot_id);
  get(value, "realtime_ns", snapshot.realtime_ns);
  get(value, "monotonic_ns", snapshot.monotonic_ns);
  get(value, "scan_method", snapshot.scan_method);
  snapshot.namespaces = get_all(value, "namespaces", read_namespace);
  snapshot.listeners = get_all(value, "listeners", read_listener);
  snapshot.processes = get_all(value, "processes", read_process);
  snapshot.blind_spots = get_all(value, "blind_spots", read_blind_spot);
  // Recordings of before these were looked up have none.
  if (value.has("translations")) {
    snapshot.translations = get_all(value, "translations", read_translation);
  }
  normalize(snapshot);
  return snapshot;
}

// The members of an object whose names are listener keys.
template <typename Visit>
void each_key(const Value& value, const Visit& visit) {
  value.each_member([&](const std::string& escaped, const Value& item) {
    const std::optional<std::string> key = unescape_bytes(escaped);
    if (!key) return item.wrong("a key whose backslashes are \\\\ or \\xHH");
    visit(*key, item);
  });
}

DeadSyn read_dead_syn(const Value& value) {
  DeadSyn syn;
  get(value, "netns", syn.netns);
  read_address(value.member("address"), syn.address);
  get(value, "port", syn.port);
  get(value, "reason", syn.reason);
  value.member("packets").read_count(syn.packets);
  // Recordings of before these were counted have none.
  if (value.has("after_syn")) get(value, "after_syn", syn.after_syn);
  return syn;
}

Observation read_observation(const Value& value) {
  Observation observation;
  get(value, "seconds", observation.seconds);
  if (value.has("imported")) get(value, "imported", observation.imported);
  if (const Value tracing = value.nullable("tracing"); !tracing.is_null()) {
    observation.tracing = read_source(tracing);
  }
  each_key(value.member("samples"), [&](const std::string& key, const Value& item) {
    QueueSamples& queue = observation.samples[key];
    get(item, "count", queue.count);
    get(item, "full", queue.full);
    get(item, "longest", queue.longest);
  });
  // Recordings of before there was tracing have none of these.
  if (const Value incident = value.nullable("incident"); !incident.is_null()) {
    Incident& out = observation.incident.emplace();
    get(incident, "at_ns", out.at_ns);
    get(incident, "waited_seconds", out.waited_seconds);
  }
  if (value.has("timeline")) {
    each_key(value.member("timeline"), [&](const std::string& key, const Value& item) {
      auto& points = observation.timeline[key];
      item.each([&](const Value& point) {
        QueuePoint& read = points.emplace_back();
        get(point, "at_ns", read.at_ns);
        get(point, "length", read.length);
      });
    });
  }
  if (value.has("ledgers")) observation.ledgers = get_all(value, "ledgers", read_ledger);
  if (value.has("dead_syns") && !value.member("dead_syns").is_null()) {
    observation.dead_syns = get_all(value, "dead_syns", read_dead_syn);
  }
  if (const Value evidence = value.nullable("accept_evidence"); !evidence.is_null()) {
    observation.accept_evidence = read_evidence(evidence);
  }
  observation.before = read_snapshot(value.member("before"));
  observation.after = read_snapshot(value.member("after"));
  const auto in_order = [&](const char* name, std::int64_t before, std::int64_t after) {
    if (after >= before) return;
    value.member("after").member(name).wrong(
        fmt::format("a time that is not before that of $.before.{0} ({1})", name, before));
  };
  in_order("monotonic_ns", observation.before.monotonic_ns, observation.after.monotonic_ns);
  in_order("realtime_ns", observation.before.realtime_ns, observation.after.realtime_ns);
  return observation;
}

}  // namespace

Result<Observation> observation_from_json(std::string_view text) {
  const Result<Node> tree = json::parse(text);
  if (!tree) return fail(tree.error());
  Document document{.text = text, .error = {}};
  const Value root(*tree, "$", document);
  std::string schema;
  get(root, "schema", schema);
  if (!document.error && schema != kObservationSchema) {
    root.member("schema").wrong(fmt::format("\"{}\"", kObservationSchema));
  }
  Observation observation;
  if (!document.error) observation = read_observation(root);
  if (document.error) return fail(std::move(*document.error));
  return observation;
}

}  // namespace acceptq::facts
