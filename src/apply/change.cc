#include "apply/change.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <ranges>
#include <span>
#include <thread>

#include "apply/file_change.h"
#include "apply/reload.h"
#include "apply/sysctl.h"
#include "apply/this_author.h"
#include "base/clock.h"
#include "collect/netns/enter.h"

namespace acceptq::apply {
namespace {

using facts::Change;
using facts::FileStep;
using facts::KeptChange;
using facts::ReloadStep;
using facts::SysctlStep;

Status inside(const collect::netns::Handle& entrance, const std::function<Status()>& work) {
  Status status = fail(ErrorCode::kNotFound, "no way into this network namespace is known");
  collect::netns::for_each_namespace(std::span(&entrance, 1), 1,
                                     [&](std::size_t, const Status& entered) {
                                       status = entered ? work() : fail(entered.error());
                                     });
  return status;
}

// What it is now, before anything is changed. It is raised, never lowered.
Status note_present(SysctlStep& step, const Surroundings& surroundings) {
  return inside(surroundings.entrance(step.netns), [&]() -> Status {
    const Result<std::int64_t> before = read_sysctl(step.name);
    if (!before) return fail(before.error());
    step.before = *before;
    step.value = std::max(step.value, *before);
    return {};
  });
}

Status set_sysctl(const SysctlStep& step, const Surroundings& surroundings) {
  if (step.before == step.value) return {};
  return inside(surroundings.entrance(step.netns),
                [&] { return write_sysctl(step.name, step.value); });
}

Status put_back_sysctl(const SysctlStep& step, const Surroundings& surroundings) {
  if (!step.before || *step.before == step.value) return {};
  return inside(surroundings.entrance(step.netns), [&]() -> Status {
    const Result<std::int64_t> present = read_sysctl(step.name);
    if (!present) return fail(present.error());
    if (*present == *step.before) return {};
    if (*present != step.value) {
      return fail(ErrorCode::kInterrupted, step.name + " has been set to " +
                                               std::to_string(*present) +
                                               " by somebody else meanwhile");
    }
    return write_sysctl(step.name, *step.before);
  });
}

KeptChange begun(const Change& change, const std::string& boot_id, const std::string& why) {
  const std::int64_t now = realtime_ns();
  const auto seconds = static_cast<std::time_t>(now / 1'000'000'000);
  return {.id = fmt::format("{:%Y%m%dT%H%M%SZ}-{}", fmt::gmtime(seconds), ::getpid()),
          .boot_id = boot_id,
          .change = change,
          .realtime_ns = now,
          .author = this_author(),
          .why = why};
}

constexpr std::chrono::milliseconds kPause{200};

// One change as it is executed or taken back.
class Work {
 public:
  Work(const KeptChange& kept, const Surroundings& surroundings, ChangeOutcome& outcome)
      : kept_(kept), surroundings_(surroundings), outcome_(outcome) {}

  // Until the first step that fails.
  Status advance() {
    for (const SysctlStep& step : kept_.change.sysctls) {
      if (Status done = set_sysctl(step, surroundings_); !done) return done;
      ++sysctls_;
    }
    for (const FileStep& step : kept_.change.files) {
      if (Status done = change_file(step); !done) return done;
      ++files_;
    }
    for (const ReloadStep& step : kept_.change.reloads) {
      if (Status checked = check_configuration(step); !checked) return checked;
    }
    for (const ReloadStep& step : kept_.change.reloads) {
      if (step.signal != 0) {
        if (Status done = signal_process(step); !done) return done;
      }
      ++reloads_;
    }
    return wait_for_limits();
  }

  // What was done of it. Whoever reads its files again calls listen() again, perhaps, so that
  // comes when all else is as it was; not where a file of his could not be put back.
  void retreat() {
    for (const FileStep& step : first(kept_.change.files, files_) | std::views::reverse) {
      note(put_back_file(step));
    }
    const bool files_are_back = outcome_.left.empty();
    for (const SysctlStep& step : first(kept_.change.sysctls, sysctls_) | std::views::reverse) {
      note(put_back_sysctl(step, surroundings_));
    }
    for (const ReloadStep& step : first(kept_.change.reloads, files_are_back ? reloads_ : 0)) {
      if (step.signal == 0 || !is_alive(step)) continue;
      const Status checked = check_configuration(step);
      note(checked ? signal_process(step) : checked);
    }
  }

  void all_was_done() {
    sysctls_ = kept_.change.sysctls.size();
    files_ = kept_.change.files.size();
    reloads_ = kept_.change.reloads.size();
  }
  void leave_sysctls() { sysctls_ = 0; }
  [[nodiscard]] bool did_something() const { return sysctls_ + files_ + reloads_ > 0; }

  // For a while, where they are known: whoever was signalled has to listen again first.
  void wait_for_old_limits() {
    const auto until = std::chrono::steady_clock::now() + surroundings_.steady;
    look_at_limits();
    while (!limits_are_old() && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(kPause);
      look_at_limits();
    }
  }

  void look_at_limits() {
    outcome_.limits.clear();
    for (const facts::ExpectedLimit& expected : kept_.change.limits) {
      outcome_.limits.push_back(surroundings_.limit_now(expected));
    }
  }

 private:
  template <typename T>
  static std::span<const T> first(const std::vector<T>& steps, std::size_t count) {
    return std::span(steps).first(count);
  }

  void note(const Status& status) {
    if (!status) outcome_.left.push_back(status.error());
  }

  [[nodiscard]] bool limits_are_right() const {
    for (std::size_t i = 0; i < outcome_.limits.size(); ++i) {
      const auto& wanted = kept_.change.limits[i].limit;
      if (wanted && outcome_.limits[i].value_or(0) < *wanted) return false;
    }
    return true;
  }

  [[nodiscard]] bool limits_are_old() const {
    for (std::size_t i = 0; i < outcome_.limits.size(); ++i) {
      const facts::ExpectedLimit& limit = kept_.change.limits[i];
      if (limit.limit && limit.before && outcome_.limits[i] != limit.before) return false;
    }
    return true;
  }

  // Until every limit is what it should be, and then for as long as they have to stay so.
  Status wait_for_limits() {
    using Clock = std::chrono::steady_clock;
    const bool expects = std::ranges::any_of(
        kept_.change.limits, [](const auto& expected) { return expected.limit.has_value(); });
    auto until = Clock::now() + surroundings_.patience;
    bool right = false;
    for (;;) {
      for (const ReloadStep& step : kept_.change.reloads) {
        if (!is_alive(step)) return fail(ErrorCode::kNotFound, step.name + " has ended");
      }
      look_at_limits();
      if (!expects) return {};
      if (limits_are_right() && !right) {
        right = true;
        until = Clock::now() + surroundings_.steady;
      } else if (!limits_are_right() && right) {
        return wrong_limit("did not stay so");
      }
      if (Clock::now() >= until) return right ? Status{} : wrong_limit("has not come");
      std::this_thread::sleep_for(kPause);
    }
  }

  [[nodiscard]] Status wrong_limit(const char* what) const {
    for (std::size_t i = 0; i < outcome_.limits.size(); ++i) {
      const facts::ExpectedLimit& expected = kept_.change.limits[i];
      if (!expected.limit || outcome_.limits[i].value_or(0) >= *expected.limit) continue;
      return fail(ErrorCode::kInterrupted,
                  fmt::format("the limit {} of port {} {}{}", *expected.limit, expected.port, what,
                              outcome_.limits[i] ? fmt::format(" (it is {})", *outcome_.limits[i])
                                                 : std::string(" (nobody listens there)")));
    }
    return {};
  }

  const KeptChange& kept_;
  const Surroundings& surroundings_;
  ChangeOutcome& outcome_;
  std::size_t sysctls_ = 0;  // done so far
  std::size_t files_ = 0;
  std::size_t reloads_ = 0;
};

void note_journal(const Status& status, ChangeOutcome& outcome) {
  if (!status) outcome.journal_errors.push_back(status.error());
}

}  // namespace

ChangeOutcome execute(const Change& change, const std::string& boot_id, const std::string& why,
                      const ChangeJournal& journal, const Surroundings& surroundings) {
  ChangeOutcome outcome;
  KeptChange kept = begun(change, boot_id, why);
  for (SysctlStep& step : kept.change.sysctls) {
    const Status noted = note_present(step, surroundings);
    if (noted) continue;
    outcome.error = noted.error();
    return outcome;
  }
  if (const Status written = journal.keep(kept); !written) {
    outcome.error = written.error();
    return outcome;
  }
  outcome.kept_in = journal.folder_of(kept);
  Work work(kept, surroundings, outcome);
  const Status done = work.advance();
  if (done) {
    outcome.end = ChangeEnd::kDone;
    kept.done = true;
    note_journal(journal.keep(kept), outcome);
    return outcome;
  }
  outcome.error = done.error();
  const bool began = work.did_something();
  work.retreat();
  work.look_at_limits();
  if (outcome.left.empty()) {
    outcome.end = began ? ChangeEnd::kTakenBack : ChangeEnd::kNothingDone;
    note_journal(journal.forget(kept), outcome);
    outcome.kept_in.clear();
  } else {
    outcome.end = ChangeEnd::kNotTakenBack;
    note_journal(journal.keep(kept), outcome);
  }
  return outcome;
}

ChangeOutcome take_back(const KeptChange& kept, const std::string& boot_id,
                        const ChangeJournal& journal, const Surroundings& surroundings) {
  ChangeOutcome outcome;
  Work work(kept, surroundings, outcome);
  work.all_was_done();
  if (kept.boot_id != boot_id) work.leave_sysctls();
  work.retreat();
  work.wait_for_old_limits();
  outcome.end = outcome.left.empty() ? ChangeEnd::kDone : ChangeEnd::kNotTakenBack;
  if (outcome.left.empty()) {
    note_journal(journal.forget(kept), outcome);
  } else {
    outcome.kept_in = journal.folder_of(kept);
  }
  return outcome;
}

}  // namespace acceptq::apply
