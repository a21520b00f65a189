#include "diagnose/invariants.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "diagnose/diagnose.h"
#include "facts/json.h"

namespace acceptq::diagnose {
namespace {

facts::Observation recorded(const std::filesystem::path& path) {
  const auto text = read_file(path.string());
  EXPECT_TRUE(text) << path;
  auto observation = facts::observation_from_json(*text);
  EXPECT_TRUE(observation) << path << ": " << observation.error().message();
  return std::move(*observation);
}

TEST(Invariants, HoldForEveryRecording) {
  std::size_t read = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(ACCEPTQ_SOURCE_DIR "/tests/golden/inputs")) {
    const facts::Observation observation = recorded(entry.path());
    const auto found = contradictions(diagnose(observation), observation.after);
    EXPECT_TRUE(found.empty()) << entry.path() << ": " << fmt::format("{}", fmt::join(found, "; "));
    ++read;
  }
  EXPECT_GE(read, 6U);
}

TEST(Invariants, SeeEachContradiction) {
  const facts::Observation observation =
      recorded(ACCEPTQ_SOURCE_DIR "/tests/golden/inputs/seed-step1.json");
  const Report good = diagnose(observation);
  ASSERT_TRUE(contradictions(good, observation.after).empty());
  const auto broken = [&](auto&& change) {
    Report report = good;
    change(report);
    return !contradictions(report, observation.after).empty();
  };
  const auto worst = [](Report& report) -> ListenerReport& {
    return *std::ranges::min_element(report.listeners, {}, &ListenerReport::verdict);
  };
  EXPECT_TRUE(broken([](Report& r) { r.verdict = Verdict::kHealthy; }));
  EXPECT_TRUE(broken([&](Report& r) { worst(r).verdict = r.verdict = Verdict::kHealthy; }));
  EXPECT_TRUE(broken([&](Report& r) { worst(r).verdict = r.verdict = Verdict::kSlow; }));
  EXPECT_TRUE(broken([](Report& r) { r.findings.clear(); }));
  EXPECT_TRUE(broken([](Report& r) { std::swap(r.listeners[0].key, r.listeners[1].key); }));
  EXPECT_TRUE(broken([](Report& r) { r.listeners.pop_back(); }));
  EXPECT_TRUE(broken([](Report& r) { std::ranges::reverse(r.findings); }));
  EXPECT_TRUE(broken([](Report& r) { r.findings.front().id = "AQ999"; }));
  EXPECT_TRUE(broken([](Report& r) { r.findings.front().listener = "tcp:1:0.0.0.0:1#1"; }));
  EXPECT_TRUE(broken([&](Report& r) { worst(r).refused.total = 0; }));
  EXPECT_TRUE(broken([&](Report& r) {
    worst(r).refused.at_syn = 1;
    worst(r).refused.at_ack = 1;
  }));
}

}  // namespace
}  // namespace acceptq::diagnose
