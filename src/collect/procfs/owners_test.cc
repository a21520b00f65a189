#include "collect/procfs/owners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace acceptq::collect::procfs {
namespace {

using facts::OwnerRef;
using testing::ElementsAre;

const std::string kNode = ACCEPTQ_SOURCE_DIR "/tests/data/procfs/node";

TEST(WalkSocketOwners, FindsEveryOwnerOfWhatIsWanted) {
  const SocketInode wanted[] = {SocketInode(48213), SocketInode(9001), SocketInode(7)};
  const Result<OwnerWalk> walk = walk_socket_owners({.proc_root = kNode}, wanted);
  ASSERT_TRUE(walk.has_value()) << walk.error().message();
  EXPECT_EQ(walk->owners.size(), 2U);
  EXPECT_THAT(walk->owners.at(SocketInode(48213)),
              ElementsAre(OwnerRef{Pid(3985), 6}, OwnerRef{Pid(3990), 6}, OwnerRef{Pid(3990), 11}));
  EXPECT_THAT(walk->owners.at(SocketInode(9001)), ElementsAre(OwnerRef{Pid(1), 40}));
  EXPECT_EQ(walk->processes, 3U);
  EXPECT_EQ(walk->descriptors, 9U);
  EXPECT_EQ(walk->vanished, 2U);  // 4100 and 4200 have no fd directory
  EXPECT_TRUE(walk->complete());
}

TEST(WalkSocketOwners, KnowsWhenProcessesAreHidden) {
  const Result<OwnerWalk> walk = walk_socket_owners({.proc_root = kNode + "/1"}, {});
  ASSERT_TRUE(walk.has_value());
  EXPECT_TRUE(walk->hides_processes);
  EXPECT_FALSE(walk->complete());
}

TEST(WalkSocketOwners, FailsWithoutAProcRoot) {
  EXPECT_EQ(walk_socket_owners({.proc_root = "/nonexistent"}, {}).error().code,
            ErrorCode::kNotFound);
}

TEST(StillOwns, ComparesTheLink) {
  EXPECT_TRUE(still_owns(kNode, OwnerRef{Pid(3985), 6}, SocketInode(48213)));
  EXPECT_FALSE(still_owns(kNode, OwnerRef{Pid(3985), 6}, SocketInode(48214)));
  EXPECT_FALSE(still_owns(kNode, OwnerRef{Pid(3985), 60}, SocketInode(48213)));
}

}  // namespace
}  // namespace acceptq::collect::procfs
