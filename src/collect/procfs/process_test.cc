#include "collect/procfs/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "collect/procfs/host.h"

namespace acceptq::collect::procfs {
namespace {

const std::string kNode = ACCEPTQ_SOURCE_DIR "/tests/data/procfs/node";
const std::string kTail =
    " S 1 2 3 0 -1 4194304 100 0 0 0 11 7 0 0 20 0 1 0 643394 3133440 410 18446744073709551615\n";

TEST(ParseStat, TakesAnyName) {
  for (const std::string comm :
       {"nginx", "", "a b", "a) S 7 (b", ")", "((", "x\ny", "kworker/u8:2-ev"}) {
    const Result<StatFields> stat = parse_stat(std::string("3985 (").append(comm) + ")" + kTail);
    ASSERT_TRUE(stat.has_value()) << comm;
    EXPECT_EQ(stat->pid, Pid(3985));
    EXPECT_EQ(stat->comm, comm);
    EXPECT_EQ(stat->state, 'S');
    EXPECT_EQ(stat->parent, Pid(1));
    EXPECT_EQ(stat->start_ticks, 643394U);
  }
}

TEST(ParseStat, RefusesWhatIsCutOrWrong) {
  const std::string whole = "3985 (ng inx)" + kTail;
  const std::size_t enough = whole.find("3133440") + 1;
  for (std::size_t size = 0; size < enough; ++size) {
    EXPECT_FALSE(parse_stat(whole.substr(0, size)).has_value()) << size;
  }
  EXPECT_EQ(parse_stat("1 (a)").error().code, ErrorCode::kTruncated);
  EXPECT_EQ(parse_stat("x (a)" + kTail).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_stat("-1 (a)" + kTail).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_stat("99999999999 (a)" + kTail).error().code, ErrorCode::kMalformed);
  EXPECT_FALSE(parse_stat(") 1 (" + kTail).has_value());
  EXPECT_FALSE(parse_stat("1 (a) SS" + kTail.substr(2)).has_value());
}

TEST(ParseStatus, TakesTheEffectiveUid) {
  const Result<StatusFields> status =
      parse_status("Name:\tx\nPid:\t5\nPPid:\t4\nUid:\t0\t101\t102\t103\nGid:\t0\t0\t0\t0\n");
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->parent, Pid(4));
  EXPECT_EQ(status->uid, 101U);
}

TEST(ParseStatus, MissingIsEmptyAndWrongIsAnError) {
  const Result<StatusFields> status = parse_status("Name:\tx\n");
  ASSERT_TRUE(status.has_value());
  EXPECT_FALSE(status->parent || status->uid);
  EXPECT_TRUE(parse_status("").has_value());
  for (const char* bad : {"Uid:\t0\n", "Uid:\n", "Uid:\ta\tb\tc\td\n", "Uid:\t0\t-1\t0\t0\n",
                          "PPid:\t\n", "PPid:\tx\n"}) {
    EXPECT_FALSE(parse_status(bad).has_value()) << bad;
  }
}

TEST(ParseLinks, OnlyTheirOwnKind) {
  EXPECT_EQ(parse_netns_link("net:[4026531840]"), NetnsId(4026531840));
  EXPECT_EQ(parse_socket_link("socket:[48213]"), SocketInode(48213));
  for (const char* bad : {"", "net:[]", "net:[1", "net:[1]x", "mnt:[1]", "net:[-1]", "net:[",
                          "/tmp/socket:[1]", "socket:[18446744073709551616]"}) {
    EXPECT_FALSE(parse_netns_link(bad)) << bad;
    EXPECT_FALSE(parse_socket_link(bad)) << bad;
  }
}

TEST(ExeLinkFor, LeavesOutWhereItTookTheLock) {
  EXPECT_EQ(exe_link_for("3.10.0-1160.el7.x86_64"), ExeLink::kLeaveOut);
  EXPECT_EQ(exe_link_for("4.0.9"), ExeLink::kLeaveOut);
  EXPECT_EQ(exe_link_for("4.1.0"), ExeLink::kRead);
  EXPECT_EQ(exe_link_for("6.1.0-56-amd64"), ExeLink::kRead);
  EXPECT_EQ(exe_link_for(""), ExeLink::kLeaveOut);
  EXPECT_EQ(exe_link_for("6"), ExeLink::kLeaveOut);
}

TEST(CommandLineFor, LeavesOutWhereAReaderCannotBeKilled) {
  EXPECT_EQ(command_line_for("4.18.0-553.el8.x86_64"), CommandLine::kLeaveOut);
  EXPECT_EQ(command_line_for("5.2.21"), CommandLine::kLeaveOut);
  EXPECT_EQ(command_line_for("5.10.0-30-amd64"), CommandLine::kRead);
  EXPECT_EQ(command_line_for(""), CommandLine::kLeaveOut);
}

TEST(ReadProcess, PutsARecordedProcessTogether) {
  const Result<facts::Process> process = read_process(kNode, Pid(3990));
  ASSERT_TRUE(process.has_value()) << process.error().message();
  EXPECT_EQ(process->pid, Pid(3990));
  EXPECT_EQ(process->parent, Pid(3985));
  EXPECT_EQ(process->start_ticks, 88010U);
  EXPECT_EQ(process->comm, "nginx");
  EXPECT_EQ(process->exe, "/usr/sbin/nginx");
  EXPECT_EQ(process->uid, 101U);
  EXPECT_EQ(process->netns, NetnsId(4026532567));
  ASSERT_TRUE(process->container && process->pod);
  EXPECT_EQ(process->container->id, "49b4135534da" + std::string(52, '0'));
  EXPECT_EQ(process->container->runtime, "containerd");
  EXPECT_EQ(process->pod->uid, "0b8d1c5e-6b43-4e2a-9d55-1f2e3d4c5b6a");
  EXPECT_FALSE(read_process(kNode, Pid(3990), ExeLink::kLeaveOut)->exe);
}

TEST(ReadProcess, WhatMayNotBeReadIsEmpty) {
  const Result<facts::Process> process = read_process(kNode, Pid(4100));
  ASSERT_TRUE(process.has_value()) << process.error().message();
  EXPECT_EQ(process->comm, "a) R 1 (b");
  EXPECT_EQ(process->cgroup, "/user.slice");
  EXPECT_FALSE(process->exe || process->netns || process->container || process->pod);
}

// Neither `stat` nor a link: those wait for a process that is inside execve().
TEST(ReadStuckProcess, FromFilesThatNeverWait) {
  const Result<facts::Process> process = read_stuck_process(kNode, Pid(3990));
  ASSERT_TRUE(process.has_value()) << process.error().message();
  EXPECT_EQ(process->pid, Pid(3990));
  EXPECT_EQ(process->parent, Pid(3985));
  EXPECT_EQ(process->comm, "nginx");
  EXPECT_EQ(process->uid, 101U);
  ASSERT_TRUE(process->container && process->pod);
  EXPECT_EQ(process->container->runtime, "containerd");
  EXPECT_EQ(process->start_ticks, 0U);
  EXPECT_FALSE(process->exe || process->netns);
  EXPECT_EQ(read_stuck_process(kNode, Pid(77)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_stuck_process(kNode, Pid(4200)).error().code, ErrorCode::kNotFound);
}

TEST(ReadProcess, SaysWhoIsGone) {
  EXPECT_EQ(read_process(kNode, Pid(4200)).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(read_process(kNode, Pid(4200)).error().message(), testing::HasSubstr("/4200"));
  EXPECT_EQ(read_process(kNode, Pid(77)).error().code, ErrorCode::kNotFound);
}

TEST(ReadHost, ReadsARecordedHost) {
  const Result<facts::Host> host = read_host(kNode);
  ASSERT_TRUE(host.has_value());
  EXPECT_EQ(*host,
            (facts::Host{"node-1", "6.1.0-56-amd64", "1b2c3d4e-5f60-4718-89a0-b1c2d3e4f506"}));
  EXPECT_EQ(read_host("/nonexistent").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace acceptq::collect::procfs
