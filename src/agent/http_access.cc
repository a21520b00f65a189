#include "agent/http_access.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "base/text.h"

namespace acceptq::agent {
namespace {

// What OpenSSL says of the failure at hand; its queue of errors is empty afterwards.
std::string tls_reason() {
  const unsigned long code = ERR_peek_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason == nullptr ? "no reason given" : reason;
  ERR_clear_error();
  return text;
}

// Instead of OpenSSL's own, which would ask the terminal.
int no_password(char*, int, int, void*) { return 0; }

}  // namespace

Status check_private(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, path);
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kMalformed, path + ": is no file");
  constexpr mode_t kOthers = S_IROTH | S_IWOTH;
  if ((status.st_mode & kOthers) != 0) {
    return fail(ErrorCode::kPermission,
                fmt::format("{0}: everybody may read or write it (mode {1:04o}), so that it keeps "
                            "no secret; run: chmod o= {0}",
                            path, status.st_mode & 07777U));
  }
  return {};
}

HttpToken::HttpToken(std::string_view token) {
  static_assert(sizeof(digest_) == SHA256_DIGEST_LENGTH);
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest_.data());
}

bool HttpToken::fits(std::string_view token) const {
  const HttpToken other(token);
  return CRYPTO_memcmp(digest_.data(), other.digest_.data(), digest_.size()) == 0;
}

Result<HttpToken> read_token(const std::string& path) {
  constexpr std::size_t kShortest = 16;
  constexpr std::size_t kLongest = 1024;
  if (const Status status = check_private(path); !status) return fail(status.error());
  const Result<std::string> text = read_file(path, kLongest + 2);
  if (!text) return fail(text.error());
  const std::string_view token = trim(*text);
  const bool plain = std::ranges::all_of(token, [](char c) { return c > ' ' && c <= '~'; });
  if (token.size() < kShortest || token.size() > kLongest || !plain) {
    return fail(ErrorCode::kMalformed,
                fmt::format("{}: must hold one token of {} to {} printable characters without "
                            "blanks, such as `openssl rand -hex 32` gives",
                            path, kShortest, kLongest));
  }
  return HttpToken(token);
}

Result<TlsContext> load_tls(const std::string& certificate_path, const std::string& key_path) {
  if (const Status status = check_private(key_path); !status) return fail(status.error());
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return fail(ErrorCode::kIo, "TLS cannot be used: " + tls_reason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(context.get(), no_password);
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_path.c_str()) != 1) {
    return fail(ErrorCode::kMalformed, fmt::format("{}: cannot be used as a certificate (PEM): {}",
                                                   certificate_path, tls_reason()));
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_path.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return fail(ErrorCode::kMalformed,
                fmt::format("{}: cannot be used as the key (PEM, not encrypted) of {}: {}",
                            key_path, certificate_path, tls_reason()));
  }
  return context;
}

}  // namespace acceptq::agent
