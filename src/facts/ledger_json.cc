#include "facts/ledger_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "facts/json.h"
#include "facts/json_fields.h"
#include "facts/ledger_read.h"

namespace acceptq::facts {

// Found by their arguments (facts/json_fields.h).
static void fields(auto& archive, CoursePart& part) {
  archive("index", part.index);
  archive("attempts", part.attempts);
  archive("refused", part.refused);
  archive("syn_unanswered", part.unanswered);
  archive("ack_unheard", part.unheard);
  archive("resets", part.resets);
  archive("slow", part.slow);
}

static void fields(auto& archive, HandshakeCourse& course) {
  archive("begin_ns", course.begin_ns);
  archive("end_ns", course.end_ns);
  archive("realtime_ns", course.realtime_ns);
  archive("part_ns", course.part_ns);
  archive("parts", course.parts);
}

namespace {

using Json = nlohmann::ordered_json;
using json::Value;

Json write(const Histogram& histogram) {
  Json buckets = Json::array();
  for (const Bucket& bucket : histogram) {
    buckets.push_back({{"below", bucket.below}, {"count", bucket.count}});
  }
  return buckets;
}

Json write(const std::vector<RefusedClient>& clients) {
  Json list = Json::array();
  for (const RefusedClient& client : clients) {
    list.push_back({{"address", client.address.to_string()},
                    {"prefix_bits", client.prefix_bits},
                    {"packets", client.packets},
                    {"attempts", client.attempts},
                    {"route", client.route ? Json(route_name(*client.route)) : Json(nullptr)}});
  }
  return list;
}

template <typename T>
Json opt(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

struct CapturedCount {
  const char* name;
  std::uint64_t Captured::* member;
};
constexpr CapturedCount kCapturedCounts[] = {{"attempts", &Captured::attempts},
                                             {"completed", &Captured::completed},
                                             {"unanswered", &Captured::unanswered},
                                             {"never_answered", &Captured::never_answered},
                                             {"pending", &Captured::pending},
                                             {"turned_away", &Captured::turned_away},
                                             {"half_open", &Captured::half_open},
                                             {"half_open_long", &Captured::half_open_long},
                                             {"half_open_silent", &Captured::half_open_silent},
                                             {"resets", &Captured::resets},
                                             {"unheard_acks", &Captured::unheard_acks},
                                             {"unheard_with_data", &Captured::unheard_with_data},
                                             {"attempts_unheard", &Captured::attempts_unheard}};

Captured read_captured(const Value& value) {
  Captured captured;
  int side = 0;
  value.member("side").read_name({"unknown", "client", "server", "between", "both"}, side);
  captured.side = static_cast<CaptureSide>(side);
  value.member("behind_router").read(captured.behind_router);
  for (const CapturedCount& count : kCapturedCounts) {
    value.member(count.name).read_count(captured.*count.member);
  }
  if (value.has("no_cookies")) value.member("no_cookies").read_count(captured.no_cookies);
  value.member("holds_others").read(captured.holds_others);
  value.member("holds_answers").read(captured.holds_answers);
  value.nullable("translated_from").read(captured.translated_from);
  value.nullable("even_retries").read(captured.even_retries);
  return captured;
}

HandshakeCourse read_course(const Value& value) {
  HandshakeCourse course;
  json::FieldReader::read(value, course);
  if (course.part_ns <= 0) value.member("part_ns").wrong("a number above 0");
  const auto is_out_of_order = [](const CoursePart& a, const CoursePart& b) {
    return a.index >= b.index;
  };
  if (std::ranges::adjacent_find(course.parts, is_out_of_order) != course.parts.end() ||
      (!course.parts.empty() && course.parts.back().index >= kMostCourseParts)) {
    value.member("parts").wrong(fmt::format("indices that rise, below {}", kMostCourseParts));
  }
  return course;
}

Histogram read_histogram(const Value& value) {
  Histogram histogram;
  value.each([&](const Value& item) {
    Bucket& bucket = histogram.emplace_back();
    item.member("below").read(bucket.below);
    item.member("count").read_count(bucket.count);
  });
  return histogram;
}

std::vector<RefusedClient> read_clients(const Value& value) {
  std::vector<RefusedClient> clients;
  value.each([&](const Value& item) {
    RefusedClient& client = clients.emplace_back();
    read_address(item.member("address"), client.address);
    item.member("prefix_bits").read(client.prefix_bits);
    item.member("packets").read_count(client.packets);
    item.member("attempts").read_count(client.attempts);
    if (item.has("route") && !item.member("route").is_null()) {
      int route = 0;
      item.member("route").read_name({"found", "none", "unreachable", "blackhole", "prohibit"},
                                     route);
      client.route = static_cast<RouteBack>(route);
    }
  });
  return clients;
}

}  // namespace

Json captured_to_json(const std::optional<Captured>& captured) {
  if (!captured) return nullptr;
  Json json = {{"side", side_name(captured->side)}, {"behind_router", captured->behind_router}};
  for (const CapturedCount& count : kCapturedCounts) json[count.name] = (*captured).*count.member;
  json["no_cookies"] = captured->no_cookies;
  json["holds_others"] = captured->holds_others;
  json["holds_answers"] = captured->holds_answers;
  json["translated_from"] = opt(captured->translated_from);
  json["even_retries"] = opt(captured->even_retries);
  return json;
}

void read_address(const Value& value, IpAddress& out) {
  std::string text;
  value.read(text);
  if (const auto address = IpAddress::parse(text)) {
    out = *address;
  } else {
    value.wrong("an IP address");
  }
}

Json ledger_to_json(const Ledger& ledger) {
  Json counts = Json::object();
  for (std::size_t i = 0; i < kLedgerTerms; ++i) {
    const auto term = static_cast<LedgerTerm>(i);
    counts[std::string(ledger_term_name(term))] = opt(ledger[term]);
  }
  Json listen = nullptr;
  if (ledger.listen) {
    listen = {{"backlog_requested", opt(ledger.listen->requested)},
              {"somaxconn", ledger.listen->somaxconn},
              {"limit", ledger.listen->limit}};
  }
  return {{"netns", ledger.netns.value()},
          {"netns_cookie",
           ledger.netns_cookie ? Json(fmt::format("{:x}", *ledger.netns_cookie)) : Json(nullptr)},
          {"address", ledger.address.to_string()},
          {"port", ledger.port},
          {"ifindex", ledger.ifindex},
          {"cookie", fmt::format("{:x}", ledger.cookie.value())},
          {"source", source_name(ledger.source)},
          {"since_ns", ledger.since_ns},
          {"closed_at_ns", opt(ledger.closed_at_ns)},
          {"counts", std::move(counts)},
          {"longest", ledger.longest ? Json(ledger.longest->value()) : Json(nullptr)},
          {"syn_longest", opt(ledger.syn_longest)},
          {"length_at_arrival", write(ledger.depth)},
          {"delay_s", write(ledger.delay_s)},
          {"time_in_queue_ns", write(ledger.time_in_queue_ns)},
          {"listen", std::move(listen)},
          {"clients", write(ledger.clients)},
          {"prefixes", write(ledger.prefixes)},
          {"addresses", opt(ledger.addresses)},
          {"gave_up", opt(ledger.gave_up)},
          {"syn_unanswered", opt(ledger.syn_unanswered)},
          {"captured", captured_to_json(ledger.captured)},
          {"course", ledger.course ? json::FieldWriter::write(*ledger.course) : Json(nullptr)}};
}

Ledger read_ledger(const Value& value) {
  Ledger ledger;
  value.member("netns").read(ledger.netns);
  if (value.has("netns_cookie") && !value.member("netns_cookie").is_null()) {
    value.member("netns_cookie").read_hex(ledger.netns_cookie.emplace());
  }
  read_address(value.member("address"), ledger.address);
  value.member("port").read(ledger.port);
  value.member("ifindex").read(ledger.ifindex);
  std::uint64_t cookie = 0;
  value.member("cookie").read_hex(cookie);
  ledger.cookie = SocketCookie(cookie);
  ledger.source = read_source(value.member("source"));
  value.member("since_ns").read(ledger.since_ns);
  value.nullable("closed_at_ns").read(ledger.closed_at_ns);
  const Value counts = value.member("counts");
  for (std::size_t i = 0; i < kLedgerTerms; ++i) {
    // Names are literals: they end where their view does.
    counts.nullable(ledger_term_name(static_cast<LedgerTerm>(i)).data())
        .read_count(ledger.counts[i]);
  }
  value.nullable("longest").read(ledger.longest);
  value.nullable("syn_longest").read(ledger.syn_longest);
  ledger.depth = read_histogram(value.member("length_at_arrival"));
  ledger.delay_s = read_histogram(value.member("delay_s"));
  ledger.time_in_queue_ns = read_histogram(value.member("time_in_queue_ns"));
  if (const Value listen = value.nullable("listen"); !listen.is_null()) {
    ListenCall& call = ledger.listen.emplace();
    listen.nullable("backlog_requested").read(call.requested);
    listen.member("somaxconn").read(call.somaxconn);
    listen.member("limit").read(call.limit);
  }
  ledger.clients = read_clients(value.member("clients"));
  ledger.prefixes = read_clients(value.member("prefixes"));
  value.nullable("addresses").read_count(ledger.addresses);
  value.nullable("gave_up").read_count(ledger.gave_up);
  value.nullable("syn_unanswered").read_count(ledger.syn_unanswered);
  if (const Value captured = value.nullable("captured"); !captured.is_null()) {
    ledger.captured = read_captured(captured);
  }
  if (const Value course = value.nullable("course"); !course.is_null()) {
    ledger.course = read_course(course);
  }
  return ledger;
}

Source read_source(const Value& value) {
  int source = 0;
  value.read_name(
      {"functions", "tracepoints", "packets", "counters", "socket_drops", "imported", "simulated"},
      source);
  return static_cast<Source>(source);
}

}  // namespace acceptq::facts
