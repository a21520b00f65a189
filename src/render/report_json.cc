#include "render/report_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "diagnose/books.h"
#include "diagnose/deltas.h"
#include "facts/json.h"
#include "facts/ledger_json.h"
#include "render/books.h"
#include "render/comparison.h"
#include "render/names.h"
#include "render/remedy_json.h"

namespace acceptq::render {
namespace {

using Json = nlohmann::ordered_json;
using diagnose::ListenerReport;

template <typename T>
Json opt(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json opt_bytes(const std::optional<std::string>& value) {
  return value ? Json(escape_bytes(*value)) : Json(nullptr);
}

Json opt_source(const std::optional<facts::Source>& source) {
  return source ? Json(facts::source_name(*source)) : Json(nullptr);
}

Json evidence_json(const diagnose::Evidence& evidence) {
  return {{"name", evidence.name},
          {"total", opt(evidence.total)},
          {"delta", opt(evidence.delta)},
          {"unit", evidence.unit},
          {"source", escape_bytes(evidence.source)}};
}

Json cause_json(const std::optional<diagnose::Cause>& cause) {
  if (!cause) return nullptr;
  Json detail = Json::object();
  for (const auto& [name, value] : cause->detail) detail[name] = escape_bytes(value);
  return {{"kind", diagnose::cause_name(cause->kind)},
          {"share", opt(cause->share)},
          {"detail", std::move(detail)}};
}

// null where the number is a placeholder.
Json netns_json(const facts::Snapshot& snapshot, NetnsId id) {
  const facts::Namespace* ns = facts::find_namespace(snapshot, id);
  return ns != nullptr && ns->pasted ? Json(nullptr) : Json(id.value());
}

Json finding_json(const facts::Snapshot& snapshot, const diagnose::Finding& finding) {
  Json evidence = Json::array();
  for (const auto& item : finding.evidence) evidence.push_back(evidence_json(item));
  Json remedies = Json::array();
  for (const auto& item : finding.remedies) remedies.push_back(remedy_json(item));
  return {{"id", finding.id},
          {"severity", name_of(finding.severity)},
          {"title", finding.title},
          {"explanation", escape_bytes(finding.explanation)},
          {"listener", opt_bytes(finding.listener)},
          {"netns", finding.netns ? netns_json(snapshot, *finding.netns) : Json(nullptr)},
          {"confidence", finding.confidence},
          {"cause", cause_json(finding.cause)},
          {"evidence", std::move(evidence)},
          {"remedies", std::move(remedies)}};
}

Json owner_json(Pid pid, const facts::Process* process) {
  Json json = {{"pid", pid.value()}, {"fds", Json::array()}, {"comm", nullptr},
               {"exe", nullptr},     {"container", nullptr}, {"pod", nullptr}};
  if (process == nullptr) return json;
  json["comm"] = escape_bytes(process->comm);
  json["exe"] = opt_bytes(process->exe);
  if (process->container) {
    json["container"] = {{"id", escape_bytes(process->container->id)},
                         {"runtime", opt_bytes(process->container->runtime)},
                         {"name", opt_bytes(process->container->name)}};
  }
  if (process->pod) {
    json["pod"] = {{"namespace", opt_bytes(process->pod->ns)},
                   {"name", opt_bytes(process->pod->name)},
                   {"uid", opt_bytes(process->pod->uid)}};
  }
  return json;
}

// One for each process, with all its descriptors: owners are ordered by process.
Json owners_json(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  Json owners = Json::array();
  for (const facts::OwnerRef& owner : listener.owners) {
    if (owners.empty() || owners.back().at("pid") != owner.pid.value()) {
      owners.push_back(owner_json(owner.pid, facts::find_process(snapshot, owner.pid)));
    }
    owners.back().at("fds").push_back(owner.fd);
  }
  return owners;
}

Json accept_queue_json(const facts::Listener& listener, const ListenerReport& report) {
  Json capacity = nullptr;
  if (listener.limit) capacity = facts::accept_queue_capacity(*listener.limit);
  return {{"length", listener.queue_seen ? Json(listener.accept_queue_len.value()) : Json(nullptr)},
          {"limit", listener.limit ? Json(listener.limit->value()) : Json(nullptr)},
          {"capacity", std::move(capacity)},
          {"longest", listener.queue_seen ? Json(report.longest.value()) : Json(nullptr)},
          {"hung_up", opt(listener.waiting_hung_up)},
          {"full_fraction", opt(report.full_fraction)},
          {"limit_set_by", name_of(report.limit_set_by)},
          {"stale", opt(report.stale)},
          {"backlog_requested", opt(listener.backlog_requested)},
          {"somaxconn", opt(report.somaxconn)}};
}

Json syn_queue_json(const facts::Listener& listener, const ListenerReport& report) {
  return {{"length", opt(listener.syn_queue_len)},
          {"young", opt(listener.syn_queue_young)},
          {"limit", report.syn_queue_limit ? Json(report.syn_queue_limit->value()) : Json(nullptr)},
          {"capacity", opt(report.syn_queue_capacity)},
          {"cookies", report.cookies ? Json(name_of(*report.cookies)) : Json(nullptr)}};
}

Json time_in_queue_json(const std::optional<diagnose::TimeInQueue>& time) {
  return {{"p50_ms", time ? Json(time->p50_ms) : Json(nullptr)},
          {"p99_ms", time ? opt(time->p99_ms) : Json(nullptr)},
          {"source", time ? Json(facts::source_name(time->source)) : Json(nullptr)}};
}

Json refused_json(const diagnose::Refused& refused) {
  Json top = nullptr;
  if (refused.attempts) {
    top = Json::array();
    for (const facts::RefusedClient& client : refused.top) {
      top.push_back(
          {{"address", client.address.to_string()},
           {"attempts", client.attempts},
           {"packets", client.packets},
           {"route", client.route ? Json(facts::route_name(*client.route)) : Json(nullptr)}});
    }
  }
  return {{"packets",
           {{"total", opt(refused.total)},
            {"at_syn", opt(refused.at_syn)},
            {"at_ack", opt(refused.at_ack)}}},
          {"attempts", opt(refused.attempts)},
          {"recovered", opt(refused.recovered)},
          {"gave_up", opt(refused.gave_up)},
          {"addresses", opt(refused.addresses)},
          {"top", std::move(top)},
          {"source", opt_source(refused.source)},
          {"at_least", refused.at_least}};
}

// Lengths by the time since the incident.
Json timeline_json(const facts::Observation& observation, const std::string& key) {
  const auto line = observation.timeline.find(key);
  if (!observation.incident || line == observation.timeline.end()) return nullptr;
  Json points = Json::array();
  for (const facts::QueuePoint& point : line->second) {
    points.push_back(
        {{"seconds", static_cast<double>(point.at_ns - observation.incident->at_ns) / 1e9},
         {"length", point.length.value()}});
  }
  return points;
}

// Parts in which nothing happened are left out.
Json course_json(const std::optional<facts::HandshakeCourse>& course) {
  if (!course) return nullptr;
  const double part_s = static_cast<double>(course->part_ns) / 1e9;
  Json parts = Json::array();
  for (const facts::CoursePart& part : course->parts) {
    parts.push_back({{"seconds", part.index * part_s},
                     {"attempts", part.attempts},
                     {"refused", part.refused},
                     {"syn_unanswered", part.unanswered},
                     {"ack_unheard", part.unheard},
                     {"resets", part.resets},
                     {"slow", part.slow}});
  }
  return {{"at", course->realtime_ns ? Json(utc_time(*course->realtime_ns)) : Json(nullptr)},
          {"part_seconds", part_s},
          {"parts", std::move(parts)}};
}

Json accept_course_json(const std::optional<diagnose::AcceptCourse>& course) {
  if (!course) return nullptr;
  Json waits = Json::array();
  for (const diagnose::AcceptCourse::Line& line : course->lines) {
    Json shares = Json::array();
    for (const std::optional<double>& share : line.shares) shares.push_back(opt(share));
    waits.push_back({{"class", line.what}, {"share", line.share}, {"shares", std::move(shares)}});
  }
  return {
      {"seconds", course->from_s}, {"part_seconds", course->part_s}, {"waits", std::move(waits)}};
}

Json incident_json(const facts::Observation& observation) {
  if (!observation.incident) return nullptr;
  return {{"at", utc_time(incident_realtime_ns(observation))},
          {"waited_seconds", observation.incident->waited_seconds}};
}

Json listener_json(const facts::Listener& listener, const ListenerReport& report,
                   const facts::Observation& observation) {
  const facts::Snapshot& snapshot = observation.after;
  const bool tcp = listener.protocol == facts::Protocol::kTcp;
  Json owners = owners_json(snapshot, listener);
  Json cookie = nullptr;
  if (listener.cookie.value() != 0) cookie = fmt::format("{:x}", listener.cookie.value());
  Json inode = nullptr;
  if (listener.inode.value() != 0 || listener.pasted_at.empty()) inode = listener.inode.value();
  return {
      {"key", escape_bytes(report.key)},
      {"protocol", tcp ? "tcp" : "unix"},
      {"mptcp", listener.mptcp},
      {"address", tcp ? Json(listener.address.to_string()) : Json(nullptr)},
      {"port", tcp ? Json(listener.port) : Json(nullptr)},
      {"path", tcp ? Json(nullptr) : Json(escape_bytes(listener.path))},
      {"netns", netns_json(snapshot, listener.netns)},
      {"pasted_at",
       listener.pasted_at.empty() ? Json(nullptr) : Json(escape_bytes(listener.pasted_at))},
      {"device", opt_bytes(listener.device)},
      {"v6only", opt(listener.v6only)},
      {"socket", {{"cookie", std::move(cookie)}, {"inode", std::move(inode)}}},
      {"reuseport_group", opt(report.reuseport_group)},
      {"verdict", name_of(report.verdict)},
      {"closed", listener.closed},
      {"accept_queue", accept_queue_json(listener, report)},
      {"timeline", timeline_json(observation, report.key)},
      {"syn_queue", syn_queue_json(listener, report)},
      {"rates",
       {{"arrivals_per_s", opt(report.arrivals_per_s)},
        {"accepts_per_s", opt(report.accepts_per_s)}}},
      {"time_in_queue", time_in_queue_json(report.time_in_queue)},
      {"estimated_wait_ms", opt(report.estimated_wait_ms)},
      {"refused", refused_json(report.refused)},
      {"syn_unanswered", opt(report.syn_unanswered)},
      {"captured", facts::captured_to_json(report.captured)},
      {"course", course_json(report.course)},
      {"accept_course", accept_course_json(report.accept_course)},
      {"socket_drops", {{"total", opt(listener.drops)}, {"delta", opt(report.socket_drops_delta)}}},
      {"owners", std::move(owners)},
      {"owners_complete", listener.owners_complete}};
}

// Of the 150 counters of a namespace most never move, and a node has hundreds of namespaces. Those
// of the listen path are there in any case, as scripts ask for them.
bool is_worth_telling(std::string_view name, std::uint64_t value) {
  constexpr std::array<std::string_view, 7> kOfTheListenPath = {
      "TcpExtListenDrops",    "TcpExtListenOverflows", "TcpExtSyncookiesFailed",
      "TcpExtSyncookiesRecv", "TcpExtSyncookiesSent",  "TcpExtTCPReqQFullDoCookies",
      "TcpExtTCPReqQFullDrop"};
  return value != 0 || std::ranges::find(kOfTheListenPath, name) != kOfTheListenPath.end();
}

// null where there were two samples, and the time between them is not known.
Json observed_json(const facts::Observation& observation) {
  const bool untimed = observation.seconds <= 0 && observation.imported &&
                       std::ranges::any_of(observation.after.namespaces, [](const auto& ns) {
                         return ns.pasted && ns.pasted->compared;
                       });
  return untimed ? Json(nullptr) : Json(observation.seconds);
}

std::optional<facts::Source> tracing_of(const facts::Observation& observation) {
  return observation.imported && !observation.tracing ? facts::Source::kImported
                                                      : observation.tracing;
}

Json namespace_json(const diagnose::Report& report, const facts::Observation& observation,
                    const facts::Namespace& ns) {
  const diagnose::NamespaceDelta delta = diagnose::namespace_delta(observation, ns.id);
  Json sysctls = Json::object();
  for (const auto& [name, sysctl] : ns.sysctls)
    sysctls[name] = opt(diagnose::sysctl_value(&ns, name));
  Json counters = Json::object();
  for (const auto& [name, value] : ns.counters) {
    if (!is_worth_telling(name, value)) continue;
    counters[name.str()] = {{"total", opt(delta.total(name))}, {"delta", opt(delta.delta(name))}};
  }
  Json books = Json::array();
  if (const diagnose::NamespaceBook* book = diagnose::book_of(report, ns.id)) {
    for (const diagnose::BookLine& line : book->lines) {
      if (is_worth_a_line(line)) books.push_back(book_line_json(line));
    }
  }
  const auto seconds = facts::seconds_of(observation, ns.id);
  return {{"id", ns.pasted ? Json(nullptr) : Json(ns.id.value())},
          {"pasted_from", ns.pasted ? Json(escape_bytes(ns.pasted->label)) : Json(nullptr)},
          {"observed_seconds", opt(seconds)},
          {"is_host", opt(ns.is_host)},
          {"held_by", facts::held_by_name(ns.held_by)},
          {"mount_path", ns.mount_path.empty() ? Json(nullptr) : Json(escape_bytes(ns.mount_path))},
          {"sysctls", std::move(sysctls)},
          {"counters", std::move(counters)},
          {"books", std::move(books)}};
}

}  // namespace

std::string report_json(const diagnose::Report& report, const facts::Observation& observation,
                        JsonLayout layout, const diagnose::Comparison* baseline) {
  const facts::Snapshot& after = observation.after;
  Json findings = Json::array();
  for (const auto& finding : report.findings) findings.push_back(finding_json(after, finding));
  Json listeners = Json::array();
  for (std::size_t i = 0; i < report.listeners.size(); ++i) {
    listeners.push_back(listener_json(after.listeners[i], report.listeners[i], observation));
  }
  Json namespaces = Json::array();
  for (const auto& ns : after.namespaces) {
    namespaces.push_back(namespace_json(report, observation, ns));
  }
  Json blind_spots = Json::array();
  for (const auto& spot : after.blind_spots) {
    blind_spots.push_back({{"id", spot.id},
                           {"scope", escape_bytes(spot.scope)},
                           {"reason", escape_bytes(spot.reason)},
                           {"cost", escape_bytes(spot.cost)},
                           {"unobserved", spot.unobserved}});
  }
  Json json = {{"schema", "acceptq.report/1"},
               {"host",
                {{"name", escape_bytes(after.host.name)},
                 {"kernel", escape_bytes(after.host.kernel)},
                 {"boot_id", escape_bytes(after.host.boot_id)},
                 {"at", after.realtime_ns != 0 ? Json(utc_time(after.realtime_ns)) : Json(nullptr)},
                 {"observed_seconds", observed_json(observation)},
                 {"tool_version", ACCEPTQ_VERSION},
                 {"scan", after.scan_method},
                 {"tracing", opt_source(tracing_of(observation))},
                 {"incident", incident_json(observation)}}},
               {"verdict", name_of(report.verdict)},
               {"findings", std::move(findings)},
               {"listeners", std::move(listeners)},
               {"namespaces", std::move(namespaces)},
               {"blind_spots", std::move(blind_spots)}};
  if (baseline != nullptr) json["baseline"] = comparison_json(*baseline);
  return printable_json(json.dump(layout == JsonLayout::kLine ? -1 : 1)) + "\n";
}

}  // namespace acceptq::render
