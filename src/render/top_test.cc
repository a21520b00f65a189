#include <gtest/gtest.h>

#include <sstream>

#include "diagnose/diagnose.h"
#include "render/top_screen.h"

namespace acceptq::render {
namespace {

constexpr TermStyle kStyle{.color = false, .unicode = true, .width = 80};

facts::Listener make_listener(std::uint16_t port, std::uint32_t length, std::uint32_t limit) {
  facts::Listener listener;
  listener.netns = NetnsId(4026531840);
  listener.port = port;
  listener.cookie = SocketCookie(port);
  listener.accept_queue_len = QueueLength(length);
  listener.limit = QueueLimit(limit);
  listener.owners_complete = true;
  return listener;
}

TopFrame make_frame(std::vector<facts::Listener> listeners) {
  TopFrame frame;
  facts::Observation& observation = frame.observation;
  observation.seconds = 2;
  observation.tracing = facts::Source::kFunctions;
  facts::Snapshot& after = observation.after;
  after.host = {.name = "node-1", .kernel = "6.1.0-56-amd64", .boot_id = "b"};
  after.listeners = std::move(listeners);
  facts::normalize(after);
  observation.before = after;
  facts::Ledger ledger;
  ledger.netns = NetnsId(4026531840);
  ledger.port = 80;
  ledger.cookie = SocketCookie(80);
  ledger.set(facts::LedgerTerm::kSynRefusedAcceptFull, 824);
  ledger.set(facts::LedgerTerm::kAckRefusedFull, 0);
  ledger.set(facts::LedgerTerm::kAckQueued, 102);
  ledger.set(facts::LedgerTerm::kAccepted, 102);
  ledger.time_in_queue_ns = {{.below = 2'510'000'000, .count = 102}};
  observation.ledgers = {ledger};
  frame.totals = {ledger};
  frame.report = diagnose::diagnose(observation);
  return frame;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(TopScreen, FitsTheTerminal) {
  const TopFrame frame = make_frame({make_listener(80, 129, 128), make_listener(22, 0, 4096)});
  TopHistory history;
  history.add(frame.observation, frame.report);
  for (const int width : {40, 80, 100, 200}) {
    for (const std::size_t rows : {6U, 24U, 50U}) {
      for (const auto view :
           {TopState::View::kList, TopState::View::kListener, TopState::View::kHelp}) {
        TopState state{.view = view, .selected = frame.report.listeners[0].key};
        const auto lines =
            lines_of(top_screen({.unicode = true, .width = width}, rows, frame, history, state));
        EXPECT_EQ(lines.size(), rows);
        for (const std::string& line : lines) EXPECT_LE(columns(line), width) << line;
      }
    }
  }
}

TEST(TopScreen, ShowsTheWorstFirstWithItsNumbers) {
  const TopFrame frame = make_frame({make_listener(22, 3, 4096), make_listener(80, 129, 128)});
  TopHistory history;
  history.add(frame.observation, frame.report);
  const auto lines = lines_of(top_screen(kStyle, 24, frame, history, {}));
  EXPECT_TRUE(lines[0].starts_with("acceptq top · node-1 · Linux 6.1.0-56-amd64 · 2 listeners"));
  EXPECT_TRUE(lines[1].starts_with("1 listener is losing connections, sorted by pain"));
  EXPECT_TRUE(lines[2].starts_with(" WHOSE        LISTENER     LEN/LIMIT FULL TREND"));
  EXPECT_EQ(lines[3],
            ">no process   *:80           129/128 ████ █        ?      412    51  2.5s  2.5s");
  EXPECT_NE(lines[4].find("*:22"), std::string::npos);
}

// A narrow terminal has no room for all columns.
TEST(TopScreen, SaysWhyAcceptIsSlow) {
  TopFrame frame = make_frame({make_listener(80, 129, 128), make_listener(22, 0, 4096)});
  TopHistory history;
  history.add(frame.observation, frame.report);
  diagnose::Finding& finding = frame.report.findings.emplace_back();
  finding.id = "AQ302";
  finding.listener = frame.report.listeners[1].key;
  finding.cause = diagnose::Cause{.kind = diagnose::CauseKind::kCpuThrottled, .share = 0.9};
  TermStyle style;
  for (const int width : {80, 120}) {
    style.width = width;
    const std::string screen = top_screen(style, 0, frame, history, {});
    EXPECT_NE(screen.find("WHY"), std::string::npos);
    EXPECT_NE(screen.find(" cpu.throttled "), std::string::npos) << screen;
    EXPECT_EQ(screen.find("TREND") != std::string::npos, width == 120);
    for (const std::string& line : lines_of(screen)) EXPECT_LE(columns(line), width) << line;
  }
}

TEST(TopRows, AreFilteredAndSorted) {
  const TopFrame frame = make_frame(
      {make_listener(22, 3, 4096), make_listener(80, 129, 128), make_listener(443, 0, 5)});
  TopHistory history;
  history.add(frame.observation, frame.report);
  const auto ports = [&](const TopChoice& choice) {
    std::string text;
    for (const TopRow& row : top_rows(frame.observation, frame.report, history, choice)) {
      text += row.endpoint.substr(row.endpoint.rfind(':'));
    }
    return text;
  };
  EXPECT_EQ(ports({}), ":80:22");
  EXPECT_EQ(ports({.busy_only = false}), ":80:22:443");
  EXPECT_EQ(ports({.filter = ":4", .busy_only = false}), ":443");
  EXPECT_EQ(ports({.filter = "No Proc"}), ":80:22");
  EXPECT_EQ(ports({.sort = TopSort::kName}), ":22:80");
  EXPECT_EQ(ports({.filter = "nothing"}), "");
}

TEST(TopHistory, ForgetsWhatIsGone) {
  TopHistory history;
  TopFrame frame = make_frame({make_listener(80, 129, 128)});
  const std::string key = frame.report.listeners[0].key;
  for (int i = 0; i < 100; ++i) history.add(frame.observation, frame.report);
  ASSERT_NE(history.lengths(key), nullptr);
  EXPECT_EQ(history.lengths(key)->size(), TopHistory::kFrames);
  frame = make_frame({make_listener(22, 0, 5)});
  history.add(frame.observation, frame.report);
  EXPECT_EQ(history.lengths(key), nullptr);
}

TEST(TopSort, GoesAround) {
  EXPECT_EQ(next_sort(TopSort::kName, 1), TopSort::kPain);
  EXPECT_EQ(next_sort(TopSort::kPain, -1), TopSort::kName);
}

}  // namespace
}  // namespace acceptq::render
