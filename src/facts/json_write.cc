#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "facts/json.h"
#include "facts/ledger_json.h"
#include "facts/threads_json.h"

namespace acceptq::facts {
namespace {

using Json = nlohmann::ordered_json;

// null for an empty optional.
template <typename T>
Json opt(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json opt_bytes(const std::optional<std::string>& value) {
  return value ? Json(escape_bytes(*value)) : Json(nullptr);
}

Json write(const BlindSpot& spot) {
  return {{"id", spot.id},
          {"scope", escape_bytes(spot.scope)},
          {"reason", escape_bytes(spot.reason)},
          {"cost", escape_bytes(spot.cost)},
          {"unobserved", spot.unobserved}};
}

Json write(const Sysctl& sysctl) {
  constexpr const char* kStates[] = {"value", "not_namespaced", "unreadable"};
  return {{"state", kStates[static_cast<int>(sysctl.state)]},
          {"value", sysctl.value},
          {"reason", sysctl.reason}};
}

Json write(const std::optional<Container>& container) {
  if (!container) return nullptr;
  return {{"id", escape_bytes(container->id)},
          {"runtime", opt_bytes(container->runtime)},
          {"name", opt_bytes(container->name)}};
}

Json write(const std::optional<Pod>& pod) {
  if (!pod) return nullptr;
  return {{"namespace", opt_bytes(pod->ns)},
          {"name", opt_bytes(pod->name)},
          {"uid", opt_bytes(pod->uid)}};
}

Json write(const std::optional<Pasted>& pasted) {
  if (!pasted) return nullptr;
  Json addresses = Json::array();
  for (const std::string& address : pasted->addresses) addresses.push_back(escape_bytes(address));
  return {{"label", escape_bytes(pasted->label)}, {"all_listeners", pasted->all_listeners},
          {"compared", pasted->compared},         {"seconds", opt(pasted->seconds)},
          {"superseded", pasted->superseded},     {"addresses", std::move(addresses)},
          {"increments", pasted->increments},     {"pod", write(pasted->pod)},
          {"container", write(pasted->container)}};
}

Json write(const Namespace& ns) {
  Json pids = Json::array();
  for (const Pid pid : ns.pids) pids.push_back(pid.value());
  Json sysctls = Json::object();
  for (const auto& [name, sysctl] : ns.sysctls) sysctls[name] = write(sysctl);
  Json counters = Json::object();
  for (const auto& [name, value] : ns.counters) counters[name.str()] = value;
  return {{"id", ns.id.value()},
          {"pasted", write(ns.pasted)},
          {"is_host", opt(ns.is_host)},
          {"own_container", ns.own_container},
          {"held_by", held_by_name(ns.held_by)},
          {"mount_path", escape_bytes(ns.mount_path)},
          {"pids", std::move(pids)},
          {"cookie", ns.cookie ? Json(fmt::format("{:x}", *ns.cookie)) : Json(nullptr)},
          {"sysctls", std::move(sysctls)},
          {"counters_source", escape_bytes(ns.counters_source)},
          {"counters", std::move(counters)}};
}

Json write(const Listener& listener) {
  Json owners = Json::array();
  for (const OwnerRef& owner : listener.owners) {
    owners.push_back({{"pid", owner.pid.value()}, {"fd", owner.fd}});
  }
  const bool tcp = listener.protocol == Protocol::kTcp;
  return {{"protocol", tcp ? "tcp" : "unix"},
          {"mptcp", listener.mptcp},
          {"netns", listener.netns.value()},
          {"address", tcp ? Json(listener.address.to_string()) : Json(nullptr)},
          {"port", tcp ? Json(listener.port) : Json(nullptr)},
          {"path", tcp ? Json(nullptr) : Json(escape_bytes(listener.path))},
          {"ifindex", opt(listener.ifindex)},
          {"device", opt_bytes(listener.device)},
          {"v6only", opt(listener.v6only)},
          {"reuseport", opt(listener.reuseport)},
          {"cookie", fmt::format("{:x}", listener.cookie.value())},
          {"inode", listener.inode.value()},
          {"uid", opt(listener.uid)},
          {"cgroup_id", opt(listener.cgroup_id)},
          {"queue_seen", listener.queue_seen},
          {"accept_queue_len", listener.accept_queue_len.value()},
          {"limit", listener.limit ? Json(listener.limit->value()) : Json(nullptr)},
          {"resized_from",
           listener.resized_from ? Json(listener.resized_from->value()) : Json(nullptr)},
          {"syn_queue_len", opt(listener.syn_queue_len)},
          {"syn_queue_young", opt(listener.syn_queue_young)},
          {"defer_accept", opt(listener.defer_accept)},
          {"waiting_seen", opt(listener.waiting_seen)},
          {"waiting_hung_up", opt(listener.waiting_hung_up)},
          {"drops", opt(listener.drops)},
          {"backlog_requested", opt(listener.backlog_requested)},
          {"closed", listener.closed},
          {"pasted_at",
           listener.pasted_at.empty() ? Json(nullptr) : Json(escape_bytes(listener.pasted_at))},
          {"owners", std::move(owners)},
          {"owners_complete", listener.owners_complete}};
}

Json write(const Process& process) {
  return {{"pid", process.pid.value()},
          {"parent", process.parent.value()},
          {"start_ticks", process.start_ticks},
          {"comm", escape_bytes(process.comm)},
          {"exe", opt_bytes(process.exe)},
          {"uid", opt(process.uid)},
          {"cgroup", opt_bytes(process.cgroup)},
          {"netns", process.netns ? Json(process.netns->value()) : Json(nullptr)},
          {"container", write(process.container)},
          {"pod", write(process.pod)},
          {"program", opt_bytes(process.program)},
          {"language", opt_bytes(process.language)},
          {"open_files", opt(process.open_files)},
          {"open_files_limit", opt(process.open_files_limit)}};
}

Json write(const DeadSyn& syn) {
  return {{"netns", syn.netns.value()}, {"address", syn.address.to_string()},
          {"port", syn.port},           {"reason", escape_bytes(syn.reason)},
          {"packets", syn.packets},     {"after_syn", syn.after_syn}};
}

Json write(const Translation& translation) {
  const auto& to = translation.to_netns;
  return {{"netns", translation.netns.value()},
          {"address", translation.address.to_string()},
          {"port", translation.port},
          {"to_address", translation.to_address.to_string()},
          {"to_port", translation.to_port},
          {"to_netns", to ? Json(to->value()) : Json(nullptr)},
          {"connections", translation.connections}};
}

template <typename T>
Json write_all(const std::vector<T>& items) {
  Json array = Json::array();
  for (const T& item : items) array.push_back(write(item));
  return array;
}

Json write(const Snapshot& snapshot) {
  return {{"host",
           {{"name", escape_bytes(snapshot.host.name)},
            {"kernel", escape_bytes(snapshot.host.kernel)},
            {"boot_id", escape_bytes(snapshot.host.boot_id)}}},
          {"realtime_ns", snapshot.realtime_ns},
          {"monotonic_ns", snapshot.monotonic_ns},
          {"scan_method", snapshot.scan_method},
          {"namespaces", write_all(snapshot.namespaces)},
          {"listeners", write_all(snapshot.listeners)},
          {"processes", write_all(snapshot.processes)},
          {"blind_spots", write_all(snapshot.blind_spots)},
          {"translations", write_all(snapshot.translations)}};
}

}  // namespace

const char* source_name(Source source) {
  switch (source) {
    case Source::kFunctions:
      return "functions";
    case Source::kTracepoints:
      return "tracepoints";
    case Source::kPackets:
      return "packets";
    case Source::kCounters:
      return "counters";
    case Source::kSocketDrops:
      return "socket_drops";
    case Source::kImported:
      return "imported";
    case Source::kSimulated:
      return "simulated";
  }
  return "imported";
}

const char* held_by_name(HeldBy held_by) {
  switch (held_by) {
    case HeldBy::kProcess:
      return "process";
    case HeldBy::kMount:
      return "mount";
    case HeldBy::kDescriptor:
      return "descriptor";
    case HeldBy::kUnknown:
      return "unknown";
  }
  return "unknown";
}

std::string to_json(const Observation& observation) {
  Json samples = Json::object();
  for (const auto& [key, queue] : observation.samples) {
    samples[escape_bytes(key)] = {
        {"count", queue.count}, {"full", queue.full}, {"longest", queue.longest.value()}};
  }
  Json incident = nullptr;
  if (observation.incident) {
    incident = {{"at_ns", observation.incident->at_ns},
                {"waited_seconds", observation.incident->waited_seconds}};
  }
  Json timeline = Json::object();
  for (const auto& [key, points] : observation.timeline) {
    Json list = Json::array();
    for (const QueuePoint& point : points) {
      list.push_back({{"at_ns", point.at_ns}, {"length", point.length.value()}});
    }
    timeline[escape_bytes(key)] = std::move(list);
  }
  Json ledgers = Json::array();
  for (const Ledger& ledger : observation.ledgers) ledgers.push_back(ledger_to_json(ledger));
  Json dead_syns = nullptr;
  if (observation.dead_syns) dead_syns = write_all(*observation.dead_syns);
  const Json json = {
      {"schema", kObservationSchema},
      {"seconds", observation.seconds},
      {"imported", observation.imported},
      {"tracing", observation.tracing ? Json(source_name(*observation.tracing)) : Json(nullptr)},
      {"samples", std::move(samples)},
      {"incident", std::move(incident)},
      {"timeline", std::move(timeline)},
      {"ledgers", std::move(ledgers)},
      {"dead_syns", std::move(dead_syns)},
      {"accept_evidence", evidence_to_json(observation.accept_evidence)},
      {"before", write(observation.before)},
      {"after", write(observation.after)}};
  return printable_json(json.dump(1)) + "\n";
}

}  // namespace acceptq::facts
