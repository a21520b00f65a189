#include "diagnose/causes/idle_loops.h"

#include "diagnose/causes/runtimes.h"

namespace acceptq::diagnose {
namespace {

// It was in poll(), select() or an epoll for clients of the listener.
bool polls_clients(const facts::ThreadWatch& thread) {
  double looks = 0;
  for (const facts::Wait& wait : thread.waits) {
    if (wait.polled == facts::Polled::kClients) looks += wait.looks;
  }
  return looks >= kMostOfTime * thread.looks;
}

}  // namespace

Threads idle_beside_timers(const Threads& all, const facts::Listener& listener) {
  Threads idle;
  bool has_loop = false;
  for (const facts::ThreadWatch* thread : all) {
    const WaitClass what = mostly(*thread, listener);
    if (what == WaitClass::kTimedLock && thread->times.voluntary == 0U) continue;
    if (!is_idle(what)) return {};
    has_loop = has_loop || what == WaitClass::kConnections;
    idle.push_back(thread);
  }
  return has_loop ? idle : Threads();
}

Threads loops_of_clients(const Threads& all, const facts::Listener& listener) {
  Threads loops;
  for (const facts::ThreadWatch* thread : all) {
    if (!is_parked(*thread, listener)) return {};
    // It may sleep on behalf of a client, for longer than the watch.
    if (mostly(*thread, listener) == WaitClass::kTimedLock && !is_of_runtime(thread->comm)) {
      return {};
    }
    if (polls_clients(*thread)) loops.push_back(thread);
  }
  return loops;
}

}  // namespace acceptq::diagnose
