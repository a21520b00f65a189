#include "facts/holders.h"

#include <gtest/gtest.h>

#include <utility>

namespace acceptq::facts {
namespace {

Process process(int pid, int parent, const char* exe) {
  Process made;
  made.pid = Pid(pid);
  made.parent = Pid(parent);
  made.exe = exe;
  return made;
}

Holders held_by(std::initializer_list<const Process*> processes) { return {.servers = processes}; }

TEST(Holders, HaveTheMasterThatStartedTheOthers) {
  const Process master = process(20, 1, "/usr/sbin/nginx");
  const Process worker = process(7, 20, "/usr/sbin/nginx");  // PIDs have begun anew
  EXPECT_EQ(held_by({&worker, &master}).master(), &master);
  EXPECT_EQ(held_by({&worker}).master(), &worker);  // alone: whoever started it holds it no more
}

TEST(Holders, HaveNoMasterWhereSeveralProgramsHoldIt) {
  const Process server = process(20, 1, "/usr/sbin/nginx");
  const Process helper = process(21, 20, "/usr/bin/sleep");
  EXPECT_EQ(held_by({&server, &helper}).master(), nullptr);
  EXPECT_EQ(Holders().master(), nullptr);
}

}  // namespace
}  // namespace acceptq::facts
