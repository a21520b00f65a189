#include "agent/http_answer.h"

#include <httplib.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <exception>
#include <utility>

#include "facts/address.h"

namespace acceptq::agent {
namespace {

// One request in, one answer's head out.
class MemoryStream final : public httplib::Stream {
 public:
  explicit MemoryStream(std::string_view request) : request_(request) {}

  [[nodiscard]] bool is_readable() const override { return !request_.empty(); }
  [[nodiscard]] bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    const std::size_t length = std::min(size, request_.size());
    std::memcpy(to, request_.data(), length);
    request_.remove_prefix(length);
    return static_cast<ssize_t>(length);
  }
  ssize_t write(const char* from, std::size_t size) override {
    written_.append(from, size);
    return static_cast<ssize_t>(size);
  }
  // Who asks is known to the server, and no reply depends on it.
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  [[nodiscard]] socket_t socket() const override { return INVALID_SOCKET; }

  [[nodiscard]] std::string take_written() { return std::move(written_); }
  [[nodiscard]] bool all_read() const { return request_.empty(); }

 private:
  std::string_view request_;
  std::string written_;
};

bool equal_but_for_case(std::string_view text, std::string_view lower) {
  return std::ranges::equal(
      text, lower, [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

// The token of "Bearer TOKEN", whose scheme is not case-sensitive (RFC 9110, 11.1); empty for
// anything else.
std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return {};
  if (!equal_but_for_case(authorization.substr(0, kScheme.size()), kScheme)) return {};
  authorization.remove_prefix(kScheme.size());
  const std::size_t begin = authorization.find_first_not_of(' ');
  return begin == std::string_view::npos ? std::string_view{} : authorization.substr(begin);
}

// Nothing here is served in ranges, and the library reads them, before it asks anybody, with a
// std::regex that recurses for each character: 8 KiB of them take more than 2 MiB of stack.
std::string without_ranges(std::string_view request) {
  std::string kept;
  kept.reserve(request.size());
  for (bool first = true; !request.empty(); first = false) {
    const std::string_view line =
        request.substr(0, std::min(request.find('\n'), request.size() - 1) + 1);
    request.remove_prefix(line.size());
    if (first || !equal_but_for_case(line.substr(0, line.find(':')), "range")) kept += line;
  }
  return kept;
}

// "localhost:9465", "127.0.0.1", "[::1]:9465". Where a web page is known by another name to a
// browser on this host, its scripts may read what they are answered under that name (DNS
// rebinding).
bool names_this_host(std::string_view host) {
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  const auto address = facts::IpAddress::parse(host);
  return address ? address->is_loopback() : equal_but_for_case(host, "localhost");
}

std::shared_ptr<const std::string> shared_text(const char* text) {
  return std::make_shared<const std::string>(text);
}

}  // namespace

// Only process_request() of the library's server is used, which is protected: its own loop has a
// thread for each connection, reads line by line with a time-out for each read, and queues without
// a bound, so that a few clients that send a byte every now and then would hold it for good.
class HttpAnswerer::Library final : public httplib::Server {
 public:
  Library(HttpRoutes routes, HttpAdmission admission)
      : routes_(std::move(routes)), admission_(std::move(admission)) {
    set_default_headers({{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      route(request, response);
      return HandlerResponse::Handled;
    });
    set_post_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      complete(request, response);
    });
  }

  HttpAnswer answer(std::string_view request, bool last) {
    answer_ = {};
    method_.clear();
    last_ = last;
    const std::string kept = without_ranges(request);
    MemoryStream stream(kept);
    bool close_asked = false;
    try {
      const bool written = process_request(stream, last, close_asked,
                                           [this](httplib::Request& read) { prepare(read); });
      if (!written) return http_refusal(400, "Bad Request");
    } catch (const std::exception&) {
      return http_refusal(500, "Internal Server Error");
    }
    answer_.head = stream.take_written();
    if (method_ != "GET") answer_.body = nullptr;
    answer_.close = answer_.close || close_asked || !stream.all_read();
    return std::move(answer_);
  }

 private:
  // Before the library acts on headers that it has read.
  void prepare(httplib::Request& request) {
    // It writes the head only, as for HEAD; the body, which connections share, is sent after it.
    method_ = std::exchange(request.method, "HEAD");
    request.headers.erase("Expect");
    // It would compress whatever the client accepts, with brotli at its slowest first, and anew for
    // each client: for metrics of some megabytes that costs more than the scan that they are of.
    request.headers.erase("Accept-Encoding");
  }

  void route(const httplib::Request& request, httplib::Response& response) {
    if (method_ != "GET" && method_ != "HEAD") {
      response.set_header("Allow", "GET, HEAD");
      return reply(response, {.status = 405, .body = shared_text("only GET and HEAD\n")});
    }
    // The target as it was sent: what is encoded, relative or of another host is no path of ours.
    const std::string_view target = request.target;
    const auto found = routes_.find(target.substr(0, target.find('?')));
    if (found == routes_.end()) {
      return reply(response, {.status = 404, .body = shared_text("no such page\n")});
    }
    const HttpRoute& route = found->second;
    if (!route.open && !admission_.token_fits && request.has_header("Host") &&
        !names_this_host(request.get_header_value("Host"))) {
      return reply(response, {.status = 403,
                              .body = shared_text("without a token, only as localhost or by a "
                                                  "loopback address\n")});
    }
    if (!route.open && !has_token(request)) {
      response.set_header("WWW-Authenticate", "Bearer realm=\"acceptq\"");
      return reply(response, {.status = 401, .body = shared_text("a bearer token is needed\n")});
    }
    if (!route.open && admission_.within_rate && !admission_.within_rate()) {
      response.set_header("Retry-After", "1");
      return reply(response, {.status = 429, .body = shared_text("too many requests\n")});
    }
    reply(response, route.handler());
  }

  [[nodiscard]] bool has_token(const httplib::Request& request) const {
    if (!admission_.token_fits) return true;
    return request.get_header_value_count("Authorization") == 1 &&
           admission_.token_fits(bearer_token(request.get_header_value("Authorization")));
  }

  void reply(httplib::Response& response, HttpReply with) {
    response.status = with.status;
    response.set_header("Content-Type", with.content_type);
    response.set_header("Content-Length", std::to_string(with.body ? with.body->size() : 0));
    // Else the library offers ranges.
    response.set_header("Accept-Ranges", "none");
    answer_.body = std::move(with.body);
  }

  // Also of the answers that the library gives by itself, to what it cannot read.
  void complete(const httplib::Request& request, httplib::Response& response) {
    answer_.status = response.status;
    // A body would be taken for the next request; and whoever was refused may begin again.
    answer_.close = last_ || response.status != 200 || request.has_header("Content-Length") ||
                    request.has_header("Transfer-Encoding");
    response.headers.erase("Keep-Alive");
    response.headers.erase("Connection");
    if (answer_.close) response.set_header("Connection", "close");
  }

  HttpRoutes routes_;
  HttpAdmission admission_;
  // Of the request at hand.
  HttpAnswer answer_;
  std::string method_;
  bool last_ = false;
};

std::size_t request_length(std::string_view received) {
  // Lines that end in a bare newline do not end the headers: the library skips them.
  constexpr std::string_view kEnd = "\n\r\n";
  const std::size_t end = received.find(kEnd);
  return end == std::string_view::npos ? 0 : end + kEnd.size();
}

HttpAnswer http_refusal(int status, std::string_view reason) {
  HttpAnswer answer;
  answer.status = status;
  answer.head.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(reason);
  answer.head.append("\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  return answer;
}

HttpAnswerer::HttpAnswerer(HttpRoutes routes, HttpAdmission admission)
    : library_(std::make_unique<Library>(std::move(routes), std::move(admission))) {}
HttpAnswerer::~HttpAnswerer() = default;

HttpAnswer HttpAnswerer::answer(std::string_view request, bool last) {
  return library_->answer(request, last);
}

}  // namespace acceptq::agent
