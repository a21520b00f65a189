#include "collect/containers/unix_http.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/clock.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace acceptq::collect::containers {
namespace {

// Between two tries to connect to a socket whose accept queue is full.
constexpr int kRetryMs = 5;

std::optional<int> remaining_ms(std::int64_t deadline_ns) {
  const std::int64_t left_ns = deadline_ns - monotonic_ns();
  if (left_ns <= 0) return std::nullopt;
  return static_cast<int>(std::min<std::int64_t>(left_ns / 1'000'000 + 1, 60'000));
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

class Exchange {
 public:
  Exchange(const std::string& path, std::int64_t deadline_ns)
      : path_(path), deadline_ns_(deadline_ns) {}

  [[nodiscard]] Status connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) {
      return fail(ErrorCode::kUnsupported, path_ + " is longer than a socket's path can be");
    }
    std::memcpy(address.sun_path, path_.data(), path_.size());
    while (true) {
      fd_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (!fd_.valid()) return fail_errno(errno, "cannot make a socket for " + path_);
      const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
      if (::connect(fd_.get(), generic, sizeof address) == 0) return {};
      const int err = errno;
      if (err == ECONNREFUSED) {  // left behind by a daemon that is gone
        return fail(Error{ErrorCode::kNotFound, err, "cannot connect to " + path_});
      }
      // A full accept queue: poll() would report the socket as ready at once (it is not connected),
      // so time is let pass instead (net/unix/af_unix.c, unix_stream_connect).
      if (err != EAGAIN && err != EINTR) return fail_errno(err, "cannot connect to " + path_);
      const std::optional<int> left = remaining_ms(deadline_ns_);
      if (!left) return late("its accept queue is full");
      ::poll(nullptr, 0, std::min(*left, kRetryMs));
    }
  }

  [[nodiscard]] Status send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if (Status waited = wait(errno, POLLOUT, "it does not read"); !waited) {
        return waited;
      }
    }
    return {};
  }

  [[nodiscard]] Result<std::string> receive(std::size_t max_bytes) {
    std::string bytes;
    std::array<char, 16384> chunk;
    while (true) {
      // Asked before each read too: a sender that never pauses must not outlast the deadline.
      const char* const why = bytes.empty() ? "it does not answer" : "it does not finish";
      if (!remaining_ms(deadline_ns_)) return late(why);
      const ssize_t n = ::recv(fd_.get(), chunk.data(), chunk.size(), 0);
      if (n == 0) return bytes;
      if (n < 0) {
        if (Status waited = wait(errno, POLLIN, why); !waited) {
          return fail(std::move(waited).error());
        }
        continue;
      }
      bytes.append(chunk.data(), static_cast<std::size_t>(n));
      if (bytes.size() > max_bytes) {
        return fail(ErrorCode::kTruncated,
                    path_ + " answers with more than " + std::to_string(max_bytes) + " bytes");
      }
    }
  }

 private:
  // After `err` of a send or recv: waits until it is worth another try.
  [[nodiscard]] Status wait(int err, short events, std::string_view why) {
    if (err != EAGAIN && err != EINTR) return fail_errno(err, "cannot talk to " + path_);
    const std::optional<int> left = remaining_ms(deadline_ns_);
    if (!left) return late(why);
    pollfd poll_fd{fd_.get(), events, 0};
    ::poll(&poll_fd, 1, *left);
    return {};
  }

  [[nodiscard]] tl::unexpected<Error> late(std::string_view why) const {
    return fail(ErrorCode::kInterrupted,
                "gave up on " + path_ + " at the deadline: " + std::string(why));
  }

  const std::string& path_;
  std::int64_t deadline_ns_;
  UniqueFd fd_;
};

}  // namespace

Result<HttpReply> parse_http_reply(std::string_view bytes) {
  // "HTTP/1.1 200 OK"
  std::string_view rest = bytes;
  const std::string_view status_line = next_line(rest);
  const std::size_t blank = status_line.find(' ');
  if (!status_line.starts_with("HTTP/1.") || blank == std::string_view::npos) {
    return fail(ErrorCode::kMalformed, "the reply is not HTTP/1");
  }
  const std::string_view code_text = status_line.substr(blank + 1, 3);
  const std::optional<int> code = parse_int<int>(code_text);
  if (!code || *code < 100) return fail(ErrorCode::kMalformed, "the reply has no status code");

  HttpReply reply;
  reply.status = *code;
  std::optional<std::size_t> announced;
  while (true) {
    if (rest.empty()) return fail(ErrorCode::kTruncated, "the reply ends within its header");
    const std::string_view line = next_line(rest);
    if (line.empty()) break;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return fail(ErrorCode::kMalformed, "the reply has a header line without a colon");
    }
    const std::string_view name = line.substr(0, colon);
    if (equal_ignoring_case(name, "Transfer-Encoding")) {
      return fail(ErrorCode::kUnsupported, "the reply has a Transfer-Encoding");
    }
    if (!equal_ignoring_case(name, "Content-Length")) continue;
    announced = parse_int<std::size_t>(trim(line.substr(colon + 1)));
    if (!announced) return fail(ErrorCode::kMalformed, "the reply's Content-Length is no number");
  }
  if (announced && rest.size() < *announced) {
    return fail(ErrorCode::kTruncated, "the reply has " + std::to_string(rest.size()) +
                                           " bytes of " + std::to_string(*announced));
  }
  reply.body = rest.substr(0, announced.value_or(rest.size()));
  return reply;
}

Result<HttpReply> unix_http_get(const std::string& path, const std::string& target,
                                std::int64_t deadline_ns, std::size_t max_bytes) {
  Exchange exchange(path, deadline_ns);
  if (Status done = exchange.connect(); !done) return fail(std::move(done).error());
  const std::string request = "GET " + target + " HTTP/1.0\r\nHost: localhost\r\n\r\n";
  if (Status done = exchange.send(request); !done) return fail(std::move(done).error());
  const Result<std::string> bytes = exchange.receive(max_bytes);
  if (!bytes) return fail(bytes.error());
  Result<HttpReply> reply = parse_http_reply(*bytes);
  if (!reply) reply.error().context.insert(0, path + ": ");
  return reply;
}

}  // namespace acceptq::collect::containers
