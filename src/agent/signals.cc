#include "agent/signals.h"

#include <csignal>

#include <atomic>

namespace acceptq::agent {
namespace {

std::atomic<bool> end_flag{false};
std::atomic<bool> reload_flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

sigset_t ours() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, number);
  return set;
}

}  // namespace

Signals::Signals() {
  struct sigaction action{};
  action.sa_handler = [](int number) { (number == SIGHUP ? reload_flag : end_flag).store(true); };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
}

bool Signals::end() const { return end_flag.load(); }

bool Signals::reload() { return reload_flag.exchange(false); }

SignalsBlocked::SignalsBlocked() {
  const sigset_t set = ours();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalsBlocked::~SignalsBlocked() {
  const sigset_t set = ours();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace acceptq::agent
