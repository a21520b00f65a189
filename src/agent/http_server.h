// Serves a few pages to a few clients over HTTP/1.1, from one thread and with everything bounded:
// connections, the size of a request, the time in which it must have come and its answer have been
// taken, requests and work per second. Answers are made by HttpAnswerer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/http_answer.h"
#include "agent/settings.h"
#include "base/result.h"

namespace acceptq::agent {

// What a client was refused, or did wrong.
struct HttpRefusal {
  std::string peer;    // "10.0.0.7:53124"
  std::string reason;  // "401", "TLS handshake failed" …
};

struct HttpOptions {
  ListenOn listen;              // port 0: any that is free
  std::string tls_certificate;  // empty: plain HTTP
  std::string tls_key;
  std::string token_file;  // empty: no token is asked for
  std::uint32_t max_connections = 16;
  std::uint32_t requests_per_second = 20;  // of routes that are not open
  std::chrono::milliseconds timeout{5000};
  // Is called in the server's thread for each refusal: must be quick, and bound what it logs.
  std::function<void(const HttpRefusal&)> refused;
};

[[nodiscard]] HttpOptions http_options(const Settings& settings);

struct HttpCounts {
  std::uint64_t connections = 0;           // accepted
  std::map<int, std::uint64_t> by_status;  // answered requests
  std::uint64_t turned_away = 0;           // connections without a place, closed at once
  std::uint64_t replaced = 0;              // connections that waited, closed for new ones
  std::uint64_t timed_out = 0;             // requests or answers
  std::uint64_t tls_failed = 0;            // handshakes
  std::uint64_t broken_off = 0;            // by the client, in the middle of something
};

class HttpServer {
 public:
  // Serves once this has returned. Fails where it cannot listen, or a file cannot be used; the
  // error says what to do.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(HttpOptions options,
                                                                 HttpRoutes routes);
  // As stop().
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  // Reads certificate, key and token again, for connections and requests from now on. All stay as
  // they were where one of them cannot be used. From any thread.
  [[nodiscard]] Status reload();
  // From any thread.
  [[nodiscard]] HttpCounts counts() const;
  // Closes everything, answers under way included, within milliseconds of the handler at work.
  void stop();

 private:
  class Loop;
  explicit HttpServer(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace acceptq::agent
