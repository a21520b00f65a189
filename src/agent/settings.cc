#include "agent/settings.h"

#include <fmt/format.h>
#include <sys/un.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <exception>
#include <sstream>

#include "base/duration.h"
#include "base/text.h"
#include "base/yaml_reader.h"

namespace acceptq::agent {
namespace {

using collect::bpf::TraceLevel;
using std::chrono::milliseconds;

constexpr std::size_t kLargestFile = std::size_t{1} << 20;

struct TracingName {
  const char* name;
  TraceLevel level;
};
constexpr TracingName kTracingNames[] = {
    {"auto", TraceLevel::kBest},       {"functions", TraceLevel::kFunctions},
    {"kprobes", TraceLevel::kKprobes}, {"tracepoints", TraceLevel::kTracepoints},
    {"none", TraceLevel::kNone},
};

// A duration with the limits as people would write them.
struct DurationRange {
  const char* least;
  const char* most;
};

class Reader {
 public:
  explicit Reader(YamlErrors& errors) : errors_(errors) {}

  Settings read(const YAML::Node& root) {
    YamlMap map(root, "configuration", errors_);
    if (const auto text = map.optional_text("listen")) {
      if (const std::optional<ListenOn> listen = parse_listen_on(*text)) {
        settings_.listen = *listen;
      } else {
        map.error("listen",
                  "must be an IP address and a port, such as \"127.0.0.1:9927\" or "
                  "\"[::1]:9927\", not \"" +
                      *text + "\"");
      }
    }
    read_tls(map);
    path(map, "token_file", settings_.token_file);
    path(map, "socket", settings_.socket);
    if (settings_.socket.size() >= sizeof(sockaddr_un::sun_path)) {
      map.error("socket", fmt::format("must be shorter than {} bytes, as every path of a socket",
                                      sizeof(sockaddr_un::sun_path)));
    }
    duration(map, "interval", {"1s", "5m"}, settings_.interval);
    number(map, "max_listeners", 1, 20'000, settings_.max_listeners);
    read_tracing(map);
    if (const auto causes = map.optional_flag("causes")) settings_.causes = *causes;
    duration(map, "forget_after", {"1m", "24h"}, settings_.forget_after);
    read_http(map);
    map.finish();
    if (!errors_.first()) {
      if (const std::optional<std::string> reason = conflict(settings_)) {
        errors_.add(map.mark("listen"), *reason);
      }
    }
    return settings_;
  }

 private:
  static void number(YamlMap& map, const char* key, std::uint32_t least, std::uint32_t most,
                     std::uint32_t& value) {
    if (const auto count = map.optional_count(key, least, most)) {
      value = static_cast<std::uint32_t>(*count);
    }
  }

  static void duration(YamlMap& map, const char* key, DurationRange range, milliseconds& value) {
    const std::optional<std::string> text = map.optional_text(key);
    if (!text) return;
    const std::optional<double> seconds = parse_duration(*text);
    if (!seconds || *seconds < *parse_duration(range.least) ||
        *seconds > *parse_duration(range.most)) {
      map.error(key, fmt::format("must be a duration from {} to {}, such as \"500ms\", \"5s\" or "
                                 "\"10m\", not \"{}\"",
                                 range.least, range.most, *text));
      return;
    }
    value = milliseconds(static_cast<std::int64_t>(*seconds * 1000));
  }

  // Absolute: a relative one would depend on where the agent happens to be started.
  static void path(YamlMap& map, const char* key, std::string& value) {
    const std::optional<std::string> text = map.optional_text(key);
    if (!text) return;
    if (!text->empty() && (text->front() != '/' || text->find('\0') != std::string::npos)) {
      map.error(key, "must be an absolute path, not \"" + *text + "\"");
      return;
    }
    value = *text;
  }

  void read_tls(YamlMap& map) {
    const YAML::Node node = map.child("tls");
    if (!node.IsDefined()) return;
    YamlMap tls(node, "tls", errors_);
    path(tls, "certificate", settings_.tls_certificate);
    path(tls, "key", settings_.tls_key);
    tls.finish();
  }

  void read_tracing(YamlMap& map) {
    const std::optional<std::string> text = map.optional_text("tracing");
    if (!text) return;
    std::string known;
    for (const TracingName& tracing : kTracingNames) {
      if (*text == tracing.name) {
        settings_.tracing = tracing.level;
        return;
      }
      known += (known.empty() ? "" : ", ") + std::string(tracing.name);
    }
    map.error("tracing", fmt::format("must be one of {}, not \"{}\"", known, *text));
  }

  void read_http(YamlMap& map) {
    const YAML::Node node = map.child("http");
    if (!node.IsDefined()) return;
    YamlMap http(node, "http", errors_);
    number(http, "max_connections", 1, 1000, settings_.http_max_connections);
    number(http, "requests_per_second", 1, 1000, settings_.http_requests_per_second);
    duration(http, "timeout", {"100ms", "1m"}, settings_.http_timeout);
    http.finish();
  }

  YamlErrors& errors_;
  Settings settings_;
};

// Where the second document begins, if there is one. YAML::LoadAll, instead, never ends where
// yaml-cpp (0.7) makes a document of a token without moving past it: "!tag, text" does.
std::optional<YAML::Mark> second_document(const std::string& text) {
  class Begins final : public YAML::EventHandler {
   public:
    void OnDocumentStart(const YAML::Mark& mark) override { at_ = mark; }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
    [[nodiscard]] const YAML::Mark& at() const { return at_; }

   private:
    YAML::Mark at_ = YAML::Mark::null_mark();
  };
  std::istringstream in(text);
  YAML::Parser parser(in);
  Begins begins;
  if (!parser.HandleNextDocument(begins) || !parser.HandleNextDocument(begins)) return std::nullopt;
  return begins.at();
}

}  // namespace

std::optional<ListenOn> parse_listen_on(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint16_t> port = parse_int<std::uint16_t>(text.substr(colon + 1));
  if (!port || *port == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const std::optional<facts::IpAddress> address = facts::IpAddress::parse(host);
  if (!address || address->is_v6() != bracketed) return std::nullopt;
  return ListenOn{*address, *port};
}

std::optional<std::string> conflict(const Settings& settings) {
  if (settings.tls_certificate.empty() != settings.tls_key.empty()) {
    return fmt::format("tls needs both \"certificate\" and \"key\"; \"{}\" is missing",
                       settings.tls_key.empty() ? "key" : "certificate");
  }
  if (settings.listen.address.unmapped().is_loopback()) return std::nullopt;
  std::string missing;
  if (settings.tls_certificate.empty()) missing = "\"tls\"";
  if (settings.token_file.empty()) {
    missing += (missing.empty() ? "" : " and ") + std::string("\"token_file\"");
  }
  if (missing.empty()) return std::nullopt;
  return fmt::format(
      "\"listen\" is {}, which other hosts can reach: that needs {} too, since metrics name the "
      "processes, pods and ports of this host, and a token that is sent without TLS can be read on "
      "the way. Or listen on 127.0.0.1",
      facts::host_and_port(settings.listen.address, settings.listen.port), missing);
}

Result<Settings> parse_settings(std::string_view yaml, const std::string& file) {
  if (yaml.size() > kLargestFile) {
    return fail(ErrorCode::kMalformed, file + ": larger than a configuration can be (1 MiB)");
  }
  YamlErrors errors(file);
  // yaml-cpp throws; nothing of it leaves this function. Aliases are shared nodes to it and are not
  // copied out, so that a document of nested aliases costs what its text does.
  try {
    const std::string text(yaml);
    if (const std::optional<YAML::Mark> second = second_document(text)) {
      errors.add(*second, "a second document begins; there must be one");
      return fail(*errors.first());
    }
    const YAML::Node root = YAML::Load(text);
    if (!root.IsDefined() || root.IsNull()) return Settings{};
    Settings settings = Reader(errors).read(root);
    if (!errors.first()) return settings;
  } catch (const YAML::Exception& exception) {
    errors.add(exception.mark, exception.msg);
  } catch (const std::exception& exception) {
    errors.add(YAML::Mark::null_mark(), exception.what());
  }
  return fail(*errors.first());
}

}  // namespace acceptq::agent
