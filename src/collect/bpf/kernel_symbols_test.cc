#include "collect/bpf/kernel_symbols.h"

#include <gtest/gtest.h>

#include <array>

namespace acceptq::collect::bpf {
namespace {

constexpr std::string_view kText =
    "ffffffff81000000 T _text\n"
    "ffffffff82022bc0 T tcp_rcv_state_process\n"
    "ffffffff82022bc0 T alias_of_the_same\n"
    "ffffffff82024000 t next_one\n"
    "ffffffffc0001000 t tcp_v6_rcv\t[ipv6]\n"
    "ffffffffc0001800 t later\t[ipv6]\n"
    "ffffffffc0002000 t tcp_v6_rcv\t[another]\n"
    "ffffffffc0003000 t last\t[another]\n";

TEST(FindFunctions, EndsWhereTheNextSymbolBegins) {
  constexpr std::array<std::string_view, 3> kNames{"tcp_v6_rcv", "tcp_rcv_state_process", "absent"};
  const auto found = find_functions(kText, kNames);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0], (FunctionRange{0xffffffffc0001000, 0xffffffffc0001800}));
  EXPECT_EQ(found[1], (FunctionRange{0xffffffff82022bc0, 0xffffffff82024000}));
  EXPECT_EQ(found[2], std::nullopt);
}

TEST(FindFunctions, KnowsNothingOfHiddenAddresses) {
  constexpr std::array<std::string_view, 1> kNames{"a"};
  EXPECT_EQ(find_functions("0000000000000000 T a\n0000000000000000 T b\n", kNames)[0],
            std::nullopt);
}

TEST(FindFunctions, SurvivesWhatIsNoSymbolTable) {
  constexpr std::array<std::string_view, 1> kNames{"a"};
  for (const std::string_view text :
       {"", "\n\n", "a", "zz T a\nzz T b\n", "ffff T", "ffff T a", "ffff  a\n1 T a\n"}) {
    EXPECT_EQ(find_functions(text, kNames)[0], std::nullopt) << text;
  }
}

TEST(FunctionsBefore, IsWhatACallReturnsTo) {
  constexpr std::string_view kSymbols =
      "ffffffff81000000 T first\n"
      "ffffffff81000000 T alias\n"
      "ffffffff81000100 t second.cold\n"
      "ffffffff81000200 D data\n"
      "ffffffffc0000000 t in_module\t[nfs]\n"
      "0000000000000000 T hidden\n"
      "broken\n";
  const std::array<std::uint64_t, 6> addresses = {0xffffffff81000000, 0xffffffff81000001,
                                                  0xffffffff81000100, 0xffffffff81000101,
                                                  0xffffffff81000210, 0xffffffffc0000010};
  EXPECT_EQ(functions_before(kSymbols, addresses),
            (std::vector<std::string>{"", "first", "first", "second.cold", "", "in_module"}));
  // Far behind everything.
  const std::array<std::uint64_t, 1> far = {0xfffffffff0000000};
  EXPECT_EQ(functions_before(kSymbols, far), std::vector<std::string>{""});
  EXPECT_EQ(functions_before("", far), std::vector<std::string>{""});
}

}  // namespace
}  // namespace acceptq::collect::bpf
