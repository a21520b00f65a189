#include "agent/http_server.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "agent/http_access.h"
#include "agent/http_connection.h"
#include "agent/http_pace.h"
#include "base/clock.h"
#include "base/unique_fd.h"

namespace acceptq::agent {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMillisecond;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const ListenOn& listen) {
  SocketAddress address;
  const auto bytes = listen.address.bytes();
  if (listen.address.is_v6()) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(listen.port);
    std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
    std::memcpy(&address.storage, &v6, sizeof v6);
    address.length = sizeof v6;
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(listen.port);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.length = sizeof v4;
  }
  return address;
}

ListenOn endpoint(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address.storage, sizeof v6);
    return {facts::IpAddress::v6(std::span<const std::uint8_t, 16>(v6.sin6_addr.s6_addr)),
            ntohs(v6.sin6_port)};
  }
  sockaddr_in v4{};
  std::memcpy(&v4, &address.storage, sizeof v4);
  std::array<std::uint8_t, 4> bytes{};
  std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
  return {facts::IpAddress::v4(bytes), ntohs(v4.sin_port)};
}

const char* listen_advice(int err) {
  switch (err) {
    case EADDRINUSE:
      return " (is another agent running? else set \"listen\" to another port)";
    case EADDRNOTAVAIL:
      return " (no interface of this host has that address: see \"listen\")";
    case EACCES:
      return " (ports below 1024 need CAP_NET_BIND_SERVICE: see \"listen\")";
    default:
      return "";
  }
}

Result<UniqueFd> listen_on(const ListenOn& where) {
  constexpr int kBacklog = 1024;
  SocketAddress address = socket_address(where);
  const auto failed = [&where](int err) {
    return fail_errno(
        err, fmt::format("cannot listen on {}{}", facts::host_and_port(where.address, where.port),
                         listen_advice(err)));
  };
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return failed(errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), address.get(), address.length) != 0) return failed(errno);
  if (::listen(fd.get(), kBacklog) != 0) return failed(errno);
  return fd;
}

// What reload() replaces.
struct Secrets {
  TlsContext tls;
  std::optional<HttpToken> token;
};

Result<Secrets> load_secrets(const HttpOptions& options) {
  Secrets secrets;
  if (!options.tls_certificate.empty()) {
    Result<TlsContext> tls = load_tls(options.tls_certificate, options.tls_key);
    if (!tls) return fail(tls.error());
    secrets.tls = std::move(*tls);
  }
  if (!options.token_file.empty()) {
    const Result<HttpToken> token = read_token(options.token_file);
    if (!token) return fail(token.error());
    secrets.token = *token;
  }
  return secrets;
}

}  // namespace

class HttpServer::Loop {
 public:
  Loop(HttpOptions options, HttpRoutes routes, Secrets secrets, UniqueFd listener, UniqueFd wake)
      : options_(std::move(options)),
        listener_(std::move(listener)),
        wake_(std::move(wake)),
        secrets_(std::move(secrets)),
        rate_(options_.requests_per_second),
        answerer_(std::move(routes), admission()) {
    SocketAddress address;
    ::getsockname(listener_.get(), address.get(), &address.length);
    port_ = endpoint(address).port;
    // Signals are the main thread's; SIGPIPE, which OpenSSL's write() may raise, nobody's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::pthread_setname_np(thread_.native_handle(), "acceptq-http");
  }

  ~Loop() { stop(); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void stop() {
    stopping_ = true;
    ::eventfd_write(wake_.get(), 1);
    if (thread_.joinable()) thread_.join();
    listener_.reset();
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

  [[nodiscard]] Status reload() {
    Result<Secrets> loaded = load_secrets(options_);
    if (!loaded) return fail(loaded.error());
    const std::lock_guard lock(mutex_);
    secrets_ = std::move(*loaded);
    return {};
  }

  [[nodiscard]] HttpCounts counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  [[nodiscard]] HttpAdmission admission() {
    HttpAdmission admission;
    if (secrets_.token) {
      admission.token_fits = [this](std::string_view token) {
        const std::lock_guard lock(mutex_);
        return secrets_.token && secrets_.token->fits(token);
      };
    }
    admission.within_rate = [this] { return rate_.take(monotonic_ns()); };
    return admission;
  }

  void count(std::uint64_t HttpCounts::* counter) {
    const std::lock_guard lock(mutex_);
    ++(counts_.*counter);
  }

  void refuse(const std::string& peer, std::string reason) const {
    if (options_.refused) options_.refused({peer, std::move(reason)});
  }

  void run() {
    while (!stopping_) {
      wait_for_turn();
      const std::int64_t now = monotonic_ns();
      // From the last to the first, so that one that goes leaves the others in their places.
      for (std::size_t i = connections_.size(); i-- > 0;) {
        HttpConnection& connection = *connections_[i];
        HttpConnection::End end = connection.expired(now);
        if (end == HttpConnection::End::kNone && ready(i)) {
          const std::string peer = connection.peer();
          work_.did_one();
          end = connection.advance([this, &peer](std::string_view request,
                                                 bool last) { return answer(request, last, peer); },
                                   now);
        }
        if (end != HttpConnection::End::kNone) close(i, end);
      }
      if (polled_.size() > kListener && (polled_[kListener].revents & POLLIN) != 0) admit(now);
    }
    connections_.clear();
  }

  // polled_ holds these two, then the connections.
  static constexpr std::size_t kWake = 0;
  static constexpr std::size_t kListener = 1;
  static constexpr std::size_t kFirst = 2;

  [[nodiscard]] bool ready(std::size_t connection) const {
    return polled_[kFirst + connection].revents != 0 || connections_[connection]->may_go_on();
  }

  void wait_for_turn() {
    // However many ask: a thread that only ever refuses would have a core to itself.
    const std::int64_t pause = work_.pause_ns(monotonic_ns());
    if (pause > 0) {
      pollfd wake{.fd = wake_.get(), .events = POLLIN, .revents = 0};
      wait(&wake, 1, pause);
    }
    std::int64_t until = std::numeric_limits<std::int64_t>::max();
    const std::int64_t now = monotonic_ns();
    const bool listening = now >= listens_again_ns_;
    if (!listening) until = listens_again_ns_;
    polled_.clear();
    polled_.push_back({.fd = wake_.get(), .events = POLLIN, .revents = 0});
    polled_.push_back({.fd = listening ? listener_.get() : -1, .events = POLLIN, .revents = 0});
    for (const auto& connection : connections_) {
      polled_.push_back(
          {.fd = connection->fd(), .events = connection->poll_events(), .revents = 0});
      until = connection->may_go_on() ? now : std::min(until, connection->deadline_ns());
    }
    wait(polled_.data(), polled_.size(),
         until == std::numeric_limits<std::int64_t>::max()
             ? -1
             : std::max<std::int64_t>(until - now, 0));
  }

  // ppoll, whose errors leave nothing ready. Negative: for as long as it takes.
  static void wait(pollfd* polled, std::size_t size, std::int64_t ns) {
    const timespec time{.tv_sec = static_cast<time_t>(ns / kSecond),
                        .tv_nsec = static_cast<long>(ns % kSecond)};
    if (::ppoll(polled, size, ns < 0 ? nullptr : &time, nullptr) >= 0) return;
    for (std::size_t i = 0; i < size; ++i) polled[i].revents = 0;
  }

  [[nodiscard]] HttpAnswer answer(std::string_view request, bool last, const std::string& peer) {
    HttpAnswer answer = request.empty() ? http_refusal(431, "Request Header Fields Too Large")
                                        : answerer_.answer(request, last);
    {
      const std::lock_guard lock(mutex_);
      ++counts_.by_status[answer.status];
    }
    if (answer.status >= 400 && answer.status < 500) refuse(peer, std::to_string(answer.status));
    return answer;
  }

  void close(std::size_t index, HttpConnection::End end) {
    using End = HttpConnection::End;
    const std::string peer = connections_[index]->peer();
    connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(index));
    switch (end) {
      case End::kTooLate:
        count(&HttpCounts::timed_out);
        return refuse(peer, "too slow");
      case End::kTlsFailed:
        count(&HttpCounts::tls_failed);
        return refuse(peer, "TLS handshake failed");
      case End::kFailed:
        return count(&HttpCounts::broken_off);
      case End::kDone:
      case End::kNone:
        return;
    }
  }

  void admit(std::int64_t now) {
    constexpr int kMostAtOnce = 16;
    for (int i = 0; i < kMostAtOnce; ++i) {
      SocketAddress address;
      UniqueFd fd(
          ::accept4(listener_.get(), address.get(), &address.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd.valid()) {
        // No descriptor or memory to be had: the client stays in the queue, and poll() would come
        // back at once.
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
          listens_again_ns_ = now + kSecond;
        }
        return;
      }
      count(&HttpCounts::connections);
      work_.did_one();
      const ListenOn peer = endpoint(address);
      const std::string name = facts::host_and_port(peer.address.unmapped(), peer.port);
      if (connections_.size() >= options_.max_connections && !make_room(now)) {
        count(&HttpCounts::turned_away);
        refuse(name, "too many connections");
        continue;
      }
      TlsContext tls;
      {
        const std::lock_guard lock(mutex_);
        tls = secrets_.tls;
      }
      connections_.push_back(std::make_unique<HttpConnection>(
          HttpTransport(std::move(fd), tls), name,
          std::chrono::nanoseconds(options_.timeout).count(), now));
    }
  }

  // Clients that only hold connections do not keep others out: the one that has waited longest
  // goes.
  [[nodiscard]] bool make_room(std::int64_t now) {
    const auto longest = std::ranges::min_element(
        connections_, {}, [now](const std::unique_ptr<HttpConnection>& connection) {
          return connection->may_be_closed(now) ? connection->waits_since_ns()
                                                : std::numeric_limits<std::int64_t>::max();
        });
    if (longest == connections_.end() || !(*longest)->may_be_closed(now)) return false;
    const std::string peer = (*longest)->peer();
    connections_.erase(longest);
    count(&HttpCounts::replaced);
    refuse(peer, "waited while others came");
    return true;
  }

  const HttpOptions options_;
  UniqueFd listener_;
  const UniqueFd wake_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;

  mutable std::mutex mutex_;  // of these two
  Secrets secrets_;
  HttpCounts counts_;

  // Of the thread alone.
  RateLimit rate_;
  WorkLimit work_;
  HttpAnswerer answerer_;
  std::vector<std::unique_ptr<HttpConnection>> connections_;
  std::vector<pollfd> polled_;
  std::int64_t listens_again_ns_ = 0;

  std::thread thread_;
};

HttpOptions http_options(const Settings& settings) {
  return {.listen = settings.listen,
          .tls_certificate = settings.tls_certificate,
          .tls_key = settings.tls_key,
          .token_file = settings.token_file,
          .max_connections = settings.http_max_connections,
          .requests_per_second = settings.http_requests_per_second,
          .timeout = settings.http_timeout,
          .refused = {}};
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpOptions options, HttpRoutes routes) {
  Result<Secrets> secrets = load_secrets(options);
  if (!secrets) return fail(secrets.error());
  Result<UniqueFd> listener = listen_on(options.listen);
  if (!listener) return fail(listener.error());
  UniqueFd wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake.valid()) return fail_errno(errno, "eventfd");
  return std::unique_ptr<HttpServer>(new HttpServer(
      std::make_unique<Loop>(std::move(options), std::move(routes), std::move(*secrets),
                             std::move(*listener), std::move(wake))));
}

HttpServer::HttpServer(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const { return loop_->port(); }
Status HttpServer::reload() { return loop_->reload(); }
HttpCounts HttpServer::counts() const { return loop_->counts(); }
void HttpServer::stop() { loop_->stop(); }

}  // namespace acceptq::agent
