#include "cli/selection.h"

#include <gtest/gtest.h>

#include "cli/commands.h"

namespace acceptq::cli {
namespace {

TEST(CodeOfSelection, TellsWhatMeansNothingFromWhatIsNotThere) {
  EXPECT_EQ(code_of_selection({ErrorCode::kMalformed, 0, ""}), kExitUsage);
  EXPECT_EQ(code_of_selection({ErrorCode::kNotFound, 0, ""}), kExitBlind);
}

TEST(Resolve, RefusesWhatIsNoNamespace) {
  std::vector<select::Selector> selectors = {*select::parse_selector("netns:/dev/null")};
  EXPECT_FALSE(resolve(selectors));
  selectors = {*select::parse_selector("netns:/proc/self/ns/net")};
  ASSERT_TRUE(resolve(selectors));
  EXPECT_EQ(selectors[0].kind, select::Selector::Kind::kNetns);
  EXPECT_GT(selectors[0].number, 0U);
}

TEST(ExpectTcp, RefusesUnixSocketsAlone) {
  const select::Selector unix_socket = *select::parse_selector("unix:/run/x.sock");
  const select::Selector port = *select::parse_selector(":80");
  EXPECT_TRUE(expect_tcp({}, "trace"));
  EXPECT_TRUE(expect_tcp({port, unix_socket}, "trace"));
  const Status refused = expect_tcp({unix_socket}, "trace");
  ASSERT_FALSE(refused);
  EXPECT_EQ(code_of_selection(refused.error()), kExitUsage);
}

}  // namespace
}  // namespace acceptq::cli
