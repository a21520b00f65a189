#include "remedy/limit_forms.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "remedy/somaxconn_forms.h"

namespace acceptq::remedy {
namespace {

using diagnose::LimitSetBy;
using diagnose::Remedy;

// What limits the queue once somaxconn is out of the way.
std::string behind_somaxconn(const Subject& subject) {
  const std::uint32_t limit = subject.listener.limit->value();
  const Server* server = subject.server.server;
  if (server != nullptr && server->asks_somaxconn) {
    return usual_request(subject) + " when it is started.";
  }
  if (server != nullptr && server->default_backlog && *server->default_backlog > limit) {
    if (*server->default_backlog >= subject.wanted) {
      return fmt::format("{}'s own backlog, {} by default, allows it.", server->name,
                         *server->default_backlog);
    }
    return fmt::format("{}'s own backlog, {} by default, becomes the limit: raise both.",
                       server->name, *server->default_backlog);
  }
  return fmt::format(
      "{}'s own backlog, the number that it passes to listen(), may become the limit.",
      server_name(subject));
}

// What is known of the backlog that the server passes to listen().
std::string present_backlog(const Subject& subject, const Server& server) {
  const std::uint32_t limit = subject.listener.limit ? subject.listener.limit->value() : 0;
  const auto& usual = server.default_backlog;
  if (subject.report.limit_set_by == LimitSetBy::kSomaxconn || lacks_restart(subject)) {
    return usual ? fmt::format("{} by default", *usual) : fmt::format("{} or more", limit);
  }
  if (usual == limit) return fmt::format("{} is its default", limit);
  // listen() may have been given more than an unknown somaxconn granted.
  return fmt::format("now {}{}", limit, subject.report.somaxconn ? "" : " or more");
}

// "Apache Tomcat (acceptCount) or Akka HTTP (backlog)": enough to know one's own again.
std::string settings_of(const std::vector<const Server*>& servers) {
  constexpr std::size_t kNamed = 4;
  std::string text;
  for (std::size_t i = 0; i < servers.size() && i < kNamed; ++i) {
    text += i == 0 ? "" : i + 1 < servers.size() ? ", " : " or ";
    text += servers[i]->name;
    if (!servers[i]->key.empty()) text += fmt::format(" ({})", servers[i]->key);
  }
  return servers.size() > kNamed ? text + " and others" : text;
}

void add_unit_form(const Subject& subject, const std::string& then, std::vector<Remedy>& remedies) {
  std::string summary =
      "Raise Backlog= of the socket unit: systemd made this listener (systemctl list-sockets shows "
      "the unit).";
  if (!subject.holders.servers.empty()) {
    summary += fmt::format(" Where {} calls listen() again, its own backlog counts instead.",
                           subject.holders.servers.front()->comm);
  }
  remedies.push_back({.form = "systemd.socket",
                      .summary = std::move(summary),
                      .content = fmt::format("[Socket]\nBacklog={}", subject.wanted),
                      .takes_effect = "restart",
                      .then = then,
                      .lengthens = true});
}

std::string behind_backlog(const Subject& subject) {
  const auto& somaxconn = subject.report.somaxconn;
  if (!somaxconn) {
    return "net.core.somaxconn of its namespace, which is not known, bounds it: raise both.";
  }
  if (std::cmp_less(*somaxconn, subject.wanted)) {
    return fmt::format("net.core.somaxconn of its namespace, {}, becomes the limit: raise both.",
                       *somaxconn);
  }
  return fmt::format("net.core.somaxconn of its namespace, {}, allows it.", *somaxconn);
}

// Of a server that the table does not know.
Remedy unknown_server_form(const Subject& subject) {
  const std::uint32_t limit = subject.listener.limit ? subject.listener.limit->value() : 0;
  // It may ask for more than it got.
  const bool clamped =
      subject.report.limit_set_by == LimitSetBy::kSomaxconn ||
      (subject.report.limit_set_by == LimitSetBy::kUnknown && may_be_somaxconn(subject));
  Remedy remedy{
      .form = "application",
      .summary = fmt::format("Have {} pass a larger backlog to listen()", server_name(subject)),
      .takes_effect = "restart"};
  remedy.summary +=
      clamped ? fmt::format(", unless it asks for {} already.", subject.wanted)
              : fmt::format(" (now {}{}).", limit, subject.report.somaxconn ? "" : " or more");
  if (!subject.server.alike.empty() && !clamped) {
    remedy.summary += fmt::format(" {} is the default of {}, if it is one of these.", limit,
                                  settings_of(subject.server.alike));
  }
  return remedy;
}

Remedy known_server_form(const Subject& subject, const Server& server) {
  Remedy remedy{.form = "application", .takes_effect = "restart"};
  if (server.key.empty()) {
    remedy.summary = fmt::format("{} has no setting for its backlog.", server_name(subject));
    return remedy;
  }
  const bool reload = server.apply == ApplyBy::kReload;
  remedy.summary =
      fmt::format("Raise {}'s own backlog ({}): {}. It takes effect after a {}.", server.name,
                  present_backlog(subject, server), server.key, reload ? "reload" : "restart");
  if (!subject.server.alike.empty()) {
    remedy.summary +=
        fmt::format(" (Its limit is also the default of {}.)", settings_of(subject.server.alike));
  }
  const bool tcp = subject.listener.protocol == facts::Protocol::kTcp;
  remedy.content =
      fill_example(server, {.endpoint = facts::listener_endpoint(subject.listener),
                            .port = tcp ? std::optional(subject.listener.port) : std::nullopt,
                            .backlog = subject.wanted});
  remedy.takes_effect = reload ? "reload" : "restart";
  return remedy;
}

}  // namespace

Remedy see_limit(const Subject& subject) {
  Remedy remedy{
      .form = "inspect",
      .summary =
          "Read the limit: it is the Send-Q of ss -lnt, and a queue is full where Recv-Q is "
          "greater.",
      .content = "ss -lntp",
      .takes_effect = "now"};
  // One more than the limit fits.
  const std::uint32_t waiting = subject.listener.accept_queue_len.value();
  const facts::Process* process = subject.holders.first();
  if (process == nullptr || waiting < 2) return remedy;
  const ServerMatch match = find_server(*process, waiting - 1);
  std::vector<const Server*> alike = match.alike;
  if (match.server != nullptr && match.server->default_backlog == waiting - 1) {
    alike = {match.server};
  }
  if (alike.empty()) return remedy;
  remedy.summary += fmt::format(
      " {} is the default of {}: if that is its limit, the queue is full, for one more fits.",
      waiting - 1, settings_of(alike));
  return remedy;
}

std::string usual_request(const Subject& subject) {
  const Server& server = *subject.server.server;
  const std::string name = server_name(subject);
  if (!server.asks_somaxconn) {
    return fmt::format("{} asks for {} by default", name, *server.default_backlog);
  }
  return fmt::format("{}{} asks for all that somaxconn allows", name,
                     subject.server.by_language ? ", as a Go program," : "");
}

bool may_be_somaxconn(const Subject& subject) {
  constexpr std::uint32_t kLeast = 128;
  return !subject.report.somaxconn && subject.listener.limit &&
         subject.listener.limit->value() >= kLeast;
}

bool lacks_restart(const Subject& subject) {
  const Server* server = subject.server.server;
  const auto& limit = subject.listener.limit;
  const auto& somaxconn = subject.report.somaxconn;
  if (server == nullptr || !limit || !somaxconn || subject.listener.backlog_requested) return false;
  if (subject.holders.manager != nullptr) return false;  // whose request it is is not known
  if (std::cmp_greater_equal(limit->value(), *somaxconn)) return false;
  if (server->asks_somaxconn && server->key.empty()) return true;  // it cannot ask for less
  const bool usual_somaxconn = subject.report.limit_set_by == LimitSetBy::kUnknown;
  return usual_somaxconn &&
         (server->asks_somaxconn || server->default_backlog.value_or(0) > limit->value());
}

void add_restart_form(const Subject& subject, std::vector<Remedy>& remedies) {
  const std::uint32_t limit = subject.listener.limit->value();
  const std::int64_t somaxconn = *subject.report.somaxconn;
  Remedy remedy{.form = "restart", .takes_effect = "restart"};
  if (lacks_restart(subject)) {
    const Server& server = *subject.server.server;
    const std::int64_t then =
        server.asks_somaxconn
            ? somaxconn
            : std::min<std::int64_t>(somaxconn, server.default_backlog.value_or(0));
    remedy.summary = fmt::format(
        "Restart {}: the limit is then probably {}. {}, so net.core.somaxconn was {} when it "
        "called listen(). It is {} now.",
        server_name(subject), then, usual_request(subject), limit, somaxconn);
  } else {
    remedy.summary =
        fmt::format("Restart {}: net.core.somaxconn was {} when it called listen() and is {} now.",
                    server_name(subject), limit, somaxconn);
  }
  const Server* server = subject.server.server;
  if (server != nullptr && server->default_backlog &&
      std::cmp_less(*server->default_backlog, somaxconn)) {
    remedy.then = fmt::format("{}'s own backlog, {} by default, becomes the limit.", server->name,
                              *server->default_backlog);
  }
  remedies.push_back(std::move(remedy));
}

void add_somaxconn_forms(const Subject& subject, std::vector<Remedy>& remedies) {
  for (Way& way : somaxconn_ways(subject, Extent::kFirst)) {
    way.remedy.then = behind_somaxconn(subject);
    remedies.push_back(std::move(way.remedy));
  }
}

void add_application_form(const Subject& subject, std::vector<Remedy>& remedies) {
  const Server* server = subject.server.server;
  const std::string then = behind_backlog(subject);
  const bool by_unit = subject.holders.manager != nullptr;
  // The number is the server's own where it is the server's default: it has called listen() again.
  const bool own_call = server != nullptr && subject.listener.limit &&
                        server->default_backlog == subject.listener.limit->value();
  if (by_unit && !own_call) return add_unit_form(subject, then, remedies);
  if (server != nullptr && server->asks_somaxconn && !by_unit) return;  // nothing to be raised
  remedies.push_back(server != nullptr ? known_server_form(subject, *server)
                                       : unknown_server_form(subject));
  const bool has_setting = server == nullptr || !server->key.empty();
  remedies.back().lengthens = has_setting;
  if (has_setting) remedies.back().then = then;
}

}  // namespace acceptq::remedy
