// Bytes of one client's connection, in the clear or through TLS. Never waits.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "agent/http_access.h"
#include "base/unique_fd.h"

struct ssl_st;

namespace acceptq::agent {

enum class Io {
  kDone,        // `bytes` were taken or given, 1 or more
  kWantsRead,   // nothing; again when the descriptor can be read
  kWantsWrite,  // nothing; again when it can be written
  kClosed,      // by the client, in good order
  kFailed,
  kTlsFailed,  // before it was established: no client of TLS, or one that we do not speak with
};

struct IoResult {
  Io io = Io::kFailed;
  std::size_t bytes = 0;
};

class HttpTransport {
 public:
  // `fd` is a connected socket that does not block. Null `tls`: in the clear.
  HttpTransport(UniqueFd fd, const TlsContext& tls);

  [[nodiscard]] int fd() const { return fd_.get(); }
  // The first of them drives the handshake.
  [[nodiscard]] IoResult read(std::span<char> to);
  [[nodiscard]] IoResult write(std::string_view from);
  // Says that no more will come. What the client still sends is for drain() alone.
  void end();
  // Reads and forgets.
  [[nodiscard]] IoResult drain();

 private:
  struct FreeSsl {
    void operator()(ssl_st* ssl) const;
  };
  [[nodiscard]] IoResult tls_result(int result) const;

  UniqueFd fd_;
  std::unique_ptr<ssl_st, FreeSsl> ssl_;  // with its own hold of the context
  bool broken_ = false;
};

}  // namespace acceptq::agent
