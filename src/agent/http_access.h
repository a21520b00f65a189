// Who may ask for metrics: a token in a file, and TLS. What is read from files is not to be read by
// others, and may be replaced while connections last.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct ssl_ctx_st;

namespace acceptq::agent {

// Refuses a file that others than its owner and group may read or write, since what is in it is no
// secret any more.
[[nodiscard]] Status check_private(const std::string& path);

// The digest of a token: comparing digests takes the same time wherever tokens differ, and whatever
// their lengths are.
class HttpToken {
 public:
  explicit HttpToken(std::string_view token);
  [[nodiscard]] bool fits(std::string_view token) const;

 private:
  std::array<std::uint8_t, 32> digest_{};
};

// From a file that holds nothing but the token, 16 to 1,024 printable characters without blanks; a
// newline at the end does not count.
[[nodiscard]] Result<HttpToken> read_token(const std::string& path);

using TlsContext = std::shared_ptr<ssl_ctx_st>;

// For a server, TLS 1.2 or later. Fails where the files cannot be read, do not fit each other, or
// the key is encrypted or open to others.
[[nodiscard]] Result<TlsContext> load_tls(const std::string& certificate_path,
                                          const std::string& key_path);

}  // namespace acceptq::agent
