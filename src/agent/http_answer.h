// What one HTTP request is answered, from bytes to bytes: cpp-httplib parses the request and writes
// the head of the answer; no socket is involved. GET and HEAD of exact paths, nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace acceptq::agent {

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  // Shared, not copied, by all connections that are sent it. Null: empty.
  std::shared_ptr<const std::string> body;
};

// Is called in the server's only thread: what it computes delays every other client.
using HttpHandler = std::function<HttpReply()>;

struct HttpRoute {
  HttpHandler handler;
  // Needs no token and is not counted against the rate: for replies that cost no more than a
  // refusal would, such as /healthz.
  bool open = false;
};

// By path, which must be asked for exactly as it is written here; a query is ignored.
using HttpRoutes = std::map<std::string, HttpRoute, std::less<>>;

struct HttpAdmission {
  // Empty: no token is asked for.
  std::function<bool(std::string_view token)> token_fits;
  // Empty: no limit. Takes one from the rate.
  std::function<bool()> within_rate;
};

struct HttpAnswer {
  std::string head;  // status line, headers, blank line; empty where nothing can be answered
  std::shared_ptr<const std::string> body;  // to be sent after it; null: none
  int status = 0;
  bool close = true;  // the connection, after this
};

// The first bytes of `received` that are a request up to the blank line that ends it, as
// cpp-httplib reads it; 0 while that has not come.
[[nodiscard]] std::size_t request_length(std::string_view received);

// An answer of its own, without a body.
[[nodiscard]] HttpAnswer http_refusal(int status, std::string_view reason);

class HttpAnswerer {
 public:
  HttpAnswerer(HttpRoutes routes, HttpAdmission admission);
  ~HttpAnswerer();
  HttpAnswerer(const HttpAnswerer&) = delete;
  HttpAnswerer& operator=(const HttpAnswerer&) = delete;

  // `request` is what request_length() says. `last` closes the connection whatever the client asks.
  [[nodiscard]] HttpAnswer answer(std::string_view request, bool last);

 private:
  class Library;
  std::unique_ptr<Library> library_;
};

}  // namespace acceptq::agent
