// Executes a change that lasts, proves that it worked, and takes back what did not.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apply/change_journal.h"
#include "base/result.h"
#include "collect/netns/discover.h"
#include "facts/change.h"

namespace acceptq::apply {

// What executing needs of the host beside files and processes.
struct Surroundings {
  std::function<collect::netns::Handle(NetnsId)> entrance;
  // The smallest limit of the listeners at this place; empty: there is none, or its limit is not
  // known.
  std::function<std::optional<std::uint32_t>(const facts::ExpectedLimit&)> limit_now;
  std::chrono::milliseconds patience{10'000};  // for the limits to become what they should be
  std::chrono::milliseconds steady{2'000};     // for which they have to stay so
};

enum class ChangeEnd {
  kNothingDone,  // `error` says why
  kDone,
  kTakenBack,     // it failed (`error`), and everything is as it was
  kNotTakenBack,  // it failed, and `left` could not be put back
};

struct ChangeOutcome {
  ChangeEnd end = ChangeEnd::kNothingDone;
  std::optional<Error> error;
  std::vector<Error> left;
  // Of the change's limits, as last seen.
  std::vector<std::optional<std::uint32_t>> limits;
  std::string kept_in;  // the change's folder in the journal; empty: not kept
  std::vector<Error> journal_errors;
};

// In the order of `Change`. The journal holds it before its first step; a change that is taken back
// as a whole is forgotten.
[[nodiscard]] ChangeOutcome execute(const facts::Change& change, const std::string& boot_id,
                                    const std::string& why, const ChangeJournal& journal,
                                    const Surroundings& surroundings);

// Puts back what a change of this journal did: each sysctl and each file where it is still what the
// change made it, and has the processes that still run read their files again. What this boot has
// not changed (a sysctl of an earlier one) is left. `end` is kDone or kNotTakenBack.
[[nodiscard]] ChangeOutcome take_back(const facts::KeptChange& kept, const std::string& boot_id,
                                      const ChangeJournal& journal,
                                      const Surroundings& surroundings);

}  // namespace acceptq::apply
