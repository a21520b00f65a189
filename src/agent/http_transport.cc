#include "agent/http_transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace acceptq::agent {
namespace {

IoResult socket_result(ssize_t result, Io wants) {
  if (result > 0) return {Io::kDone, static_cast<std::size_t>(result)};
  if (result == 0) return {Io::kClosed};
  return {errno == EAGAIN || errno == EINTR ? wants : Io::kFailed};
}

int tls_size(std::size_t size) {
  return static_cast<int>(std::min(size, static_cast<std::size_t>(INT_MAX)));
}

}  // namespace

void HttpTransport::FreeSsl::operator()(ssl_st* ssl) const { SSL_free(ssl); }

HttpTransport::HttpTransport(UniqueFd fd, const TlsContext& tls) : fd_(std::move(fd)) {
  if (!tls) return;
  ssl_.reset(SSL_new(tls.get()));
  broken_ = !ssl_ || SSL_set_fd(ssl_.get(), fd_.get()) != 1;
  if (!broken_) SSL_set_accept_state(ssl_.get());
}

IoResult HttpTransport::tls_result(int result) const {
  if (result > 0) return {Io::kDone, static_cast<std::size_t>(result)};
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {Io::kWantsRead};
    case SSL_ERROR_WANT_WRITE:
      return {Io::kWantsWrite};
    case SSL_ERROR_ZERO_RETURN:
      return {Io::kClosed};
    default:
      return {SSL_is_init_finished(ssl_.get()) == 1 ? Io::kFailed : Io::kTlsFailed};
  }
}

IoResult HttpTransport::read(std::span<char> to) {
  if (broken_) return {Io::kFailed};
  if (!ssl_) return socket_result(::recv(fd_.get(), to.data(), to.size(), 0), Io::kWantsRead);
  ERR_clear_error();
  const IoResult result = tls_result(SSL_read(ssl_.get(), to.data(), tls_size(to.size())));
  broken_ = result.io == Io::kFailed || result.io == Io::kTlsFailed;
  return result;
}

IoResult HttpTransport::write(std::string_view from) {
  if (broken_) return {Io::kFailed};
  if (!ssl_) {
    return socket_result(::send(fd_.get(), from.data(), from.size(), MSG_NOSIGNAL),
                         Io::kWantsWrite);
  }
  ERR_clear_error();
  const IoResult result = tls_result(SSL_write(ssl_.get(), from.data(), tls_size(from.size())));
  broken_ = result.io == Io::kFailed || result.io == Io::kTlsFailed;
  return result;
}

void HttpTransport::end() {
  if (ssl_ && !broken_) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }
  ::shutdown(fd_.get(), SHUT_WR);
}

IoResult HttpTransport::drain() {
  std::array<char, 4096> forgotten;
  return socket_result(::recv(fd_.get(), forgotten.data(), forgotten.size(), 0), Io::kWantsRead);
}

}  // namespace acceptq::agent
