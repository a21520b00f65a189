// net.core.somaxconn of the calling thread's network namespace, raised for as long as a listen() of
// ours needs it.
//
// listen() of a process grants at most the somaxconn of the socket's own namespace, whoever calls
// it and from where (net/socket.c, __sys_listen; __sys_listen_socket in kernels that have it:
// sock_net(sock->sk)).
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"

namespace acceptq::apply {

enum class SomaxconnEnd {
  kNotNeeded,       // it was large enough
  kPutBack,         // raised, and what it was again
  kKept,            // raised, to stay so
  kChangedByOther,  // raised; somebody else has given it another value since, which was left
  kNotPutBack,      // raised, and could not be put back
};

struct SomaxconnOutcome {
  std::int64_t before = 0;
  std::int64_t after = 0;
  std::optional<std::int64_t> raised_to;
  SomaxconnEnd end = SomaxconnEnd::kNotNeeded;
  std::optional<Error> error;  // of kNotPutBack
};

// Puts it back with end(), or else when it goes out of scope. To be used by one thread.
class RaisedSomaxconn {
 public:
  // Raises it where it is less than `wanted`. Fails, with nothing changed, where it cannot be read
  // or is less and cannot be written.
  [[nodiscard]] static Result<RaisedSomaxconn> Raise(std::int64_t wanted);
  RaisedSomaxconn(RaisedSomaxconn&& other) noexcept;
  RaisedSomaxconn(const RaisedSomaxconn&) = delete;
  RaisedSomaxconn& operator=(const RaisedSomaxconn&) = delete;
  RaisedSomaxconn& operator=(RaisedSomaxconn&&) = delete;
  ~RaisedSomaxconn();

  [[nodiscard]] const SomaxconnOutcome& outcome() const { return outcome_; }
  enum class Afterwards { kPutBack, kKeep };
  SomaxconnOutcome end(Afterwards afterwards);

 private:
  explicit RaisedSomaxconn(SomaxconnOutcome outcome) : outcome_(std::move(outcome)) {}

  SomaxconnOutcome outcome_;
  bool ended_ = false;
};

// Gives it `before` if it is `raised_to`; what anybody else has made of it stays.
[[nodiscard]] SomaxconnOutcome put_back_somaxconn(std::int64_t before, std::int64_t raised_to);

// What a raised value comes to: what was found at the end decides. Pure.
[[nodiscard]] SomaxconnEnd end_of_raised(std::int64_t raised_to, std::int64_t found, bool keep);

}  // namespace acceptq::apply
