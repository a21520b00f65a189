#include "remedy/live_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "remedy/subject.h"

namespace acceptq::remedy {
namespace {

using diagnose::CauseKind;
using diagnose::Finding;

bool is_about(const Finding& finding, const LiveChange& change) {
  if (finding.listener) return *finding.listener == change.told.key;
  return finding.netns == change.listener.netns;
}

void object_to_slow_accept(const LiveChange& change, std::vector<LiveObjection>& objections) {
  constexpr double kMostOfTheTime = 0.5;
  const auto causes = causes_by_listener(change.report);
  const auto known = causes.find(change.told.key);
  const Finding* cause = known != causes.end() ? known->second : nullptr;
  if (cause != nullptr && cause->cause->kind == CauseKind::kBurst) return;
  if (cause != nullptr) {
    objections.push_back(
        {Objection::kCause,
         fmt::format("It is not the queue that is too short: {} ({}). A longer one makes clients "
                     "wait longer and is full again soon; the cause comes first.",
                     cause->title, cause->id)});
  } else if (change.told.full_fraction.value_or(0) >= kMostOfTheTime) {
    objections.push_back(
        {Objection::kAlwaysFull,
         fmt::format("The queue was full in {:.0f} % of the samples, so that accept() is slow, and "
                     "it is not known why. A longer queue makes clients wait longer and is full "
                     "again soon; find the cause first (acceptq check --for 10s).",
                     *change.told.full_fraction * 100)});
  }
}

}  // namespace

std::vector<LiveObjection> live_objections(const LiveChange& change) {
  std::vector<LiveObjection> objections;
  object_to_slow_accept(change, objections);
  const bool is_flood = std::ranges::any_of(change.report.findings, [&](const Finding& finding) {
    return finding.cause && finding.cause->kind == CauseKind::kSynFlood &&
           is_about(finding, change);
  });
  if (is_flood) {
    objections.push_back({Objection::kFlood,
                          "What arrives looks like a SYN flood (AQ203): a longer queue would hold "
                          "more of it, in memory, and serve nobody."});
  }
  if (change.to > kLiveCeiling) {
    objections.push_back(
        {Objection::kTooLarge,
         fmt::format("{} entries are more than {}: each is a whole connection in the kernel's "
                     "memory, which no container is charged for before accept().",
                     change.to.value(), kLiveCeiling.value())});
  }
  const std::optional<QueueLimit> limit = change.listener.limit;
  if (limit && change.to < *limit) {
    objections.push_back({Objection::kShorter, fmt::format("Its limit is {} already: {} would make "
                                                           "the queue shorter.",
                                                           limit->value(), change.to.value())});
  }
  if (change.listened_again || change.undone_before) {
    objections.push_back(
        {Objection::kOwnerUndoes,
         fmt::format("{}, so that the change would not last: set it in the server's own "
                     "configuration.",
                     change.listened_again
                         ? "Its owner called listen() again while it was watched"
                         : "acceptq gave it a limit before, and its owner has set another since")});
  }
  return objections;
}

const char* objection_name(Objection objection) {
  switch (objection) {
    case Objection::kCause:
      return "cause";
    case Objection::kAlwaysFull:
      return "always_full";
    case Objection::kFlood:
      return "syn_flood";
    case Objection::kTooLarge:
      return "too_large";
    case Objection::kShorter:
      return "shorter";
    case Objection::kOwnerUndoes:
      return "owner_undoes";
  }
  return "";
}

}  // namespace acceptq::remedy
