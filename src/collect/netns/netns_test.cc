// Text of mountinfo, from bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "collect/netns/mountinfo.h"

namespace acceptq::collect::netns {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string mount_line(const std::string& root, const std::string& point) {
  return "612 29 0:4 " + root + " " + point + " rw shared:341 - nsfs nsfs rw\n";
}

NamespaceMount mount(std::uint64_t id, const std::string& path) {
  return {.id = NetnsId(id), .path = path, .remote_type = {}};
}

TEST(NamespaceMounts, OfNetworkNamespacesOnly) {
  EXPECT_THAT(parse_namespace_mounts("29 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw\n" +
                                     mount_line("net:[4026532567]", "/run/netns/blue") +
                                     mount_line("mnt:[4026532570]", "/run/snapd/ns/x.mnt") +
                                     mount_line("user:[4026532571]", "/run/user-ns") +
                                     mount_line("net:[4026532568]", "/run/docker/netns/1-abc")),
              ElementsAre(mount(4026532567, "/run/netns/blue"),
                          mount(4026532568, "/run/docker/netns/1-abc")));
}

TEST(NamespaceMounts, AMountPointMayLookLikeARoot) {
  EXPECT_THAT(
      parse_namespace_mounts(mount_line("/", "/mnt/net:[1]") + mount_line("/net:[2]", "/mnt/x") +
                             mount_line("mnt:[3]", "net:[3]")),
      IsEmpty());
}

TEST(NamespaceMounts, DecodesOctalEscapes) {
  const std::pair<std::string, std::string> cases[] = {
      {R"(/run/a\040b)", "/run/a b"},      {R"(/run/a\011b)", "/run/a\tb"},
      {R"(/run/a\012b)", "/run/a\nb"},     {R"(/run/a\134b)", R"(/run/a\b)"},
      {R"(/run/\134040)", R"(/run/\040)"},  // a backslash of the name, then digits
      {R"(/run/\999)", R"(/run/\999)"},    {R"(/run/\777)", R"(/run/\777)"},
      {R"(/run/\04)", R"(/run/\04)"},      {R"(/run/\)", R"(/run/\)"},
      {R"(/run/\040)", "/run/ "},
  };
  for (const auto& [escaped, plain] : cases) {
    EXPECT_THAT(parse_namespace_mounts(mount_line("net:[9]", escaped)),
                ElementsAre(mount(9, plain)))
        << escaped;
  }
}

TEST(NamespaceMounts, PassesOverGarbage) {
  for (const std::string line :
       {"", "\n\n", "net:[1]\n", "net:[1] net:[1] net:[1] net:[1]\n",
        "1 2 0:4 net:[ /run/x rw - nsfs nsfs rw\n", "1 2 0:4 net:[] /run/x rw - nsfs nsfs rw\n",
        "1 2 0:4 net:[x] /run/x rw - nsfs nsfs rw\n", "1 2 0:4 net:[-1] /run/x rw - nsfs nsfs rw\n",
        "1 2 0:4 net:[1]x /run/x rw - nsfs nsfs rw\n", "1 2 0:4 net:[1]\n",
        "x 2 0:4 net:[1] /run/x rw - nsfs nsfs rw\n", "1 2 0:4 net:[1] /run/x rw nsfs nsfs rw\n",
        "1 2 0:4 net:[99999999999999999999] /run/x rw - nsfs nsfs rw\n"}) {
    EXPECT_THAT(parse_namespace_mounts(line + mount_line("net:[5]", "/run/netns/x")),
                ElementsAre(mount(5, "/run/netns/x")))
        << line;
  }
}

TEST(NamespaceMounts, LastLineMayLackItsNewline) {
  EXPECT_THAT(parse_namespace_mounts("1 2 0:4 net:[7] /run/netns/y rw - nsfs"),
              ElementsAre(mount(7, "/run/netns/y")));
}

TEST(NamespaceMounts, TellWhichLieOnStorageThatMayNotAnswer) {
  const std::string mounts =
      "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
      "30 21 0:40 / /srv rw - nfs4 server:/ rw\n"
      "31 30 0:41 / /srv/x rw shared:7 master:2 - tmpfs none rw\n"
      "32 21 0:42 / /home rw - fuse.sshfs a:/ rw\n"
      "40 31 0:4 net:[1] /srv/x/ns rw shared:9 - nsfs nsfs rw\n"
      "41 32 0:4 net:[2] /home/ns rw - nsfs nsfs rw\n"
      "42 21 0:4 net:[3] /run/netns/x rw - nsfs nsfs rw\n"
      "43 44 0:4 net:[4] /loop rw - nsfs nsfs rw\n"  // parents that run in a circle
      "44 43 0:43 / /loop rw - tmpfs none rw\n";
  EXPECT_THAT(parse_namespace_mounts(mounts),
              ElementsAre(NamespaceMount{NetnsId(1), "/srv/x/ns", "nfs4"},
                          NamespaceMount{NetnsId(2), "/home/ns", "fuse.sshfs"},
                          mount(3, "/run/netns/x"), mount(4, "/loop")));
}

}  // namespace
}  // namespace acceptq::collect::netns
