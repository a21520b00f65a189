// Which disk it is that threads wait for, and what it did meanwhile.
#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

constexpr std::uint64_t kDm0 = 253U << 20;
constexpr std::uint64_t kVda = 254U << 20;

Wait in_ext4() {
  return {.state = "D",
          .syscall = "read",
          .fd = 11,
          .target = facts::FileTarget{.type = "ext4", .device = kDm0, .path = "/srv/images/a.jpg"},
          .stack = {"io_schedule", "folio_wait_bit_common", "filemap_read", "vfs_read"}};
}

// What is sent by sendfile() is the socket's, as far as the call tells.
Wait in_sendfile() {
  Wait wait = in_ext4();
  wait.syscall = "sendfile";
  wait.target = facts::FileTarget{.type = "sockfs", .device = 8};
  wait.stack.emplace_back("ext4_file_read_iter");
  return wait;
}

facts::Disk slow_disk() {
  return {.name = "dm-0",
          .device = kDm0,
          .mapper = "vg0-images",
          .mounts = {{.device = kDm0, .mountpoint = "/srv"},
                     {.device = kDm0, .mountpoint = "/srv/images"}},
          .beneath = {"sda"},
          .in_flight = 2,
          .watched_ms = 2000,
          .reads = 9,
          .read_ms = 3600,
          .writes = 1,
          .write_ms = 2,
          .busy_ms = 1990};
}

Observation waiting(const Wait& wait, std::vector<facts::Disk> disks) {
  Observation observation = full(thread(3985, 3985, AcceptLink::kEpoll, wait, 0.91));
  observation.accept_evidence.disks = std::move(disks);
  return observation;
}

const Finding& finding_of(const Report& report) {
  const Finding* finding = find(report, "AQ310");
  EXPECT_NE(finding, nullptr);
  static const Finding kNone;
  return finding != nullptr ? *finding : kNone;
}

TEST(JudgeDisk, NamesTheDiskOfTheFileAndWhatAnOperationTook) {
  facts::Disk beneath{.name = "sda", .watched_ms = 2000, .reads = 10, .read_ms = 2};
  beneath.writes = beneath.write_ms = beneath.busy_ms = 0;
  const Report report = report_of(waiting(in_ext4(), {slow_disk(), beneath}));
  const Finding& finding = finding_of(report);
  EXPECT_TRUE(
      says(&finding,
           "nginx waits for the disk dm-0 (/srv/images): 91 % of 2.0 s. The disk took 400 ms for "
           "a read and 2 ms for a write (sda beneath it 0.2 ms for a read)."))
      << finding.explanation;
  EXPECT_EQ(finding.cause->kind, CauseKind::kIoBlock);
  EXPECT_EQ(finding.cause->detail.at("mapper"), "vg0-images");
  EXPECT_EQ(finding.cause->detail.at("beneath"), "sda");
  EXPECT_EQ(finding.cause->detail.at("file"), "/srv/images/a.jpg");
  EXPECT_EQ(finding.cause->detail.at("read_ms"), "400.0");
  EXPECT_EQ(finding.cause->detail.at("busy"), "0.99");
}

// As seen on Linux 6.1: the functions of the scheduler are no part of a stack.
TEST(JudgeDisk, KnowsReadsPastThePageCache) {
  Wait wait = in_ext4();
  wait.syscall = "readv";
  wait.stack = {"__iomap_dio_rw", "iomap_dio_rw", "ext4_file_read_iter", "do_iter_readv_writev"};
  EXPECT_TRUE(says(&finding_of(report_of(waiting(wait, {slow_disk()}))), "the disk dm-0"));
  wait.target.reset();
  EXPECT_TRUE(says(&finding_of(report_of(waiting(wait, {slow_disk()}))), "the disk dm-0"));
}

// As databases on raw devices do.
TEST(JudgeDisk, KnowsReadsOfADeviceItself) {
  const Wait reads = {.state = "D",
                      .syscall = "preadv2",
                      .fd = 6,
                      .target = facts::FileTarget{.type = "devtmpfs", .path = "/dev/loop0"},
                      .stack = {"submit_bio_wait", "__blkdev_direct_IO_simple"}};
  const Report report = report_of(waiting(reads, {}));
  EXPECT_TRUE(says(&finding_of(report), "waits for a disk (/dev/loop0)"));
}

TEST(JudgeDisk, SaysThatNothingEnds) {
  facts::Disk disk = slow_disk();
  disk.reads = disk.writes = disk.read_ms = disk.write_ms = 0;
  const Report report = report_of(waiting(in_ext4(), {disk}));
  EXPECT_TRUE(says(&finding_of(report), "None of its operations ended while acceptq watched"));
  disk.in_flight = 0;  // then it is not this disk that does nothing
  EXPECT_FALSE(says(&finding_of(report_of(waiting(in_ext4(), {disk}))), "None of its operations"));
}

TEST(JudgeDisk, WithoutAFileTheOnlyBusyDiskIsIt) {
  facts::Disk other = slow_disk();
  other.name = "vda";
  other.mounts = {{.device = kVda, .mountpoint = "/"}};
  other.busy_ms = 100;
  EXPECT_EQ(
      finding_of(report_of(waiting(in_sendfile(), {slow_disk(), other}))).cause->detail.at("disk"),
      "dm-0");
  other.busy_ms = 1200;
  const Report report = report_of(waiting(in_sendfile(), {slow_disk(), other}));
  EXPECT_TRUE(says(&finding_of(report), "nginx waits for a disk: 91 %"));
  EXPECT_FALSE(finding_of(report).cause->detail.contains("disk"));
}

// The disk of another file is not it, however busy it is.
TEST(JudgeDisk, AFileIsOnItsOwnDisk) {
  Wait wait = in_ext4();
  wait.target->device = kVda;
  const Report report = report_of(waiting(wait, {slow_disk()}));
  EXPECT_TRUE(says(&finding_of(report), "nginx waits for a disk (/srv/images/a.jpg): 91 %"));
}

// A mapped index: no descriptor tells, but the disk that read what they waited for.
TEST(JudgeDisk, PagesComeFromTheDiskThatReadThem) {
  const Wait fault = {.state = "D",
                      .stack = {"folio_wait_bit_common", "filemap_read_folio", "filemap_fault"}};
  facts::Disk fast = slow_disk();
  fast.mounts.resize(1);
  fast.reads = 250;
  fast.read_ms = 30;
  fast.busy_ms = 30;
  Observation observation = waiting(fault, {fast});
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  observation.accept_evidence.acceptors.begin()->second.threads[0].times.major_faults = 254;
  const Report report = report_of(observation);
  EXPECT_TRUE(says(&finding_of(report), "nginx waits for the disk dm-0 (/srv): 91 %"));
  EXPECT_EQ(finding_of(report).cause->detail.at("major_faults"), "254");
  // A limit of memory that cannot be read may be why, also where making room takes a core.
  Observation unseen = observation;
  unseen.accept_evidence.processes[0].cpu_groups_seen = false;
  EXPECT_EQ(kinds(unseen), Kinds{"unknown"});
  ThreadWatch& reads = unseen.accept_evidence.acceptors.begin()->second.threads[0];
  reads.waits[0].looks = kLooks * 55 / 100;
  reads.waits.push_back(running());
  reads.waits.back().looks = kLooks * 45 / 100;
  reads.times.system_ns = 870'000'000;
  EXPECT_EQ(kinds(unseen), Kinds{"unknown"});
  // They come from elsewhere.
  observation.accept_evidence.disks[0].reads = 20;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

TEST(JudgeDisk, HungTasksAreToldWhereThereAreMore) {
  Observation observation = waiting(in_ext4(), {slow_disk()});
  observation.accept_evidence.hung_tasks = {.total = 7, .more = 0};
  EXPECT_FALSE(says(&finding_of(report_of(observation)), "hung"));
  observation.accept_evidence.hung_tasks = {.total = 9, .more = 2};
  const Report report = report_of(observation);
  EXPECT_TRUE(says(&finding_of(report), "The kernel counted 2 hung tasks on this host meanwhile"));
  EXPECT_EQ(finding_of(report).cause->detail.at("hung_tasks"), "2");
}

}  // namespace
}  // namespace acceptq::diagnose
