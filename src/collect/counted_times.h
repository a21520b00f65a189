// Exact times of threads, put together. Pure.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "collect/thread_look.h"

namespace acceptq::collect {

// Of one thread after another, and of each as often as its time was counted.
class CountedTimes {
 public:
  void add(ThreadTime time);
  // By process and thread; begins anew.
  [[nodiscard]] std::vector<ThreadTime> take();

 private:
  std::map<std::pair<Pid, Pid>, ThreadTime> times_;
};

// With a place for what the events of the scheduler do not tell: where the thread was when its
// clock began, until it was woken (`first`), and where it was all the time (`last`, the last look
// at it).
[[nodiscard]] facts::ExactTime placed(const ThreadTime& counted, const facts::Wait& first,
                                      const facts::Wait& last, bool last_on_core);

}  // namespace acceptq::collect
