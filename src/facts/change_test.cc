#include "facts/change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace acceptq::facts {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

KeptChange kept() {
  return {.id = "20261126T154533Z-4711",
          .boot_id = "b",
          .change = {.sysctls = {{.netns = NetnsId(7),
                                  .name = "net.core.somaxconn",
                                  .value = 4096,
                                  .before = 128}},
                     .files = {{.path = "/etc/nginx/nginx.conf",
                                .before = "a\xff\n",
                                .identity = FileIdentity{.device = 1, .inode = 2},
                                .after = "b\n"},
                               {.path = "/etc/sysctl.d/60-somaxconn.conf",
                                .before = std::nullopt,
                                .identity = std::nullopt,
                                .after = ""}},
                     .reloads = {{.pid = Pid(812),
                                  .start_ticks = 99,
                                  .name = "nginx",
                                  .signal = 1,
                                  .check = {"nginx", "-t"}}},
                     .limits = {{.netns = NetnsId(7),
                                 .address = *IpAddress::parse("0.0.0.0"),
                                 .port = 80,
                                 .before = 511,
                                 .limit = 4096}}},
          .done = true,
          .realtime_ns = 1,
          .author = {.uid = 0, .sudo_uid = 1000, .sudo_user = "ann"},
          .why = "as asked"};
}

TEST(ChangeJson, ComesBackAsItWas) {
  EXPECT_EQ(change_from_json(to_json(kept())), kept());
  EXPECT_EQ(change_from_json(to_json(KeptChange{})), KeptChange{});
}

TEST(ChangeJson, WhatIsWrongIsSaidWithItsPlace) {
  const auto other = change_from_json(R"({"schema": "acceptq.resize/1"})");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message(), HasSubstr("line 1"));
  EXPECT_FALSE(change_from_json(""));
}

TEST(Change, TwoListenersOfOneServerAreOneChange) {
  Change change = kept().change;
  Change second = change;
  second.sysctls[0].value = 8192;
  second.files = {{.path = "/etc/nginx/nginx.conf",
                   .before = "b\n",
                   .identity = FileIdentity{.device = 1, .inode = 2},
                   .after = "c\n"}};
  change.add(second);
  ASSERT_EQ(change.sysctls.size(), 1U);
  EXPECT_EQ(change.sysctls[0].value, 8192);
  ASSERT_EQ(change.files.size(), 2U);
  EXPECT_EQ(change.files[0].before, "a\xff\n");
  EXPECT_EQ(change.files[0].after, "c\n");
  EXPECT_EQ(change.reloads.size(), 1U);
  EXPECT_EQ(change.limits.size(), 2U);
}

}  // namespace
}  // namespace acceptq::facts
