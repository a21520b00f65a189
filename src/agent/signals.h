// What a service manager tells the agent by signals.
#pragma once

namespace acceptq::agent {

// SIGTERM and SIGINT ask it to end, SIGHUP to read its configuration again; only the thread that
// asks for them gets them. Threads that are to get none are started while SignalsBlocked lives.
class Signals {
 public:
  Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  [[nodiscard]] bool end() const;
  // Whether it came since the last time.
  [[nodiscard]] bool reload();
};

class SignalsBlocked {
 public:
  SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked();
};

}  // namespace acceptq::agent
