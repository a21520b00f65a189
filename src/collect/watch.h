// A watch over listeners: begun once, tended for as long as it goes on, and asked at any time what
// happened between two moments. Everything that watches is made from it.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/result.h"
#include "collect/pace.h"
#include "collect/sampler.h"
#include "collect/watch_source.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

// Not thread-safe.
class Watch {
 public:
  // Both are to outlive the watch. The order of samplers is that in which they put their evidence
  // into observations.
  Watch(WatchSource& source, std::vector<Sampler*> samplers);

  // Starts the samplers and looks at everything once. Fails where nothing can be scanned.
  [[nodiscard]] Status begin();
  [[nodiscard]] Mark first() const { return kFirst; }
  // As the last scan saw it.
  [[nodiscard]] const facts::Snapshot& latest() const { return *latest_; }

  // Calls the samplers that are due, scans again where one wants that, and then rests until the
  // next one is due, something comes, or `until_ns`.
  void tend(std::int64_t until_ns);

  // Scans again, without a mark: only to know who is there.
  [[nodiscard]] Status look();
  // Scans again. Observations can begin and end there.
  [[nodiscard]] Result<Mark> mark() { return mark(Ending::kGoesOn); }
  // The first is kept in any case: what only it saw is carried over to all others.
  void forget(Mark mark);
  // Visits every namespace again, for watches without an end: what is carried over is what this
  // scan sees. Nothing may begin at the first mark any more.
  [[nodiscard]] Status renew_first();

  // What happened between two marks.
  [[nodiscard]] facts::Observation between(Mark from, Mark to);
  // The same where nothing else begins at `from`: it is forgotten, be it the first, so that
  // thousands of listeners are not copied.
  [[nodiscard]] facts::Observation leave(Mark from, Mark to);
  // The last observation of a watch, with all that can be found out; the watch is over then.
  [[nodiscard]] Result<facts::Observation> finish(Mark from);

 private:
  static constexpr Mark kFirst = 1;
  enum class Ending { kGoesOn, kEnds };

  // Of the first mark only what is carried over to others stays.
  void reduce_first();

  enum class Use { kAgain, kLast };

  // Snapshots that are used for the last time are moved.
  [[nodiscard]] facts::Observation put_together(Mark from, Use use_of_from, Mark to, Ending ending);

  [[nodiscard]] Result<facts::Snapshot> scan(Mark mark, ScanDepth depth, Ending ending);
  [[nodiscard]] Result<Mark> mark(Ending ending);
  // By samplers' wishes, and as far as the pace allows.
  void scan_where_wanted();
  // Makes it the latest.
  void take_over(facts::Snapshot snapshot);

  WatchSource& source_;
  std::vector<Sampler*> samplers_;
  std::vector<int> events_;
  std::shared_ptr<facts::Snapshot> latest_;
  std::map<Mark, std::shared_ptr<facts::Snapshot>> marks_;
  Mark next_ = kFirst;
  Pace scans_ = kScanning;

  // Once a second at most, for a hundredth of one core.
  static constexpr Pace kScanning{1'000'000'000, 100};
};

}  // namespace acceptq::collect
