#include "cli/top_keys.h"

#include <gtest/gtest.h>

namespace acceptq::cli {
namespace {

using render::TopSort;
using render::TopState;
using View = TopState::View;

const std::vector<std::string> kShown = {"a", "b", "c", "d"};

bool type(TopState& state, std::string_view bytes) {
  bool goes_on = true;
  for (const Key& key : parse_keys(bytes)) goes_on = press(key, kShown, 2, state);
  return goes_on;
}

TEST(Press, MovesWithinTheList) {
  TopState state;
  type(state, "j");
  EXPECT_EQ(state.selected, "b");
  type(state, "\x1b[6~");
  EXPECT_EQ(state.selected, "d");
  type(state, "jjj");
  EXPECT_EQ(state.selected, "d");
  type(state, "kk\x1b[A\x1b[A");
  EXPECT_EQ(state.selected, "a");
  state.selected = "gone";
  type(state, "j");
  EXPECT_EQ(state.selected, "b");
}

TEST(Press, OpensAndLeavesAListener) {
  TopState state;
  EXPECT_TRUE(type(state, "j\r"));
  EXPECT_EQ(state.view, View::kListener);
  type(state, "jj");
  EXPECT_EQ(state.scroll, 2U);
  EXPECT_EQ(state.selected, "b");
  EXPECT_TRUE(type(state, "q"));
  EXPECT_EQ(state.view, View::kList);
  EXPECT_FALSE(type(state, "q"));
}

TEST(Press, TypesAFilter) {
  TopState state;
  EXPECT_TRUE(type(state, "/nqx\x7f"));
  EXPECT_TRUE(state.typing_filter);
  EXPECT_EQ(state.choice.filter, "nq");
  type(state, "\r");
  EXPECT_FALSE(state.typing_filter);
  EXPECT_EQ(state.choice.filter, "nq");
  type(state, "\x1b");
  EXPECT_EQ(state.choice.filter, "");
}

TEST(Press, SortsPausesAndHelps) {
  TopState state;
  type(state, "s");
  EXPECT_EQ(state.choice.sort, TopSort::kRefused);
  type(state, "SS");
  EXPECT_EQ(state.choice.sort, TopSort::kName);
  type(state, "pa?");
  EXPECT_TRUE(state.paused);
  EXPECT_FALSE(state.choice.busy_only);
  EXPECT_EQ(state.view, View::kHelp);
  type(state, "\x1b");
  EXPECT_EQ(state.view, View::kList);
}

TEST(Press, HasNothingToOpenInAnEmptyList) {
  TopState state;
  EXPECT_TRUE(press({.kind = KeyKind::kEnter}, {}, 2, state));
  EXPECT_TRUE(press({.kind = KeyKind::kDown}, {}, 2, state));
  EXPECT_EQ(state.view, View::kList);
}

}  // namespace
}  // namespace acceptq::cli
