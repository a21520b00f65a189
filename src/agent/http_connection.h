// One client's connection as a machine of states: it takes requests one after the other, each as a
// whole, and gives answers. Never waits; the server calls it when its descriptor is ready.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "agent/http_answer.h"
#include "agent/http_transport.h"

namespace acceptq::agent {

class HttpConnection {
 public:
  // `last` is set for the last request that this connection may make.
  using Answerer = std::function<HttpAnswer(std::string_view request, bool last)>;

  enum class End {
    kNone,       // goes on
    kDone,       // closed in good order
    kFailed,     // by the client, in the middle of something
    kTlsFailed,  // no client of TLS
    kTooLate,    // its deadline has passed
  };

  HttpConnection(HttpTransport transport, std::string peer, std::int64_t timeout_ns,
                 std::int64_t now_ns);

  // Goes on until it must wait, or has answered one request.
  [[nodiscard]] End advance(const Answerer& answer, std::int64_t now_ns);
  // What advance() would say at `now_ns` if the client did nothing.
  [[nodiscard]] End expired(std::int64_t now_ns) const;
  [[nodiscard]] std::int64_t deadline_ns() const;
  // Whether it may be closed for the sake of a new client: it waits for its own client longer than
  // one needs that has something to say.
  [[nodiscard]] bool may_be_closed(std::int64_t now_ns) const;
  [[nodiscard]] std::int64_t waits_since_ns() const { return phase_since_ns_; }

  [[nodiscard]] int fd() const { return transport_.fd(); }
  [[nodiscard]] short poll_events() const;
  // advance() need not wait for the descriptor: another request may have come with the last.
  [[nodiscard]] bool may_go_on() const { return may_go_on_; }
  [[nodiscard]] const std::string& peer() const { return peer_; }

 private:
  enum class Phase {
    kFirst,   // waits for the first request
    kIdle,    // waits for another one
    kHead,    // has a part of one
    kAnswer,  // gives the answer
    kDrain,   // has said that no more comes; reads on, so that the client sees the answer before a
              // reset
  };

  void enter(Phase phase, std::int64_t now_ns);
  [[nodiscard]] End read_more(std::int64_t now_ns);
  [[nodiscard]] End write_more(std::int64_t now_ns);
  [[nodiscard]] End drain();
  // Of a client that has gone or failed.
  [[nodiscard]] End ended(Io io) const;

  HttpTransport transport_;
  std::string peer_;
  std::int64_t timeout_ns_;
  Phase phase_ = Phase::kFirst;
  std::int64_t phase_since_ns_;
  bool wants_write_ = false;
  bool may_go_on_ = false;
  bool blocked_ = false;  // nothing more can be done until the descriptor is ready
  std::string received_;
  HttpAnswer answer_;
  std::size_t sent_ = 0;  // of head and body
  std::uint32_t requests_ = 0;
  std::size_t drained_ = 0;
};

}  // namespace acceptq::agent
