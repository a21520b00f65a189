#include "evidence/syn_cookies.h"

#include <gtest/gtest.h>

#include <random>

namespace acceptq::evidence {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kBoot = 77'777 * kMs + 345'678;  // the server's clock beside the capture's

// A server whose TSval counts `unit_ns`, and every connection has its own offset.
class Server {
 public:
  std::int64_t unit_ns = kMs;
  std::int64_t most_jitter_ns = 300'000;
  TcpOptions asked{.known = true, .sack = true, .has_timestamp = true, .window_scale = 9};

  // As cookie_init_timestamp has it.
  void cookie(std::int64_t at_ns) {
    const auto bits = static_cast<std::uint64_t>(cookie_bits(asked, asked));
    const std::uint64_t now = clock(at_ns);
    std::uint64_t ts = (now & ~std::uint64_t{63}) | bits;
    if (ts > now) ts -= 64;
    answer(at_ns, static_cast<std::uint32_t>(ts));
  }
  void ordinary(std::int64_t at_ns) { answer(at_ns, static_cast<std::uint32_t>(clock(at_ns))); }
  // The next packet follows within 100 ms.
  void answer(std::int64_t at_ns, std::uint32_t timestamp) {
    const auto offset = static_cast<std::uint32_t>(random_());
    const std::int64_t next = at_ns + static_cast<std::int64_t>(random_() % 100) * kMs;
    add_timestamps({.asked_ns = at_ns - 50'000,
                    .answered_ns = at_ns + jitter(),
                    .next_ns = next + jitter(),
                    .timestamp = timestamp + offset,
                    .next_timestamp = static_cast<std::uint32_t>(clock(next)) + offset,
                    .cookie_bits = static_cast<std::uint8_t>(cookie_bits(asked, asked))},
                   signs_);
  }
  void without_timestamps(bool is_cookie) {
    const TcpOptions offered{.known = true, .sack = true, .window_scale = 8};
    add_options(offered, is_cookie ? TcpOptions{.known = true} : offered, signs_);
  }
  [[nodiscard]] std::optional<CookieCount> count() const { return cookies_of(signs_); }

 private:
  [[nodiscard]] std::uint64_t clock(std::int64_t at_ns) const {
    return static_cast<std::uint64_t>((at_ns + kBoot) / unit_ns);
  }
  std::int64_t jitter() {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(most_jitter_ns));
  }

  std::mt19937_64 random_{1};
  CookieSigns signs_;
};

TEST(SynCookies, CountsThemAmongOthers) {
  std::mt19937_64 random(1);
  Server server;
  std::int64_t at = 5'000'000 * kMs;
  for (int i = 0; i < 400; ++i) {
    at += static_cast<std::int64_t>(random() % 400'000) * 1000;
    server.asked.window_scale = i % 3 == 0 ? -1 : 9;
    i % 4 == 0 ? server.ordinary(at) : server.cookie(at);
  }
  const auto count = server.count();
  ASSERT_TRUE(count);
  EXPECT_NEAR(static_cast<double>(count->cookies), 300, 12);
  EXPECT_NEAR(static_cast<double>(count->ordinary), 100, 12);
}

TEST(SynCookies, SaysNothingBeforeItIsSure) {
  Server server;
  int sent = 0;
  for (; !server.count() && sent < 100; ++sent) server.cookie((1000 + sent * 227) * kMs);
  EXPECT_GE(sent, 9) << "eight matches";
  ASSERT_TRUE(server.count());
  EXPECT_LE(server.count()->cookies, static_cast<std::uint64_t>(sent));
  EXPECT_EQ(server.count()->ordinary, 0U);
}

TEST(SynCookies, SeesNoneInOrdinaryAnswers) {
  // Clients that ask at random, in bursts, and to the clock (each 8 s is a multiple of 64 ms), near
  // and over networks whose delays vary.
  for (const std::int64_t jitter_ms : {1, 10, 50}) {
    for (const std::int64_t every : {0, 1, 64, 96, 1000, 8000}) {
      std::mt19937_64 random(2);
      Server server;
      server.most_jitter_ns = jitter_ms * kMs;
      std::int64_t at = 1000 * kMs;
      for (int i = 0; i < 20'000; ++i) {
        at += every > 0 ? every * kMs : static_cast<std::int64_t>(random() % 300'000) * 1000;
        server.ordinary(at);
      }
      EXPECT_FALSE(server.count()) << every << " " << jitter_ms;
    }
  }
}

TEST(SynCookies, IsNotTakenInByOtherClocks) {
  // A unit of 1 us, 10, 100 and 500 ms, and TSvals that mean nothing.
  for (const std::int64_t unit_us : {1, 10'000, 100'000, 500'000}) {
    for (const bool is_random : {false, true}) {
      std::mt19937_64 random(3);
      Server server;
      server.unit_ns = unit_us * 1000;
      std::int64_t at = 1000 * kMs;
      for (int i = 0; i < 20'000; ++i) {
        at += static_cast<std::int64_t>(random() % 300) * kMs;
        is_random ? server.answer(at, static_cast<std::uint32_t>(random())) : server.ordinary(at);
      }
      EXPECT_FALSE(server.count()) << unit_us;
    }
  }
  // A clock of milliseconds that is behind by chance: 3 in 64 agree.
  std::mt19937_64 random(4);
  Server server;
  for (std::int64_t i = 0; i < 50'000; ++i) {
    const std::int64_t at = i * 227 * kMs;
    server.answer(at, static_cast<std::uint32_t>((at + kBoot) / kMs) -
                          static_cast<std::uint32_t>(random() % 64));
  }
  EXPECT_FALSE(server.count());
}

TEST(SynCookies, KnowsThemWithoutTimestampsByContrast) {
  Server off;
  for (int i = 0; i < 100; ++i) off.without_timestamps(true);
  EXPECT_FALSE(off.count()) << "the server may have both turned off";
  for (int i = 0; i < 5; ++i) off.without_timestamps(false);
  ASSERT_TRUE(off.count());
  EXPECT_EQ(off.count()->cookies, 100U);
  EXPECT_EQ(off.count()->ordinary, 5U);
}

TEST(SynCookies, DoesNotGuessWhatWasCutOff) {
  CookieSigns signs;
  const TcpOptions offered{.known = true, .sack = true, .window_scale = 8};
  add_options(offered, TcpOptions{}, signs);
  add_options(TcpOptions{}, offered, signs);
  EXPECT_EQ(signs.bare + signs.not_bare, 0U);
  EXPECT_EQ(cookie_bits(offered, offered), -1) << "no timestamps";
}

}  // namespace
}  // namespace acceptq::evidence
