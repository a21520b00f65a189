#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/text.h"
#include "facts/json.h"

namespace acceptq::facts {
namespace {

using Json = nlohmann::json;

// A value and where it is. The first thing that is wrong is kept in the shared error; what is read
// after that is default values, which nobody sees.
class Value {
 public:
  Value(const Json& json, std::string path, std::optional<Error>& error)
      : json_(&json), path_(std::move(path)), error_(&error) {}

  [[nodiscard]] bool is_null() const { return json_->is_null(); }

  [[nodiscard]] Value member(const char* name) const {
    static const Json kNull;
    const std::string path = path_ + "." + name;
    if (!json_->is_object()) {
      wrong("an object");
      return {kNull, path, *error_};
    }
    const auto it = json_->find(name);
    if (it == json_->end()) {
      note(path + " is missing");
      return {kNull, path, *error_};
    }
    return {*it, path, *error_};
  }

  template <std::integral T>
    requires(!std::same_as<T, bool>)
  void read(T& out) const {
    const bool fits = json_->is_number_unsigned()  ? std::in_range<T>(json_->get<std::uint64_t>())
                      : json_->is_number_integer() ? std::in_range<T>(json_->get<std::int64_t>())
                                                   : false;
    if (!fits) {
      wrong(fmt::format("a whole number from {} to {}", std::numeric_limits<T>::min(),
                        std::numeric_limits<T>::max()));
      return;
    }
    out = json_->is_number_unsigned() ? static_cast<T>(json_->get<std::uint64_t>())
                                      : static_cast<T>(json_->get<std::int64_t>());
  }

  void read(bool& out) const {
    if (!json_->is_boolean()) return wrong("true or false");
    out = json_->get<bool>();
  }

  void read(double& out) const {
    if (!json_->is_number() || json_->get<double>() < 0) return wrong("a number, 0 or more");
    out = json_->get<double>();
  }

  void read(std::string& out) const {
    if (!json_->is_string()) return wrong("a string");
    std::optional<std::string> bytes = unescape_bytes(json_->get_ref<const std::string&>());
    if (!bytes) return wrong("a string whose backslashes are \\\\ or \\xHH");
    out = std::move(*bytes);
  }

  template <typename Tag, typename Rep>
  void read(Strong<Tag, Rep>& out) const {
    Rep value{};
    read(value);
    out = Strong<Tag, Rep>(value);
  }

  template <typename T>
  void read(std::optional<T>& out) const {
    if (is_null()) return;
    T value{};
    read(value);
    out = std::move(value);
  }

  // A number in hex, as a string: cookies do not fit into a double.
  void read_hex(std::uint64_t& out) const {
    std::string text;
    read(text);
    const auto value = parse_int<std::uint64_t>(text, 16);
    if (!value) return wrong("a number in hexadecimal, as a string");
    out = *value;
  }

  // One of `names`; gives its index.
  void read_name(std::initializer_list<const char*> names, int& out) const {
    std::string text;
    read(text);
    int index = 0;
    for (const char* name : names) {
      if (text == name) {
        out = index;
        return;
      }
      ++index;
    }
    wrong(fmt::format("one of {}", fmt::join(names, ", ")));
  }

  template <typename Visit>
  void each(const Visit& visit) const {
    if (!json_->is_array()) return wrong("an array");
    for (std::size_t i = 0; i < json_->size(); ++i) {
      visit(Value((*json_)[i], fmt::format("{}[{}]", path_, i), *error_));
    }
  }

  template <typename Visit>
  void each_member(const Visit& visit) const {
    if (!json_->is_object()) return wrong("an object");
    for (const auto& [name, value] : json_->items()) {
      visit(name, Value(value, path_ + "." + name, *error_));
    }
  }

  void wrong(const std::string& expected) const {
    std::string found = json_->dump(-1, ' ', false, Json::error_handler_t::replace);
    constexpr std::size_t kLongest = 40;
    if (found.size() > kLongest) found = found.substr(0, kLongest) + "…";
    note(fmt::format("{}: expected {}, found {}", path_, expected, found));
  }

 private:
  void note(std::string what) const {
    if (!*error_) *error_ = Error{ErrorCode::kMalformed, 0, std::move(what)};
  }

  const Json* json_;
  std::string path_;
  std::optional<Error>* error_;
};

// Reads the member `name` into `out`.
template <typename T>
void get(const Value& value, const char* name, T& out) {
  value.member(name).read(out);
}

template <typename T>
std::vector<T> get_all(const Value& value, const char* name, T (*read)(const Value&)) {
  std::vector<T> items;
  value.member(name).each([&](const Value& item) { items.push_back(read(item)); });
  return items;
}

BlindSpot read_blind_spot(const Value& value) {
  BlindSpot spot;
  get(value, "id", spot.id);
  get(value, "scope", spot.scope);
  get(value, "reason", spot.reason);
  get(value, "cost", spot.cost);
  get(value, "unobserved", spot.unobserved);
  return spot;
}

Sysctl read_sysctl(const Value& value) {
  Sysctl sysctl;
  int state = 0;
  value.member("state").read_name({"value", "not_namespaced", "unreadable"}, state);
  sysctl.state = static_cast<SysctlState>(state);
  get(value, "value", sysctl.value);
  get(value, "reason", sysctl.reason);
  return sysctl;
}

Namespace read_namespace(const Value& value) {
  Namespace ns;
  get(value, "id", ns.id);
  get(value, "is_host", ns.is_host);
  int held_by = 0;
  value.member("held_by").read_name({"process", "mount", "descriptor", "unknown"}, held_by);
  ns.held_by = static_cast<HeldBy>(held_by);
  get(value, "mount_path", ns.mount_path);
  value.member("pids").each([&](const Value& item) { item.read(ns.pids.emplace_back()); });
  if (const Value cookie = value.member("cookie"); !cookie.is_null()) {
    cookie.read_hex(ns.cookie.emplace());
  }
  value.member("sysctls").each_member(
      [&](const std::string& name, const Value& item) { ns.sysctls[name] = read_sysctl(item); });
  get(value, "counters_source", ns.counters_source);
  value.member("counters").each_member([&](const std::string& name, const Value& item) {
    item.read(ns.counters[name]);
  });
  return ns;
}

OwnerRef read_owner(const Value& value) {
  OwnerRef owner;
  get(value, "pid", owner.pid);
  get(value, "fd", owner.fd);
  return owner;
}

Listener read_listener(const Value& value) {
  Listener listener;
  int protocol = 0;
  value.member("protocol").read_name({"tcp", "unix"}, protocol);
  listener.protocol = static_cast<Protocol>(protocol);
  get(value, "mptcp", listener.mptcp);
  get(value, "netns", listener.netns);
  if (listener.protocol == Protocol::kTcp) {
    std::string address;
    get(value, "address", address);
    if (const auto parsed = IpAddress::parse(address)) {
      listener.address = *parsed;
    } else {
      value.member("address").wrong("an IP address");
    }
    get(value, "port", listener.port);
  } else {
    get(value, "path", listener.path);
  }
  get(value, "ifindex", listener.ifindex);
  get(value, "device", listener.device);
  get(value, "v6only", listener.v6only);
  get(value, "reuseport", listener.reuseport);
  std::uint64_t cookie = 0;
  value.member("cookie").read_hex(cookie);
  listener.cookie = SocketCookie(cookie);
  get(value, "inode", listener.inode);
  get(value, "uid", listener.uid);
  get(value, "cgroup_id", listener.cgroup_id);
  get(value, "accept_queue_len", listener.accept_queue_len);
  get(value, "limit", listener.limit);
  get(value, "syn_queue_len", listener.syn_queue_len);
  get(value, "syn_queue_young", listener.syn_queue_young);
  get(value, "drops", listener.drops);
  get(value, "backlog_requested", listener.backlog_requested);
  listener.owners = get_all(value, "owners", read_owner);
  get(value, "owners_complete", listener.owners_complete);
  return listener;
}

Process read_process(const Value& value) {
  Process process;
  get(value, "pid", process.pid);
  get(value, "parent", process.parent);
  get(value, "start_ticks", process.start_ticks);
  get(value, "comm", process.comm);
  get(value, "exe", process.exe);
  get(value, "uid", process.uid);
  get(value, "cgroup", process.cgroup);
  get(value, "netns", process.netns);
  if (const Value container = value.member("container"); !container.is_null()) {
    Container& out = process.container.emplace();
    get(container, "id", out.id);
    get(container, "runtime", out.runtime);
    get(container, "name", out.name);
  }
  if (const Value pod = value.member("pod"); !pod.is_null()) {
    Pod& out = process.pod.emplace();
    get(pod, "namespace", out.ns);
    get(pod, "name", out.name);
    get(pod, "uid", out.uid);
  }
  return process;
}

Snapshot read_snapshot(const Value& value) {
  Snapshot snapshot;
  const Value host = value.member("host");
  get(host, "name", snapshot.host.name);
  get(host, "kernel", snapshot.host.kernel);
  get(host, "boot_id", snapshot.host.boot_id);
  get(value, "realtime_ns", snapshot.realtime_ns);
  get(value, "monotonic_ns", snapshot.monotonic_ns);
  get(value, "scan_method", snapshot.scan_method);
  snapshot.namespaces = get_all(value, "namespaces", read_namespace);
  snapshot.listeners = get_all(value, "listeners", read_listener);
  snapshot.processes = get_all(value, "processes", read_process);
  snapshot.blind_spots = get_all(value, "blind_spots", read_blind_spot);
  normalize(snapshot);
  return snapshot;
}

Observation read_observation(const Value& value) {
  Observation observation;
  get(value, "seconds", observation.seconds);
  if (const Value tracing = value.member("tracing"); !tracing.is_null()) {
    int source = 0;
    tracing.read_name({"functions", "tracepoints", "packets", "counters", "socket_drops",
                       "imported", "simulated"},
                      source);
    observation.tracing = static_cast<Source>(source);
  }
  value.member("samples").each_member([&](const std::string& escaped, const Value& item) {
    const std::optional<std::string> key = unescape_bytes(escaped);
    if (!key) return item.wrong("a key whose backslashes are \\\\ or \\xHH");
    QueueSamples& queue = observation.samples[*key];
    get(item, "count", queue.count);
    get(item, "full", queue.full);
    get(item, "longest", queue.longest);
  });
  observation.before = read_snapshot(value.member("before"));
  observation.after = read_snapshot(value.member("after"));
  return observation;
}

// Deeper than any observation, and shallow enough for any stack.
bool too_deep(std::string_view text) {
  constexpr int kDeepest = 32;
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kDeepest) return true;
  }
  return false;
}

std::string position(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte == 0 ? 0 : byte - 1, text.size()));
  const auto line = 1 + std::ranges::count(before, '\n');
  const std::size_t newline = before.rfind('\n');
  const std::size_t column =
      before.size() - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
  return fmt::format("line {}, column {}", line, column);
}

}  // namespace

Result<Observation> observation_from_json(std::string_view text) {
  if (too_deep(text)) return fail(ErrorCode::kMalformed, "nested deeper than any observation is");
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::parse_error& error) {
    return fail(ErrorCode::kMalformed,
                fmt::format("{}: this is not JSON, or it was cut off", position(text, error.byte)));
  } catch (const Json::exception& error) {
    return fail(ErrorCode::kMalformed, error.what());
  }
  std::optional<Error> error;
  const Value root(json, "$", error);
  std::string schema;
  get(root, "schema", schema);
  if (!error && schema != kObservationSchema) {
    root.member("schema").wrong(fmt::format("\"{}\"", kObservationSchema));
  }
  if (error) return fail(std::move(*error));
  Observation observation = read_observation(root);
  if (error) return fail(std::move(*error));
  return observation;
}

}  // namespace acceptq::facts
