#include "facts/resize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace acceptq::facts {
namespace {

using testing::HasSubstr;

Resize resize() {
  return {.boot_id = "0ff1ce",
          .netns = NetnsId{4026532567},
          .netns_cookie = 7,
          .address = *IpAddress::parse("10.0.0.3"),
          .port = 80,
          .cookie = SocketCookie{0xffffffffffffbae1},
          .inode = SocketInode{48213},
          .pids = {Pid{7}, Pid{8}},
          .before = QueueLimit{128},
          .after = QueueLimit{8096},
          .done = true,
          .somaxconn = RaisedSysctl{.before = 128, .raised_to = 8096, .put_back = true},
          .realtime_ns = 1'800'000'000'000'000'000,
          .author = {.uid = 0, .sudo_uid = 1000, .sudo_user = "ann\xff"},
          .why = "AQ101"};
}

Listener listener() {
  Listener listener;
  listener.netns = NetnsId{4026532567};
  listener.address = *IpAddress::parse("10.0.0.3");
  listener.port = 80;
  listener.cookie = SocketCookie{0xffffffffffffbae1};
  listener.inode = SocketInode{48213};
  listener.limit = QueueLimit{8096};
  return listener;
}

Snapshot snapshot_of(const Listener& each) {
  Snapshot snapshot;
  snapshot.host.boot_id = "0ff1ce";
  snapshot.namespaces = {{.id = NetnsId{4026532567}, .cookie = 7}};
  snapshot.listeners = {each};
  return snapshot;
}

std::optional<QueueLimit> marked(const Snapshot& seen) {
  Snapshot snapshot = seen;
  mark_resized({resize()}, snapshot);
  return snapshot.listeners.at(0).resized_from;
}

TEST(Resize, ComesBackAsItWasWritten) {
  const Result<Resize> read = resize_from_json(to_json(resize()));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, resize());
  Resize least = resize();
  least.netns_cookie.reset();
  least.somaxconn.reset();
  least.author.sudo_uid.reset();
  least.author.sudo_user.reset();
  EXPECT_EQ(resize_from_json(to_json(least)).value_or(Resize{}), least);
}

TEST(Resize, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(resize_from_json("{").error().message(), HasSubstr("line 1"));
  EXPECT_THAT(resize_from_json("{\"schema\": \"acceptq.report/1\"}").error().message(),
              HasSubstr("acceptq.resize/1"));
  std::string text = to_json(resize());
  text.replace(text.find("10.0.0.3"), 8, "10.0.0.x");
  EXPECT_THAT(resize_from_json(text).error().message(), HasSubstr("$.address"));
}

TEST(Resize, AListenerWithTheLimitThatItGotIsMarked) {
  EXPECT_EQ(marked(snapshot_of(listener())), QueueLimit{128});
}

TEST(Resize, AnyOtherIsNot) {
  Listener other = listener();
  other.limit = QueueLimit{511};  // the server called listen() again
  EXPECT_EQ(marked(snapshot_of(other)), std::nullopt);
  other = listener();
  other.cookie = SocketCookie{2};
  EXPECT_EQ(marked(snapshot_of(other)), std::nullopt);
  other = listener();
  other.inode = SocketInode{2};
  EXPECT_EQ(marked(snapshot_of(other)), std::nullopt);
  other = listener();
  other.closed = true;
  EXPECT_EQ(marked(snapshot_of(other)), std::nullopt);
  Snapshot rebooted = snapshot_of(listener());
  rebooted.host.boot_id = "another";
  EXPECT_EQ(marked(rebooted), std::nullopt);
  Snapshot reused = snapshot_of(listener());
  reused.namespaces[0].cookie = 8;
  EXPECT_EQ(marked(reused), std::nullopt);
}

TEST(Resize, OneFileForEachSocket) {
  EXPECT_EQ(resize_file_name(listener()), "4026532567-ffffffffffffbae1.json");
  Listener unknown = listener();
  unknown.cookie = SocketCookie{0};
  EXPECT_EQ(resize_file_name(unknown), "4026532567-i48213.json");
}

}  // namespace
}  // namespace acceptq::facts
