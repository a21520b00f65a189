#include "remedy/subject.h"

#include <algorithm>
#include <limits>

namespace acceptq::remedy {
namespace {

constexpr std::uint32_t kUsual = 4096;  // the kernel's own default from Linux 5.4 on

Accepts accepts_of(const facts::Observation& observation, const diagnose::ListenerReport& report) {
  // A server may well take nothing for a moment.
  constexpr double kLongEnough = 1;  // seconds
  if (!report.accepts_per_s) return Accepts::kUnknown;
  if (*report.accepts_per_s > 0) return Accepts::kYes;
  return observation.seconds >= kLongEnough ? Accepts::kNo : Accepts::kUnknown;
}

// Of several programs that hold it, the one that is a server by its name, if there is only one.
const facts::Process* known_server(const facts::Holders& holders) {
  const facts::Process* known = nullptr;
  for (const facts::Process* process : holders.servers) {
    if (find_server(*process, {}).server == nullptr) continue;
    if (known != nullptr && !facts::same_program(*known, *process)) return nullptr;
    if (known == nullptr) known = process;
  }
  return known;
}

const facts::Process* acceptor_of(const facts::Holders& holders, Accepts accepts) {
  if (const facts::Process* known = known_server(holders)) return known;
  return accepts == Accepts::kYes ? holders.one_program() : nullptr;
}

// At least the kernel's default, and at least twice what there is and what was seen.
std::uint32_t wanted_limit(const facts::Listener& listener,
                           const diagnose::ListenerReport& report) {
  constexpr std::uint32_t kMost = std::numeric_limits<std::int32_t>::max();  // of somaxconn
  const std::uint32_t limit = listener.limit ? listener.limit->value() : 0;
  const std::uint32_t most = std::max(limit, report.longest.value());
  return std::max(most > kMost / 2 ? kMost : most * 2, kUsual);
}

}  // namespace

Subject subject_of(const facts::Observation& observation, const facts::Listener& listener,
                   const diagnose::ListenerReport& report) {
  facts::Holders holders = facts::holders_of(observation.after, listener);
  const Accepts accepts = accepts_of(observation, report);
  const facts::Process* acceptor = acceptor_of(holders, accepts);
  const auto limit = listener.limit ? std::optional(listener.limit->value()) : std::nullopt;
  return {.listener = listener,
          .report = report,
          .ns = facts::find_namespace(observation.after, listener.netns),
          .holders = std::move(holders),
          .accepts = accepts,
          .acceptor = acceptor,
          .server = acceptor != nullptr ? find_server(*acceptor, limit) : ServerMatch{},
          .wanted = wanted_limit(listener, report)};
}

std::string server_name(const Subject& subject) {
  if (subject.server.server != nullptr) return subject.server.server->name;
  return subject.acceptor != nullptr ? subject.acceptor->comm : "the server";
}

bool is_at_cap(const Subject& subject) {
  const Server* server = subject.server.server;
  return server != nullptr && server->limit_at_cap && subject.listener.limit &&
         server->limit_at_cap == subject.listener.limit->value();
}

bool is_full_all_the_time(const Subject& subject) {
  constexpr double kShare = 0.5;
  return subject.report.full_fraction.value_or(0) >= kShare;
}

}  // namespace acceptq::remedy
