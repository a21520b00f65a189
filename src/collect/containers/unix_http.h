// One HTTP GET over a Unix socket, with a deadline that holds whatever the other side does.
//
// No HTTP library: all that is needed is one request in the clear, while what matters is what
// libraries leave open. The daemon asked may be the very process that hangs: its socket still
// listens, its accept queue is full or fills without being emptied, or it answers a byte a minute.
// Libraries bound each step (connect, then each read), not the sum, and libcurl would add a dozen
// libraries to the static binary. HTTP/1.0 keeps the answer simple: no chunks, ends at the close.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace acceptq::collect::containers {

struct HttpReply {
  int status = 0;
  std::string body;
};

// A whole reply to an HTTP/1.0 request, as read until the other side closed. Fails with kMalformed
// on what is not HTTP, kTruncated where Content-Length announces more than there is, kUnsupported
// on a Transfer-Encoding (which HTTP/1.0 has not).
[[nodiscard]] Result<HttpReply> parse_http_reply(std::string_view bytes);

// Connects to the Unix socket at `path`, asks for `target` ("/containers/json") and returns the
// reply. Never blocks past `deadline_ns` (clock_ns(CLOCK_MONOTONIC)) and never reads more than
// `max_bytes`: kInterrupted and kTruncated. kNotFound where there is no socket, or nobody listens
// on it.
[[nodiscard]] Result<HttpReply> unix_http_get(const std::string& path, const std::string& target,
                                              std::int64_t deadline_ns, std::size_t max_bytes);

}  // namespace acceptq::collect::containers
