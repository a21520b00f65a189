// What it costs to see where threads are: one pass over all threads of a process, by iterator and
// from /proc; and what the scheduler's tracepoints add to a switch from one thread to another.
#include <benchmark/benchmark.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "collect/bpf/thread_clock.h"
#include "collect/bpf/thread_iterator.h"
#include "collect/procfs/threads.h"

namespace {

using acceptq::Pid;
using acceptq::UniqueFd;
using acceptq::collect::ThreadsSeen;
using acceptq::collect::WatchedProcess;
using acceptq::collect::bpf::ThreadClock;
using acceptq::collect::bpf::ThreadIterator;

constexpr std::size_t kAll = 100'000;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) std::abort();
    out = UniqueFd(ends[0]);
    in = UniqueFd(ends[1]);
  }
  void wait() const {
    char byte = 0;
    if (::read(out.get(), &byte, 1) < 0) std::abort();
  }
  void wake() const {
    if (::write(in.get(), "x", 1) != 1) std::abort();
  }

  UniqueFd out;
  UniqueFd in;
};

// Threads that read from a pipe until its other end is closed.
class Readers {
 public:
  explicit Readers(std::size_t count) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, std::size_t{64} * 1024);
    threads_.resize(count);
    for (pthread_t& thread : threads_) {
      const auto body = [](void* pipe) -> void* {
        static_cast<Pipe*>(pipe)->wait();
        return nullptr;
      };
      if (pthread_create(&thread, &small, body, &pipe_) != 0) std::abort();
    }
    pthread_attr_destroy(&small);
  }
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;
  ~Readers() {
    pipe_.in = UniqueFd();
    for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
  }

 private:
  Pipe pipe_;
  std::vector<pthread_t> threads_;
};

std::array<WatchedProcess, 1> own_process() { return {WatchedProcess{.pid = Pid(::getpid())}}; }

std::optional<ThreadIterator> iterator_for(benchmark::State& state) {
  acceptq::Result<ThreadIterator> iterator = ThreadIterator::Create();
  if (iterator) return std::move(*iterator);
  state.SkipWithError(iterator.error().message().c_str());
  return std::nullopt;
}

void pass_by_iterator(benchmark::State& state) {
  std::optional<ThreadIterator> iterator = iterator_for(state);
  if (!iterator) return;
  const Readers readers(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    const acceptq::Result<ThreadsSeen> seen = iterator->look(own_process(), kAll);
    if (!seen || std::ssize(seen->threads) < state.range(0)) std::abort();
  }
}

// What is added where no thread waits for the listener: each descriptor is looked at.
void pass_over_descriptors(benchmark::State& state) {
  std::optional<ThreadIterator> iterator = iterator_for(state);
  if (!iterator) return;
  std::vector<UniqueFd> sockets;
  while (std::ssize(sockets) < state.range(0)) {
    sockets.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!sockets.back().valid()) return state.SkipWithError("too few descriptors: ulimit -n");
  }
  std::array process = own_process();
  process[0].wants_descriptors = true;
  for (auto _ : state) {
    if (!iterator->look(process, kAll)) std::abort();
  }
}

void pass_by_procfs(benchmark::State& state) {
  acceptq::collect::procfs::ThreadReader reader("/proc");
  const Readers readers(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    const ThreadsSeen seen = reader.look(own_process(), kAll);
    if (std::ssize(seen.threads) < state.range(0)) std::abort();
  }
}

void stay_on_first_core() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  ::sched_setaffinity(0, sizeof one, &one);
}

enum Counted { kNobody, kOthers, kBoth };

// Two threads on one core that wake one another in turn: two switches and two times waking up.
void round_trip(benchmark::State& state) {
  std::optional<ThreadIterator> iterator = iterator_for(state);
  if (!iterator) return;
  acceptq::Result<ThreadClock> clock = ThreadClock::Create();
  if (!clock) return state.SkipWithError(clock.error().message().c_str());
  Pipe there;
  Pipe back;
  std::jthread other([&](const std::stop_token& stop) {
    stay_on_first_core();
    for (there.wait(); !stop.stop_requested(); there.wait()) back.wake();
  });
  cpu_set_t before;
  ::sched_getaffinity(0, sizeof before, &before);
  stay_on_first_core();
  if (state.range(0) != kNobody) {
    acceptq::Result<ThreadsSeen> seen = iterator->look(own_process(), kAll);
    if (state.range(0) == kOthers) seen->threads.clear();
    if (!seen || !clock->count(seen->threads)) std::abort();
  }
  for (auto _ : state) {
    there.wake();
    back.wait();
  }
  static_cast<void>(clock->stop());
  other.request_stop();
  there.wake();
  ::sched_setaffinity(0, sizeof before, &before);
}

BENCHMARK(pass_by_iterator)
    ->Arg(200)
    ->Arg(10'000)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(pass_over_descriptors)
    ->Arg(0)
    ->Arg(100)
    ->Arg(1'000)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(pass_by_procfs)
    ->Arg(200)
    ->Arg(10'000)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(round_trip)
    ->ArgName("counted")
    ->Arg(kNobody)
    ->Arg(kOthers)
    ->Arg(kBoth)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kNanosecond);

}  // namespace
