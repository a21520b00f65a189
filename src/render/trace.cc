#include "render/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>

#include "base/bytes.h"
#include "base/text.h"
#include "facts/json.h"
#include "facts/ledger_json.h"
#include "render/books.h"
#include "render/ledger_text.h"

namespace acceptq::render {
namespace {

using Json = nlohmann::ordered_json;
using facts::Ledger;
using enum facts::LedgerTerm;

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::string clock_text(std::int64_t realtime_ns, const char* format, bool local) {
  const std::time_t seconds = realtime_ns / kNsPerSecond;
  std::tm parts{};
  if (local) {
    ::localtime_r(&seconds, &parts);
  } else {
    ::gmtime_r(&seconds, &parts);
  }
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, format, &parts);
  return std::string(text, size) + fmt::format(".{:03}", realtime_ns % kNsPerSecond / 1'000'000);
}

std::string_view step(facts::Stage stage) {
  switch (stage) {
    case facts::Stage::kSyn:
      return "SYN";
    case facts::Stage::kAck:
      return "ACK";
    case facts::Stage::kCookieAck:
      return "ACK of cookie";
  }
  return "";
}

bool has_unattributed(const TraceSummary& summary) {
  return std::ranges::any_of(summary.books, [](const diagnose::NamespaceBook& book) {
    return std::ranges::any_of(book.lines, [](const diagnose::BookLine& line) {
      return line.kernel > 0 && line.attributed == 0;
    });
  });
}

std::string kernel_books_text(const TraceSummary& summary) {
  const std::string text = books_text(summary.books);
  return text.empty() ? "" : fmt::format("\n{}\n{}", kBooksTitle, text);
}

// By namespace, port and reason: which address they were sent to matters less.
std::string dead_syns_text(const TraceSummary& summary) {
  if (!summary.dead_syns) return "";
  std::map<std::tuple<NetnsId, std::uint16_t, std::string>, std::uint64_t> packets;
  for (const facts::DeadSyn& syn : *summary.dead_syns) {
    packets[{syn.netns, syn.port, syn.reason}] += syn.packets;
  }
  std::string text;
  for (const auto& [where, count] : packets) {
    const auto& [netns, port, reason] = where;
    text += fmt::format("  netns:{}  port {}  {}  {}\n", netns.value(), port, reason, count);
  }
  return text.empty()
             ? ""
             : "\nSYNs that this host dropped before a listener saw them, by its reason\n" + text;
}

Json dead_syns_json(const TraceSummary& summary) {
  if (!summary.dead_syns) return nullptr;
  Json list = Json::array();
  for (const facts::DeadSyn& syn : *summary.dead_syns) {
    list.push_back({{"netns", syn.netns.value()},
                    {"address", syn.address.to_string()},
                    {"port", syn.port},
                    {"reason", escape_bytes(syn.reason)},
                    {"packets", syn.packets}});
  }
  return list;
}

Json owners_json(const facts::Snapshot& snapshot, const facts::Listener* listener) {
  Json owners = Json::array();
  if (listener == nullptr) return owners;
  for (const facts::OwnerRef& owner : listener->owners) {
    const facts::Process* process = facts::find_process(snapshot, owner.pid);
    Json entry = {{"pid", owner.pid.value()}, {"comm", nullptr}, {"pod", nullptr}};
    if (process != nullptr) {
      entry["comm"] = escape_bytes(process->comm);
      if (process->pod && process->pod->name) {
        entry["pod"] = {{"namespace", process->pod->ns ? Json(*process->pod->ns) : Json(nullptr)},
                        {"name", *process->pod->name}};
      }
    }
    owners.push_back(std::move(entry));
  }
  return owners;
}

Json key_json(const facts::Listener* listener) {
  return listener == nullptr ? Json(nullptr) : Json(facts::listener_key(*listener));
}

Json ledger_json(const Ledger& ledger, const facts::Snapshot& snapshot) {
  const facts::Listener* listener = facts::find_listener(snapshot, ledger);
  Json json = {{"listener", key_json(listener)},
               {"closed", ledger.closed_at_ns.has_value()},
               {"owners", owners_json(snapshot, listener)}};
  json.update(facts::ledger_to_json(ledger));
  return json;
}

}  // namespace

std::string refusal_text(const TermStyle& style, const facts::Refusal& refusal,
                         const facts::Snapshot& snapshot, const facts::Listener* listener,
                         std::int64_t realtime_ns) {
  const std::string_view arrow = style.unicode ? "→" : "->";
  std::string text = fmt::format("{}  {} {} {}  {}  {} refused: {}, {} of {} waiting",
                                 clock_text(realtime_ns, "%H:%M:%S", true),
                                 facts::host_and_port(refusal.client, refusal.client_port), arrow,
                                 facts::host_and_port(refusal.address, refusal.port),
                                 printable(whose(snapshot, listener)), step(refusal.stage),
                                 facts::refusal_reason(refusal.reason), refusal.length.value(),
                                 refusal.limit.value());
  if (refusal.reset) text += ", reset sent";
  if (refusal.attempt_packets > 1) {
    text += fmt::format(", packet {} of its attempt", refusal.attempt_packets);
  }
  return text + "\n";
}

std::string refusal_json(const facts::Refusal& refusal, const facts::Snapshot& snapshot,
                         const facts::Listener* listener, std::int64_t realtime_ns) {
  const Json line = {
      {"event", "refused"},
      {"at", clock_text(realtime_ns, "%Y-%m-%dT%H:%M:%S", false) + "Z"},
      {"client", refusal.client.to_string()},
      {"client_port", refusal.client_port},
      {"address", refusal.address.to_string()},
      {"port", refusal.port},
      {"netns", refusal.netns.value()},
      {"listener", key_json(listener)},
      {"stage", facts::stage_name(refusal.stage)},
      {"reason", facts::refusal_reason(refusal.reason)},
      {"reset", refusal.reset},
      {"attempt",
       {{"isn", refusal.isn ? Json(*refusal.isn) : Json(nullptr)},
        {"refused_packets", refusal.attempt_packets}}},
      {"accept_queue", {{"length", refusal.length.value()}, {"limit", refusal.limit.value()}}},
      {"syn_queue", {{"length", refusal.syn_length}}},
      {"owners", owners_json(snapshot, listener)}};
  return printable_json(line.dump()) + "\n";
}

std::string trace_summary_text(const TermStyle& style, const TraceSummary& summary,
                               const facts::Snapshot& snapshot) {
  std::string text =
      ink(style, Ink::kDim, fmt::format("traced {:.1f} s, {}", summary.seconds, summary.hooks)) +
      "\n";
  std::size_t shown = 0;
  for (const Ledger& ledger : summary.ledgers) {
    if (!has_traffic(ledger)) continue;
    text += ledger_text(style, ledger, snapshot);
    ++shown;
  }
  if (shown == 0) {
    text += has_unattributed(summary) ? "no packet could be put to a listener\n"
                                      : "no handshake reached a listener\n";
  }
  text += dead_syns_text(summary) + kernel_books_text(summary);
  for (const Loss& loss : summary.losses) {
    if (loss.count > 0) text += fmt::format("{}: {}\n", loss.what, loss.count);
  }
  return for_terminal(style, text);
}

std::string trace_summary_json(const TraceSummary& summary, const facts::Snapshot& snapshot) {
  Json ledgers = Json::array();
  for (const Ledger& ledger : summary.ledgers) ledgers.push_back(ledger_json(ledger, snapshot));
  Json books = Json::array();
  for (const diagnose::NamespaceBook& book : summary.books) {
    for (const diagnose::BookLine& line : book.lines) {
      Json json = {{"netns", book.netns.value()}};
      json.update(book_line_json(line));
      books.push_back(std::move(json));
    }
  }
  Json losses = Json::object();
  for (const Loss& loss : summary.losses) losses[loss.what] = loss.count;
  const Json line = {{"event", "summary"},
                     {"schema", "acceptq.trace/1"},
                     {"seconds", summary.seconds},
                     {"hooks", summary.hooks},
                     {"ledgers", std::move(ledgers)},
                     {"counters", std::move(books)},
                     {"dead_syns", dead_syns_json(summary)},
                     {"losses", std::move(losses)}};
  return printable_json(line.dump()) + "\n";
}

}  // namespace acceptq::render
