#include "collect/disks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace acceptq::collect {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t device(std::uint64_t major, std::uint64_t minor) {
  return major << 20 | minor;
}

facts::Wait wait_for(const char* state, std::optional<facts::FileTarget> target) {
  return {.state = state, .target = std::move(target), .looks = 1};
}

std::vector<DiskWaits> waits_of(const facts::Wait& wait) {
  facts::ThreadWatch thread{.pid = Pid(7), .tid = Pid(7)};
  thread.waits = {wait};
  facts::Acceptors acceptors;
  acceptors.threads = {thread};
  return disk_waits({{"listener", acceptors}});
}

TEST(DiskWaits, AreThoseThatMayBeForADisk) {
  const auto file = waits_of(wait_for("D", facts::FileTarget{.type = "ext4", .device = 9}));
  ASSERT_THAT(file, SizeIs(1));
  EXPECT_EQ(file[0].pid, Pid(7));
  EXPECT_EQ(file[0].files[0].device, 9U);
  EXPECT_FALSE(file[0].unnamed);
  EXPECT_TRUE(waits_of(wait_for("D", std::nullopt))[0].unnamed);
  EXPECT_THAT(waits_of(wait_for("D", facts::FileTarget{.type = "sockfs"})), IsEmpty());
  EXPECT_TRUE(waits_of(wait_for("D", facts::FileTarget{.type = "overlay"}))[0].unnamed);
  EXPECT_THAT(waits_of(wait_for("D", facts::FileTarget{.type = "nfs4"})), IsEmpty());
  EXPECT_THAT(waits_of(wait_for("S", facts::FileTarget{.type = "ext4"})), IsEmpty());
  EXPECT_THAT(waits_of(wait_for("R", std::nullopt)), IsEmpty());
}

constexpr const char* kMounts =
    "22 1 254:0 / / rw - ext4 /dev/root rw\n"
    "23 22 0:20 / /proc rw - proc proc rw\n"
    "40 22 253:0 / /srv rw - ext4 /dev/mapper/vg0-images rw\n"
    "41 22 253:0 /sub /srv/im\\040ages rw - ext4 /dev/mapper/vg0-images rw\n"
    "42 22 0:45 / /btr rw - btrfs /dev/vdb1 rw\n"
    "43 22 0:46 / /nfs rw - nfs4 10.0.0.9:/data rw\n"
    "44 22 0:47 / /mnt rw - fuseblk /dev/sdc1 rw\n";

TEST(DiskFileSystems, AreThoseOfTheFiles) {
  DiskWaits waits;
  waits.files = {{.type = "ext4", .device = device(253, 0), .path = "/srv/im ages/a.jpg"}};
  waits.files.push_back({.type = "btrfs", .device = 45});
  const auto all = disk_file_systems(kMounts, waits);
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].source, "/dev/vdb1");
  EXPECT_THAT(all[1].mountpoints, ElementsAre("/srv", "/srv/im ages"));
  waits.files[0].path = "/srvice/x";  // of neither mount
  EXPECT_THAT(disk_file_systems(kMounts, waits)[1].mountpoints, SizeIs(2));
}

TEST(DiskFileSystems, AreAllWhereAWaitHasNoFile) {
  const auto all = disk_file_systems(kMounts, {.pid = Pid(7), .files = {}, .unnamed = true});
  EXPECT_THAT(all, SizeIs(3));  // and neither NFS nor FUSE
  EXPECT_THAT(disk_file_systems("x\n1 2 3\n", {.unnamed = true}), IsEmpty());
}

evidence::DiskStats stats(const char* name, std::uint64_t number, std::uint64_t reads) {
  return {.device = number, .name = name, .counts = {.reads = reads, .read_ms = reads * 400}};
}

TEST(Disks, CountBetweenTwoReadings) {
  const DiskReading earlier{.at_ns = 1'000'000'000,
                            .disks = {stats("dm-0", 9, 10), stats("sda", 8, 10)},
                            .hung_tasks = 3};
  DiskReading later{.at_ns = 3'000'000'000,
                    .disks = {stats("dm-0", 9, 15), stats("sda", 7, 20), stats("vdb", 5, 1)},
                    .hung_tasks = 4};
  later.disks[0].counts.in_flight = 2;
  std::vector<facts::Disk> wanted = {{.name = "vdb"}, {.name = "dm-0"}, {.name = "sda"}};
  count_between(earlier, later, wanted);
  EXPECT_EQ(wanted[0].name, "dm-0");
  EXPECT_EQ(wanted[0].reads, 5U);
  EXPECT_EQ(wanted[0].read_ms, 2000U);
  EXPECT_EQ(wanted[0].watched_ms, 2000U);
  EXPECT_EQ(wanted[0].in_flight, 2U);
  EXPECT_FALSE(wanted[1].reads);  // another disk of that name
  EXPECT_EQ(wanted[1].device, 7U);
  EXPECT_FALSE(wanted[2].reads);  // it is new
  EXPECT_EQ(hung_between(earlier, later), (facts::HungTasks{.total = 4, .more = 1}));
  later.hung_tasks.reset();  // before Linux 6.13
  EXPECT_FALSE(hung_between(earlier, later));
}

// /proc and /sys with ext4 on a dm device, which is on a partition, as the kernel lays them out.
class DiskTree : public testing::Test {
 protected:
  DiskTree() {
    write("proc/7/mountinfo", kMounts);
    write("proc/self/mountinfo", "22 1 254:0 / / rw - ext4 /dev/root rw\n");
    write("proc/diskstats", "253 0 dm-0 1 0 0 4 1 0 0 4 2 8 8\n");
    write("sys/devices/virtual/block/dm-0/dm/name", "vg0-images\n");
    write("sys/devices/pci0/block/vda/size", "1\n");
    write("sys/devices/pci0/block/vda/vda2/partition", "2\n");
    link("../../../vda2", "sys/devices/virtual/block/dm-0/slaves/vda2");
    link("../../devices/virtual/block/dm-0", "sys/dev/block/253:0");
    link("../../devices/virtual/block/dm-0", "sys/class/block/dm-0");
    link("../../devices/pci0/block/vda", "sys/class/block/vda");
    link("../../devices/pci0/block/vda/vda2", "sys/class/block/vda2");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void link(const std::string& target, const std::string& path) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::filesystem::create_symlink(target, root_ / path);
  }

  std::filesystem::path root_ = testing::TempDir() + "acceptq-disks." + std::to_string(::getpid());
  Disks disks_{root_ / "proc", root_ / "sys"};
};

TEST_F(DiskTree, FollowsAStackDown) {
  DiskWaits waits{.pid = Pid(7)};
  waits.files = {{.type = "ext4", .device = device(253, 0), .path = "/srv/a.jpg"}};
  const auto all = disks_.below({waits});
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].name, "dm-0");
  EXPECT_EQ(all[0].mapper, "vg0-images");
  EXPECT_EQ(all[0].mounts[0], (facts::DiskMount{device(253, 0), "/srv"}));
  EXPECT_THAT(all[0].beneath, ElementsAre("vda2"));
  EXPECT_EQ(all[1].name, "vda");
  EXPECT_EQ(all[2].name, "vda2");
  EXPECT_THAT(all[2].beneath, ElementsAre("vda"));
}

TEST_F(DiskTree, KnowsADiskByTheNameThatItWasMountedBy) {
  write("proc/7/mountinfo", "42 22 0:45 / /btr rw - btrfs /dev/mapper/vg0-images rw\n");
  DiskWaits waits{.pid = Pid(7)};
  waits.files = {{.type = "btrfs", .device = 45}};
  const auto all = disks_.below({waits});
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].mounts[0].device, 45U);
}

TEST_F(DiskTree, ReadsWhatIsThere) {
  const DiskReading reading = disks_.read();
  ASSERT_THAT(reading.disks, SizeIs(1));
  EXPECT_FALSE(reading.hung_tasks);
  write("proc/sys/kernel/hung_task_detect_count", "5\n");
  EXPECT_EQ(disks_.read().hung_tasks, 5U);
  EXPECT_THAT(disks_.below({{.pid = Pid(8), .files = {}, .unnamed = false}}), IsEmpty());
}

}  // namespace
}  // namespace acceptq::collect
