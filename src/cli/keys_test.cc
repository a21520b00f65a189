#include "cli/keys.h"

#include <gtest/gtest.h>

namespace acceptq::cli {
namespace {

using Keys = std::vector<Key>;

Key text(char letter) { return {.kind = KeyKind::kText, .text = letter}; }
Key key(KeyKind kind) { return {.kind = kind}; }

TEST(ParseKeys, KnowsArrowsInBothModes) {
  EXPECT_EQ(parse_keys("\x1b[A\x1b[B\x1bOA\x1b[5~\x1b[6~\x1b[H\x1b[4~"),
            (Keys{key(KeyKind::kUp), key(KeyKind::kDown), key(KeyKind::kUp), key(KeyKind::kPageUp),
                  key(KeyKind::kPageDown), key(KeyKind::kHome), key(KeyKind::kEnd)}));
}

TEST(ParseKeys, TellsEscapeFromSequences) {
  EXPECT_EQ(parse_keys("\x1b"), Keys{key(KeyKind::kEscape)});
  EXPECT_EQ(parse_keys("\x1b\x1b[A"), (Keys{key(KeyKind::kEscape), key(KeyKind::kUp)}));
  EXPECT_EQ(parse_keys("\x1bq"), (Keys{key(KeyKind::kEscape), text('q')}));
}

TEST(ParseKeys, PassesOverWhatItDoesNotKnow) {
  EXPECT_EQ(parse_keys("\x1b[1;5Cs"), Keys{text('s')});
  EXPECT_EQ(parse_keys("\x1b["), Keys{});
  EXPECT_EQ(parse_keys("\x1b[200~"), Keys{});
  EXPECT_EQ(parse_keys("\x01\xc3\xa4x"), Keys{text('x')});
}

TEST(ParseKeys, KnowsEnterAndErase) {
  EXPECT_EQ(parse_keys("\r\n\x7f\b"), (Keys{key(KeyKind::kEnter), key(KeyKind::kEnter),
                                            key(KeyKind::kErase), key(KeyKind::kErase)}));
}

}  // namespace
}  // namespace acceptq::cli
