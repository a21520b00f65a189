// What `acceptq agent` is told by its configuration file, a YAML map; docs/agent.md describes every
// key, and deploy/acceptq-agent.yaml shows each with its default. Pure: no file that is named here
// is opened.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "collect/bpf/trace_options.h"
#include "facts/address.h"

namespace acceptq::agent {

struct ListenOn {
  facts::IpAddress address;
  std::uint16_t port = 0;

  friend bool operator==(const ListenOn&, const ListenOn&) = default;
};

// "127.0.0.1:9927", "[::1]:9927": an address and a port from 1 to 65535; no name, since what a name
// resolves to may change who can connect.
[[nodiscard]] std::optional<ListenOn> parse_listen_on(std::string_view text);

struct Settings {
  // Where metrics are served.
  ListenOn listen = {.address = *facts::IpAddress::parse("127.0.0.1"), .port = 9927};
  // PEM files; both or neither. Empty: plain HTTP.
  std::string tls_certificate;
  std::string tls_key;
  // Holds the token that clients must present. Empty: none.
  std::string token_file;
  // For `acceptq check --agent`. Empty: none.
  std::string socket = "/run/acceptq/agent.sock";

  std::chrono::milliseconds interval{5000};  // between scans while nothing fills
  std::uint32_t max_listeners = 1000;        // that have series
  collect::bpf::TraceLevel tracing = collect::bpf::TraceLevel::kBest;
  // Look at the threads of listeners in trouble.
  bool causes = true;
  // How long the series of a listener that is gone are kept.
  std::chrono::milliseconds forget_after{600'000};

  std::uint32_t http_max_connections = 16;
  std::uint32_t http_requests_per_second = 20;
  std::chrono::milliseconds http_timeout{5000};

  friend bool operator==(const Settings&, const Settings&) = default;
};

// Why these settings must not be used together, for people; nothing where they may. parse_settings
// has asked; whoever changes a value afterwards asks again.
[[nodiscard]] std::optional<std::string> conflict(const Settings& settings);

// `file` is for errors, which begin "FILE:LINE:COLUMN: ". What is not there has its default; an
// empty document is all defaults. Fails with kMalformed on a key that is unknown, there twice, of
// another type or out of range, and on a conflict.
[[nodiscard]] Result<Settings> parse_settings(std::string_view yaml, const std::string& file);

}  // namespace acceptq::agent
