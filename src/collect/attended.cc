#include "collect/attended.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

namespace acceptq::collect {
namespace {

// How many threads may be left behind in one call; what remains then is given up, too.
constexpr std::size_t kMostLeftBehind = 64;
// A worker that runs, or would if it had a core, is waited for this many times longer.
constexpr int kPatienceWithRunnable = 20;
constexpr std::int64_t kIdle = 0;

struct Worker {
  std::atomic<pid_t> tid{0};
  std::atomic<std::int64_t> since_ns{kIdle};  // when it began with `item`
  std::atomic<std::size_t> item{0};

  // What whoever attends to it has seen: since when it has slept at one place.
  struct Nap {
    std::int64_t of_ns = kIdle;  // its since_ns
    std::int64_t since_ns = 0;
    std::uint64_t times_run = 0;
  };
  std::optional<Nap> nap;
};

thread_local Worker* this_worker = nullptr;

enum State : std::uint8_t { kPending, kDone, kGivenUp };

// What the threads of one call share. It lives for as long as the last of them.
struct Crew {
  Crew(std::size_t items, std::function<void(std::size_t)> calls)
      : work(std::move(calls)), states(items) {}

  const std::function<void(std::size_t)> work;
  std::vector<std::atomic<std::uint8_t>> states;
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> settled{0};  // done or given up
  std::mutex mutex;
  std::condition_variable all_settled;

  // Whether the caller is the one who settles item `i`.
  bool settle(std::size_t i, State state) {
    std::uint8_t expected = kPending;
    if (!states[i].compare_exchange_strong(expected, state)) return false;
    if (++settled == states.size()) {
      const std::lock_guard lock(mutex);
      all_settled.notify_all();
    }
    return true;
  }
};

void run(Crew& crew, Worker& worker) {
  this_worker = &worker;
  worker.tid = ::gettid();
  for (std::size_t i = crew.next++; i < crew.states.size(); i = crew.next++) {
    worker.item = i;
    worker.since_ns = monotonic_ns();
    crew.work(i);
    worker.since_ns = kIdle;
    if (!crew.settle(i, kDone)) return;  // given up, and another has taken this thread's place
  }
}

using Workers = std::vector<std::shared_ptr<Worker>>;

bool start_worker(const std::shared_ptr<Crew>& crew, Workers& workers) {
  auto worker = std::make_shared<Worker>();
  try {
    std::thread([crew, worker] { run(*crew, *worker); }).detach();
  } catch (const std::system_error&) {  // EAGAIN: the limit on processes is reached
    return false;
  }
  workers.push_back(std::move(worker));
  return true;
}

std::string task_file(const Worker& worker, std::string_view name) {
  return fmt::format("/proc/self/task/{}/{}", worker.tid.load(), name);
}

// Whether the thread waits in the kernel: one that is runnable has only got no core yet, as on a
// busy machine or while the whole process was stopped. True where that cannot be read.
bool sleeps(const Worker& worker) {
  const auto stat = read_file(task_file(worker, "stat"));
  const std::size_t name_end = stat ? stat->rfind(") ") : std::string::npos;
  return name_end == std::string::npos || stat->compare(name_end + 2, 1, "R") != 0;
}

// How often it has been given a core (the third number of schedstat, sched_info.pcount): as long as
// that stays, it sleeps at one place. 0 where it cannot be read.
std::uint64_t times_run(const Worker& worker) {
  const auto text = read_file(task_file(worker, "schedstat"));
  const std::vector<std::string_view> fields =
      text ? split_blank(*text) : std::vector<std::string_view>();
  return fields.size() < 3 ? 0 : parse_int<std::uint64_t>(fields[2]).value_or(0);
}

// Whether it has slept at one place for `patience`, as far as was seen: one that goes on, but is
// seldom given a core, may be asleep at any one look.
bool sleeps_for(Worker& worker, std::int64_t of_ns, std::chrono::nanoseconds patience) {
  if (!sleeps(worker)) {
    worker.nap.reset();
    return false;
  }
  const std::int64_t now = monotonic_ns();
  const std::uint64_t runs = times_run(worker);
  if (!worker.nap || worker.nap->of_ns != of_ns || worker.nap->times_run != runs) {
    worker.nap = Worker::Nap{.of_ns = of_ns, .since_ns = now, .times_run = runs};
  }
  return now - worker.nap->since_ns >= patience.count();
}

// The item that the worker has been stuck at for `patience`.
std::optional<std::size_t> stuck_at(Worker& worker, std::chrono::nanoseconds patience) {
  const std::int64_t since = worker.since_ns;
  const std::size_t item = worker.item;
  if (since == kIdle) return std::nullopt;
  const std::int64_t spent = monotonic_ns() - since;
  const bool gives_up =
      sleeps_for(worker, since, patience) || spent > kPatienceWithRunnable * patience.count();
  if (!gives_up || worker.since_ns != since) return std::nullopt;
  return item;
}

}  // namespace

void still_at_work() {
  if (this_worker != nullptr) this_worker->since_ns = monotonic_ns();
}

std::vector<std::size_t> attend(std::size_t count, unsigned threads,
                                std::chrono::milliseconds patience,
                                std::function<void(std::size_t)> work) {
  std::vector<std::size_t> given_up;
  const auto crew = std::make_shared<Crew>(count, std::move(work));
  Workers workers;
  const std::size_t wanted = std::min<std::size_t>(std::max(threads, 1U), count);
  while (workers.size() < wanted && start_worker(crew, workers)) continue;
  if (workers.empty()) {
    Worker here;
    run(*crew, here);
    this_worker = nullptr;
    return given_up;
  }
  const auto all_settled = [&] { return crew->settled == count; };
  std::unique_lock lock(crew->mutex);
  while (!crew->all_settled.wait_for(lock, patience / 8, all_settled)) {
    lock.unlock();
    std::size_t left = 0;
    std::erase_if(workers, [&](const std::shared_ptr<Worker>& worker) {
      const std::optional<std::size_t> item = stuck_at(*worker, patience);
      if (!item || !crew->settle(*item, kGivenUp)) return false;
      given_up.push_back(*item);
      ++left;
      return true;
    });
    const bool may_replace = given_up.size() <= kMostLeftBehind;
    for (; left > 0 && may_replace; --left) {
      if (!start_worker(crew, workers)) break;
    }
    if (workers.empty()) {
      for (std::size_t i = crew->next++; i < count; i = crew->next++) {
        if (crew->settle(i, kGivenUp)) given_up.push_back(i);
      }
    }
    lock.lock();
  }
  lock.unlock();
  std::ranges::sort(given_up);
  return given_up;
}

std::vector<std::string> read_attended(std::vector<std::string> paths, std::size_t most_bytes) {
  const auto asked = std::make_shared<const std::vector<std::string>>(std::move(paths));
  const auto texts = attended_map<std::string>(
      asked->size(), static_cast<unsigned>(asked->size()), [asked, most_bytes](std::size_t i) {
        return read_file((*asked)[i], most_bytes).value_or(std::string());
      });
  std::vector<std::string> found;
  found.reserve(texts.size());
  for (const std::optional<std::string>& text : texts) found.push_back(text.value_or(""));
  return found;
}

}  // namespace acceptq::collect
