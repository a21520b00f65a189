// Handshakes between two scans: ledgers that never hold more than the kernel's counters grew by.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "collect/handshakes.h"
#include "collect/pace.h"
#include "collect/sampler.h"
#include "collect/watch_source.h"

namespace acceptq::collect {

class HandshakeSampler final : public Sampler {
 public:
  HandshakeSampler(WatchSource& source, Handshakes& handshakes)
      : source_(source), handshakes_(handshakes) {}

  // Observations that follow one another add up to all that was counted: each begins where the one
  // before ended. Its ledgers may then hold what its own counters, which are read a moment later,
  // had counted before it began; those of all together never do.
  void leave_no_gap() { has_gap_ = false; }
  // From now on it is noted when packets are refused, every tenth of a second, or for a fiftieth of
  // one core: the course of a ledger.
  void follow_course();
  // Who is told of refusals as they come.
  void on_refusal(Handshakes::Taker taker) { taker_ = std::move(taker); }
  // How often queues are looked at, where hooks do not see what leaves them; for 1 / rest_factor
  // of one core at most.
  void look_every(std::int64_t period_ns, std::int64_t rest_factor = 10);
  // Whose the listeners were, of those that are closed when an observation ends; the snapshot at
  // its beginning is looked at first.
  void know(const facts::Snapshot& snapshot) { known_ = snapshot; }
  // What had been counted when an observation that begins at the mark began, and when that was.
  struct Base {
    Books books;
    std::int64_t at_ns = 0;
  };
  [[nodiscard]] const Base& base(Mark mark) const { return books_.at(mark).base; }
  // What was counted from the beginning to a mark.
  [[nodiscard]] const std::vector<facts::Ledger>& totals(Mark mark) const;

  void start() override { handshakes_.start(); }
  [[nodiscard]] std::int64_t next_ns() const override { return pace_.next_ns(); }
  void tend(std::int64_t now_ns) override;
  [[nodiscard]] int event_fd() const override { return handshakes_.event_fd(); }
  void before_counters(Mark mark) override;
  void after_counters(Mark mark) override;
  void forget(Mark mark) override { books_.erase(mark); }
  void put(Mark from, Mark to, facts::Observation& observation) override;

 private:
  // An observation begins with what was counted when its first counters had been read (base), and
  // ends with what was counted when its last were about to be (before).
  struct BesideCounters {
    Books before;
    Base base;
  };

  WatchSource& source_;
  Handshakes& handshakes_;
  Handshakes::Taker taker_;
  Pace pace_{50'000'000, 10};
  using LedgerKey = std::tuple<NetnsId, std::uint16_t, facts::IpAddress, std::int64_t>;
  struct Followed {
    std::uint64_t refused = 0;  // when it was last looked at
    facts::HandshakeCourse course;
  };

  static LedgerKey key_of(const facts::Ledger& ledger);
  static std::vector<facts::Ledger> growth(const std::vector<facts::Ledger>& base,
                                           const std::vector<facts::Ledger>& ledgers);
  // Whether an observation that begins at a mark does so with its base: always where there is a
  // gap, and at the first, at which nothing ended.
  [[nodiscard]] bool begins_after(const BesideCounters& beside) const {
    return has_gap_ || beside.before.ledgers.empty();
  }
  void note_course(const Books& books);
  void put_course(facts::Observation& observation) const;

  bool has_gap_ = true;
  std::optional<Pace> course_pace_;     // empty: it is not followed
  std::int64_t followed_since_ns_ = 0;  // 0: not yet
  std::int64_t noted_ns_ = 0;           // when refusals were looked at last
  std::map<LedgerKey, Followed> followed_;
  std::optional<facts::Snapshot> known_;
  std::map<Mark, BesideCounters> books_;
};

}  // namespace acceptq::collect
