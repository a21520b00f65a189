#include "evidence/flat_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace acceptq::evidence {
namespace {

// Hashes that fall on few places, so that what is erased has others behind it.
TEST(FlatIndex, IsAMap) {
  std::mt19937 random(7);
  FlatIndex index;
  std::map<std::uint32_t, std::uint64_t> known;  // number → hash
  for (std::uint32_t step = 0; step < 20000; ++step) {
    const std::uint32_t number = random() % 500;
    const auto entry = known.find(number);
    if (entry == known.end()) {
      const std::uint64_t hash = (std::uint64_t{random()} << 32U) | (random() % 16);
      known[number] = hash;
      index.insert(hash, number);
    } else {
      index.erase(entry->second, number);
      known.erase(entry);
    }
    ASSERT_EQ(index.size(), known.size());
    const std::uint32_t asked = random() % 500;
    const auto there = known.find(asked);
    if (there == known.end()) continue;
    ASSERT_EQ(index.find(there->second, [&](std::uint32_t found) { return found == asked; }),
              asked);
  }
  for (const auto& [number, hash] : known) {
    EXPECT_EQ(index.find(hash, [&](std::uint32_t found) { return found == number; }), number);
  }
}

TEST(FlatIndex, FindsNothingInAnEmptyOne) {
  FlatIndex index;
  EXPECT_EQ(index.find(1, [](std::uint32_t) { return true; }), FlatIndex::kNone);
  index.erase(1, 1);
  EXPECT_EQ(index.size(), 0U);
}

}  // namespace
}  // namespace acceptq::evidence
