#include "config/takes_effect.h"

#include <gtest/gtest.h>

#include <csignal>

namespace acceptq::config {
namespace {

TEST(TakesEffect, AReloadByCommandNeedsNoPid) {
  const TakesEffect effect{.effect = Effect::kReloadByCommand,
                           .commands = {{"nginx", "-s", "reload"}}};
  EXPECT_EQ(kind_of(effect), "reload");
  EXPECT_EQ(shell_line(effect), "nginx -s reload");
}

TEST(TakesEffect, IsALineForAShell) {
  EXPECT_EQ(shell_line(by_signal(SIGHUP, Pid(812))), "kill -HUP 812");
  EXPECT_EQ(shell_line(by_signal(SIGUSR2, Pid(9))), "kill -USR2 9");
  EXPECT_EQ(shell_line(by_restart()), "");
  EXPECT_EQ(
      shell_line(by_commands({{"systemctl", "daemon-reload"}, {"systemctl", "restart", "x"}})),
      "systemctl daemon-reload && systemctl restart x");
}

// Names of files and units are whatever a configuration says.
TEST(TakesEffect, LeavesTheShellNothingToTakeApart) {
  EXPECT_EQ(shell_line(Command{"nginx", "-c", "/srv/my site/n.conf"}),
            "nginx -c '/srv/my site/n.conf'");
  EXPECT_EQ(shell_line(Command{"x", "a;reboot", "$(b)", "it's", ""}),
            R"(x 'a;reboot' '$(b)' 'it'\''s' '')");
}

TEST(TakesEffect, KeepsConnectionsWhereItIsAReload) {
  EXPECT_EQ(kind_of(by_signal(SIGHUP, Pid(1))), "reload");
  EXPECT_EQ(kind_of(by_commands({{"systemctl", "restart", "x"}})), "restart");
  EXPECT_EQ(kind_of(by_restart()), "restart");
}

}  // namespace
}  // namespace acceptq::config
