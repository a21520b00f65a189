// Listeners whose process is a client of another one on this host, which refuses it: an ingress in
// front of a server. Nothing is lost where users connect, and yet nothing comes back.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "diagnose/rules.h"
#include "facts/holders.h"

namespace acceptq::diagnose {
namespace {

using facts::LocalClient;

bool is_owner(const facts::Listener& listener, Pid pid) {
  return std::ranges::find(listener.owners, pid, &facts::OwnerRef::pid) != listener.owners.end();
}

// Of a server with several processes all together, by the first of them; nothing where none of them
// waits for an answer.
std::optional<LocalClient> client_behind(const facts::Listener& front,
                                         const std::vector<LocalClient>& clients) {
  std::optional<LocalClient> all;
  for (const LocalClient& client : clients) {
    if (client.connecting == 0 || !is_owner(front, client.pid)) continue;
    if (!all) {
      all = client;
      continue;
    }
    all->connecting += client.connecting;
    all->connected += client.connected;
  }
  return all;
}

std::string name_of_server(const facts::Observation& observation, const facts::Listener& listener) {
  const facts::Process* process = facts::holders_of(observation.after, listener).first();
  return process != nullptr ? process->comm : "a server";
}

// What is known of the connections that it makes.
std::string what_waits(const ListenerState& behind, const LocalClient& client) {
  if (behind.listener->protocol == facts::Protocol::kUnix) {
    return fmt::format(
        "{} of it {} there; those that find no room fail at once (EAGAIN) or wait in connect(). ",
        connections(client.connecting), client.connecting == 1 ? "waits" : "wait");
  }
  std::string text =
      fmt::format("{} that it tries to make {} no answer. ", connections(client.connecting),
                  client.connecting == 1 ? "has" : "have");
  if (client.connected > 0) {
    text += fmt::format("It has {} established, some of which may still wait in that queue. ",
                        connections(client.connected));
  }
  return text;
}

// Of one whose queue refuses, or is full, it is known why its clients wait.
bool turns_clients_away(const ListenerState& behind) {
  return behind.by_accept_queue ||
         (behind.listener->protocol == facts::Protocol::kUnix && is_full_now(behind));
}

Finding finding_of(const facts::Observation& observation, const ListenerState& front,
                   const ListenerState& behind, const LocalClient& client) {
  const bool is_unix = behind.listener->protocol == facts::Protocol::kUnix;
  const std::string peer = is_unix ? facts::listener_endpoint(*behind.listener)
                                   : facts::host_and_port(client.address, behind.listener->port);
  Finding finding = finding_about("AQ315", front);
  if (is_unix) finding.title = "it waits for a Unix socket behind it, whose queue is full";
  finding.confidence = 0.9;
  finding.cause = Cause{.kind = CauseKind::kUpstream,
                        .share = {},
                        .detail = {{"peer", peer},
                                   {"listener", behind.report.key},
                                   {"pid", std::to_string(client.pid.value())},
                                   {"connecting", std::to_string(client.connecting)},
                                   {"connected", std::to_string(client.connected)}}};
  finding.explanation = fmt::format(
      "{} waits for {} behind it ({}), whose accept queue is full: {}What that listener suffers "
      "from is said there.",
      client.comm, name_of_server(observation, *behind.listener), peer, what_waits(behind, client));
  finding.evidence.push_back({.name = "connections_without_answer",
                              .total = client.connecting,
                              .unit = "connections",
                              .source = fmt::format("/proc/{}/fd", client.pid.value())});
  return finding;
}

}  // namespace

void add_waiting_client_findings(const facts::Observation& observation,
                                 const std::vector<ListenerState>& states,
                                 std::vector<Finding>& findings) {
  const auto& all = observation.accept_evidence.clients;
  for (const ListenerState& behind : states) {
    const auto clients = all.find(behind.report.key);
    if (clients == all.end() || !turns_clients_away(behind)) continue;
    for (const ListenerState& front : states) {
      if (&front == &behind) continue;
      const std::optional<LocalClient> client = client_behind(*front.listener, clients->second);
      if (client) findings.push_back(finding_of(observation, front, behind, *client));
    }
  }
}

}  // namespace acceptq::diagnose
