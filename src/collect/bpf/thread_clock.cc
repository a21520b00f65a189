#include "collect/bpf/thread_clock.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <thread_clock.skel.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <string>
#include <utility>

#include "base/clock.h"
#include "collect/bpf/libbpf_log.h"
#include "collect/bpf/link.h"
#include "collect/bpf/load_failure.h"

namespace acceptq::collect::bpf {
namespace {

struct DestroySkeleton {
  void operator()(thread_clock* skeleton) const { thread_clock__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<thread_clock, DestroySkeleton>;

// Takes every entry out of a map.
template <typename Key, typename Value, typename Take>
void drain(const bpf_map* map, Take take) {
  const int fd = bpf_map__fd(map);
  std::vector<Key> keys;
  Key key{};
  for (const Key* previous = nullptr; bpf_map_get_next_key(fd, previous, &key) == 0;
       previous = &keys.back()) {
    keys.push_back(key);
  }
  for (const Key& each : keys) {
    Value value{};
    if (bpf_map_lookup_elem(fd, &each, &value) == 0) take(each, value);
    bpf_map_delete_elem(fd, &each);
  }
}

}  // namespace

class ThreadClock::Impl {
 public:
  explicit Impl(Skeleton skeleton) : skeleton_(std::move(skeleton)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() = default;

  // Returns 0 with `impl` set, or libbpf's error as a positive errno.
  static int load(bool may_read_registers, std::unique_ptr<Impl>& impl) {
    Skeleton skeleton(thread_clock__open());
    if (!skeleton) return errno;
    skeleton->rodata->may_read_registers = may_read_registers;
    if (const int err = thread_clock__load(skeleton.get()); err != 0) return -err;
    impl = std::make_unique<Impl>(std::move(skeleton));
    return 0;
  }

  Status count(std::span<const ThreadLook> threads) {
    if (!is_running()) {
      if (Status attached = attach(); !attached) return attached;
    }
    for (const ThreadLook& look : threads) {
      if (!look.kernel_tid || known_.contains(*look.kernel_tid)) continue;
      aq_thread_clock clock{};
      clock.begin_ns = clock.since_ns = static_cast<aq_u64>(monotonic_ns());
      const int map = bpf_map__fd(skeleton_->maps.clocks);
      if (bpf_map_update_elem(map, &*look.kernel_tid, &clock, BPF_NOEXIST) != 0) continue;
      known_.emplace(*look.kernel_tid, std::pair(look.pid, look.tid));
    }
    return {};
  }

  ClockReading stop() {
    ClockReading reading;
    switches_.reset();
    wakeups_.reset();
    wakers_.reset();
    reading.closes_counted = closes_ != nullptr;
    closes_.reset();
    ends_.reset();
    reading.at_ns = monotonic_ns();
    drain<std::uint32_t, aq_thread_clock>(
        skeleton_->maps.clocks, [&](std::uint32_t tid, const aq_thread_clock& clock) {
          const auto known = known_.find(tid);
          if (known == known_.end()) return;
          const auto& [pid, own_tid] = known->second;
          reading.threads.push_back(
              {.pid = pid, .tid = own_tid, .kernel_tid = tid, .clock = clock});
        });
    known_.clear();
    drain<aq_clock_place, aq_blocked>(skeleton_->maps.blocked,
                                      [&](const aq_clock_place& place, const aq_blocked& spent) {
                                        reading.blocked.emplace_back(place, spent);
                                      });
    drain<aq_closer, std::uint64_t>(skeleton_->maps.closers,
                                    [&](const aq_closer& closer, std::uint64_t count) {
                                      reading.closers.emplace_back(closer, count);
                                    });
    using Frames = std::array<std::uint64_t, AQ_CLOCK_FRAMES>;
    drain<std::uint32_t, Frames>(skeleton_->maps.stacks, [&](std::uint32_t id, const Frames& all) {
      reading.stacks.try_emplace(static_cast<std::int32_t>(id), all.begin(), all.end());
    });
    return reading;
  }

 private:
  [[nodiscard]] bool is_running() const { return switches_ && wakeups_; }

  Status attach() {
    const LibbpfLog log;
    wakeups_.reset(bpf_program__attach(skeleton_->progs.count_wakeup));
    if (wakeups_) wakers_.reset(bpf_program__attach(skeleton_->progs.note_waker));
    if (wakers_) switches_.reset(bpf_program__attach(skeleton_->progs.count_switch));
    if (is_running()) {
      closes_.reset(bpf_program__attach(skeleton_->progs.count_close));
      ends_.reset(bpf_program__attach(skeleton_->progs.count_end));
      return {};
    }
    const int err = errno;
    wakeups_.reset();
    wakers_.reset();
    return fail_errno(err, "cannot attach to the scheduler's tracepoints");
  }

  Skeleton skeleton_;
  Link switches_;
  Link wakeups_;
  Link wakers_;
  Link closes_;
  Link ends_;
  std::map<std::uint32_t, std::pair<Pid, Pid>> known_;  // by the kernel's number: process, thread
};

ThreadClock::ThreadClock(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ThreadClock::ThreadClock(ThreadClock&&) noexcept = default;
ThreadClock& ThreadClock::operator=(ThreadClock&&) noexcept = default;
ThreadClock::~ThreadClock() = default;

Result<ThreadClock> ThreadClock::Create() {
  const LibbpfLog log;
  std::unique_ptr<Impl> impl;
  int err = Impl::load(true, impl);
  // Before 5.15 the verifier refuses bpf_task_pt_regs.
  if (err == EINVAL || err == EACCES) err = Impl::load(false, impl);
  if (err != 0) {
    return fail_errno(err, "the BPF programs on the scheduler's tracepoints do not load: " +
                               std::string(telling_line(log.text())));
  }
  return ThreadClock(std::move(impl));
}

Status ThreadClock::count(std::span<const ThreadLook> threads) { return impl_->count(threads); }
ClockReading ThreadClock::stop() { return impl_->stop(); }

}  // namespace acceptq::collect::bpf
