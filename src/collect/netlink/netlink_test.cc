// The parsers of sock_diag's answers and of /proc/net from bytes made here, and one dump of the
// running kernel's.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "collect/netlink/inet_diag.h"
#include "collect/netlink/sock_diag.h"
#include "collect/netlink/unix_diag.h"
#include "evidence/proc_net.h"

namespace acceptq::collect::netlink {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;
using testing::SizeIs;

using Bytes = std::vector<std::byte>;

constexpr std::uint16_t kUnixUid = 7;  // UNIX_DIAG_UID, newer than some headers

template <typename T>
Bytes bytes_of(const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return Bytes(bytes.begin(), bytes.end());
}

Bytes bytes_of_text(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return Bytes(bytes.begin(), bytes.end());
}

void append(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// An attribute, padded as the kernel pads it; `claimed` is the length it states, if not its own.
Bytes attribute(std::uint16_t type, const Bytes& payload,
                std::optional<std::uint16_t> claimed = {}) {
  nlattr header{};
  header.nla_len = claimed.value_or(static_cast<std::uint16_t>(NLA_HDRLEN + payload.size()));
  header.nla_type = type;
  Bytes bytes = bytes_of(header);
  append(bytes, payload);
  bytes.resize(NLA_ALIGN(bytes.size()));
  return bytes;
}

// Parses a copy that ends where its allocation ends, so that a sanitizer sees a read behind it.
template <typename Parse>
auto parse_exactly(const Bytes& bytes, std::size_t length, const Parse& parse) {
  const std::unique_ptr<std::byte[]> copy(new std::byte[length]);
  std::copy_n(bytes.begin(), length, copy.get());
  return parse(std::span<const std::byte>(copy.get(), length));
}

inet_diag_msg inet_message(std::uint8_t family) {
  inet_diag_msg message{};
  message.idiag_family = family;
  message.idiag_state = TCP_LISTEN;
  message.id.idiag_sport = htons(8080);
  message.id.idiag_cookie[0] = 0x89abcdef;
  message.id.idiag_cookie[1] = 0x01234567;
  message.idiag_rqueue = 3;
  message.idiag_wqueue = 128;
  message.idiag_uid = 1000;
  message.idiag_inode = 48213;
  return message;
}

inet_diag_msg inet4_message() {
  inet_diag_msg message = inet_message(AF_INET);
  EXPECT_EQ(::inet_pton(AF_INET, "127.0.0.1", &message.id.idiag_src), 1);
  return message;
}

// A message of every attribute that the parser knows, and where each of its parts ends.
struct Parts {
  Bytes bytes;
  std::vector<std::size_t> ends;
  void add(const Bytes& part) {
    append(bytes, part);
    ends.push_back(bytes.size());
  }
};

Bytes skmeminfo(std::uint32_t drops) {
  std::array<std::uint32_t, 9> numbers{};
  numbers.fill(77);
  numbers[8] = drops;
  return attribute(INET_DIAG_SKMEMINFO, bytes_of(numbers));
}

// Every prefix of `whole`: never a crash, kMalformed up to the end of the fixed part, and a value
// at the end of each attribute.
template <typename Parse>
void expect_truncations(const Parts& whole, const Parse& parse) {
  for (std::size_t length = 0; length <= whole.bytes.size(); ++length) {
    SCOPED_TRACE(length);
    const auto parsed = parse_exactly(whole.bytes, length, parse);
    if (std::ranges::find(whole.ends, length) != whole.ends.end()) {
      EXPECT_TRUE(parsed.has_value());
    } else if (length < whole.ends.front()) {
      ASSERT_FALSE(parsed.has_value());
      EXPECT_EQ(parsed.error().code, ErrorCode::kMalformed);
    } else if (!parsed.has_value()) {
      EXPECT_EQ(parsed.error().code, ErrorCode::kMalformed);
    }
  }
}

TEST(InetDiag, Ipv4) {
  const auto listener = parse_inet_diag(bytes_of(inet4_message()));
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_EQ(listener->protocol, facts::Protocol::kTcp);
  EXPECT_EQ(listener->address, facts::IpAddress::parse("127.0.0.1"));
  EXPECT_EQ(listener->port, 8080);
  EXPECT_EQ(listener->cookie, SocketCookie(0x0123456789abcdef));
  EXPECT_EQ(listener->inode, SocketInode(48213));
  EXPECT_THAT(listener->uid, Optional(1000U));
  EXPECT_EQ(listener->accept_queue_len, QueueLength(3));
  EXPECT_THAT(listener->limit, Optional(QueueLimit(128)));
  // What no attribute says stays empty.
  EXPECT_EQ(listener->ifindex, std::nullopt);
  EXPECT_EQ(listener->v6only, std::nullopt);
  EXPECT_EQ(listener->drops, std::nullopt);
  EXPECT_EQ(listener->cgroup_id, std::nullopt);
  EXPECT_EQ(listener->syn_queue_len, std::nullopt);
  EXPECT_FALSE(listener->mptcp);
  EXPECT_EQ(listener->netns, NetnsId());
  EXPECT_THAT(listener->owners, IsEmpty());
}

TEST(InetDiag, Ipv6WithV6OnlyAndDevice) {
  inet_diag_msg message = inet_message(AF_INET6);
  ASSERT_EQ(::inet_pton(AF_INET6, "fe80::1", &message.id.idiag_src), 1);
  message.id.idiag_if = 7;
  for (const std::uint8_t only : {0, 1}) {
    Bytes bytes = bytes_of(message);
    append(bytes, attribute(INET_DIAG_SKV6ONLY, bytes_of(only)));
    const auto listener = parse_inet_diag(bytes);
    ASSERT_TRUE(listener) << listener.error().message();
    EXPECT_EQ(listener->address, facts::IpAddress::parse("fe80::1"));
    EXPECT_THAT(listener->ifindex, Optional(7U));
    EXPECT_THAT(listener->v6only, Optional(only != 0));
  }
}

TEST(InetDiag, DropsAreTheNinthNumberOfMeminfo) {
  Bytes bytes = bytes_of(inet4_message());
  append(bytes, skmeminfo(0xfffffffe));
  const auto listener = parse_inet_diag(bytes);
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_THAT(listener->drops, Optional(0xfffffffeU));
}

TEST(InetDiag, MeminfoOfAnOldKernelHasNoDrops) {
  Bytes bytes = bytes_of(inet4_message());
  append(bytes, attribute(INET_DIAG_SKMEMINFO, bytes_of(std::array<std::uint32_t, 8>{})));
  const auto listener = parse_inet_diag(bytes);
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_EQ(listener->drops, std::nullopt);
}

TEST(InetDiag, CgroupId) {
  for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{0x1'0000'0abc}}) {
    Bytes bytes = bytes_of(inet4_message());
    append(bytes, attribute(INET_DIAG_CGROUP_ID, bytes_of(id)));
    const auto listener = parse_inet_diag(bytes);
    ASSERT_TRUE(listener) << listener.error().message();
    EXPECT_EQ(listener->cgroup_id, id == 0 ? std::nullopt : std::optional(id));
  }
}

TEST(InetDiag, UlpNamesMptcp) {
  using namespace std::literals;
  const std::pair<std::string_view, bool> cases[] = {{"mptcp\0"sv, true},
                                                     {"mptcp"sv, true},
                                                     {"tls\0"sv, false},
                                                     {"mptcp2\0"sv, false},
                                                     {""sv, false}};
  for (const auto& [name, mptcp] : cases) {
    SCOPED_TRACE(name);
    Bytes bytes = bytes_of(inet4_message());
    append(bytes, attribute(INET_DIAG_ULP_INFO | NLA_F_NESTED,
                            attribute(INET_ULP_INFO_NAME, bytes_of_text(name))));
    const auto listener = parse_inet_diag(bytes);
    ASSERT_TRUE(listener) << listener.error().message();
    EXPECT_EQ(listener->mptcp, mptcp);
  }
}

TEST(InetDiag, UlpThatDoesNotFitIsNotMptcp) {
  Bytes nested = attribute(INET_ULP_INFO_NAME, bytes_of_text("mptcp"));
  append(nested, attribute(INET_ULP_INFO_TLS, {}, std::uint16_t{0}));
  Bytes bytes = bytes_of(inet4_message());
  append(bytes, attribute(INET_DIAG_ULP_INFO, nested));
  const auto listener = parse_inet_diag(bytes);
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_FALSE(listener->mptcp);
}

TEST(InetDiag, PassesOverUnknownAttributes) {
  Bytes bytes = bytes_of(inet4_message());
  append(bytes, attribute(0x3fff, bytes_of_text("whatever it is")));
  append(bytes, attribute(INET_DIAG_SHUTDOWN, bytes_of(std::uint8_t{0})));
  append(bytes, attribute(200, {}));
  append(bytes, skmeminfo(5));
  const auto listener = parse_inet_diag(bytes);
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_THAT(listener->drops, Optional(5U));
}

TEST(InetDiag, UnknownFamilyIsMalformed) {
  const auto listener = parse_inet_diag(bytes_of(inet_message(AF_UNIX)));
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, ErrorCode::kMalformed);
}

TEST(InetDiag, AttributeLengthsThatDoNotFitAreMalformed) {
  for (const std::uint16_t claimed : {0, 1, 3, 9, 100, 0xffff}) {
    SCOPED_TRACE(claimed);
    Bytes bytes = bytes_of(inet4_message());
    append(bytes, attribute(INET_DIAG_SKV6ONLY, bytes_of(std::uint32_t{1}), claimed));
    const auto listener = parse_inet_diag(bytes);
    ASSERT_FALSE(listener);
    EXPECT_EQ(listener.error().code, ErrorCode::kMalformed);
  }
}

TEST(InetDiag, TruncatedAtEveryByte) {
  Parts parts;
  parts.add(bytes_of(inet4_message()));
  parts.add(skmeminfo(1));
  parts.add(attribute(INET_DIAG_SKV6ONLY, bytes_of(std::uint8_t{1})));
  parts.add(attribute(INET_DIAG_CGROUP_ID, bytes_of(std::uint64_t{99})));
  parts.add(attribute(INET_DIAG_ULP_INFO, attribute(INET_ULP_INFO_NAME, bytes_of_text("mptcp"))));
  expect_truncations(parts, parse_inet_diag);
}

unix_diag_msg unix_message(std::uint8_t type = SOCK_STREAM, std::uint8_t state = TCP_LISTEN) {
  unix_diag_msg message{};
  message.udiag_family = AF_UNIX;
  message.udiag_type = type;
  message.udiag_state = state;
  message.udiag_ino = 777;
  message.udiag_cookie[0] = 5;
  message.udiag_cookie[1] = 1;
  return message;
}

Bytes unix_queue(std::uint32_t length, std::uint32_t limit) {
  return attribute(UNIX_DIAG_RQLEN, bytes_of(unix_diag_rqlen{length, limit}));
}

TEST(UnixDiag, Listener) {
  using namespace std::literals;
  Bytes bytes = bytes_of(unix_message());
  append(bytes, attribute(UNIX_DIAG_NAME, bytes_of_text("/run/app.sock\0"sv)));
  append(bytes, attribute(99, bytes_of_text("unknown")));
  append(bytes, unix_queue(2, 4096));
  append(bytes, attribute(kUnixUid, bytes_of(std::uint32_t{33})));
  const auto listener = parse_unix_diag(bytes);
  ASSERT_TRUE(listener) << listener.error().message();
  ASSERT_TRUE(*listener);
  EXPECT_EQ((*listener)->protocol, facts::Protocol::kUnix);
  EXPECT_EQ((*listener)->path, "/run/app.sock");
  EXPECT_EQ((*listener)->inode, SocketInode(777));
  EXPECT_EQ((*listener)->cookie, SocketCookie(0x1'0000'0005));
  EXPECT_EQ((*listener)->accept_queue_len, QueueLength(2));
  EXPECT_THAT((*listener)->limit, Optional(QueueLimit(4096)));
  EXPECT_THAT((*listener)->uid, Optional(33U));
}

TEST(UnixDiag, AbstractNamesShowAtForEachNul) {
  using namespace std::literals;
  const std::pair<std::string_view, std::string> cases[] = {
      {"\0abstract"sv, "@abstract"}, {"\0a\0b\0"sv, "@a@b@"}, {"\0"sv, "@"}, {""sv, ""}};
  for (const auto& [name, shown] : cases) {
    SCOPED_TRACE(shown);
    Bytes bytes = bytes_of(unix_message());
    append(bytes, attribute(UNIX_DIAG_NAME, bytes_of_text(name)));
    const auto listener = parse_unix_diag(bytes);
    ASSERT_TRUE(listener) << listener.error().message();
    ASSERT_TRUE(*listener);
    EXPECT_EQ((*listener)->path, shown);
  }
}

TEST(UnixDiag, OnlyStreamListeners) {
  const std::pair<std::uint8_t, std::uint8_t> others[] = {
      {SOCK_STREAM, TCP_ESTABLISHED}, {SOCK_SEQPACKET, TCP_LISTEN}, {SOCK_DGRAM, TCP_CLOSE}};
  for (const auto& [type, state] : others) {
    const auto listener = parse_unix_diag(bytes_of(unix_message(type, state)));
    ASSERT_TRUE(listener) << listener.error().message();
    EXPECT_FALSE(listener->has_value()) << int{type} << ' ' << int{state};
  }
}

TEST(UnixDiag, AttributeLengthsThatDoNotFitAreMalformed) {
  for (const std::uint16_t claimed : {0, 3, 13, 0xffff}) {
    SCOPED_TRACE(claimed);
    Bytes bytes = bytes_of(unix_message());
    append(bytes, attribute(UNIX_DIAG_RQLEN, bytes_of(unix_diag_rqlen{}), claimed));
    const auto listener = parse_unix_diag(bytes);
    ASSERT_FALSE(listener);
    EXPECT_EQ(listener.error().code, ErrorCode::kMalformed);
  }
}

TEST(UnixDiag, TruncatedAtEveryByte) {
  Parts parts;
  parts.add(bytes_of(unix_message()));
  parts.add(attribute(UNIX_DIAG_NAME, bytes_of_text(std::string_view("\0odd", 4))));
  parts.add(unix_queue(1, 2));
  parts.add(attribute(kUnixUid, bytes_of(std::uint32_t{1})));
  expect_truncations(parts, parse_unix_diag);
}

constexpr std::string_view kTcpHead =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n";

std::string tcp_line(const std::string& local, const std::string& state = "0A") {
  return "   0: " + local + " 00000000:0000 " + state +
         " 00000000:0000001F 00:00000000 00000000  1000        0 48213 1 ffff888000000000 100 0 0 "
         "10 "
         "0\n";
}

TEST(ProcNetTcp, Ipv4) {
  if (std::endian::native != std::endian::little) GTEST_SKIP() << "the text is a little-endian's";
  const auto listeners =
      evidence::parse_proc_net_tcp(std::string(kTcpHead) + tcp_line("0100007F:1F90") +
                                   tcp_line("0200000A:0050", "01") + tcp_line("00000000:0016"));
  ASSERT_TRUE(listeners) << listeners.error().message();
  ASSERT_THAT(*listeners, SizeIs(2));
  const facts::Listener& first = listeners->front();
  EXPECT_EQ(first.address, facts::IpAddress::parse("127.0.0.1"));
  EXPECT_EQ(first.port, 8080);
  EXPECT_THAT(first.uid, Optional(1000U));
  EXPECT_EQ(first.inode, SocketInode(48213));
  EXPECT_EQ(first.accept_queue_len, QueueLength(31));
  EXPECT_EQ(first.limit, std::nullopt);
  EXPECT_EQ(first.drops, std::nullopt);
  EXPECT_EQ(first.cookie, SocketCookie());
  EXPECT_TRUE(listeners->back().address.is_unspecified());
  EXPECT_EQ(listeners->back().port, 22);
}

TEST(ProcNetTcp, Ipv6) {
  if (std::endian::native != std::endian::little) GTEST_SKIP() << "the text is a little-endian's";
  const auto listeners = evidence::parse_proc_net_tcp(
      std::string(kTcpHead) + tcp_line("B80D0120000000000000000001000000:01BB"));
  ASSERT_TRUE(listeners) << listeners.error().message();
  ASSERT_THAT(*listeners, SizeIs(1));
  EXPECT_EQ(listeners->front().address, facts::IpAddress::parse("2001:db8::1"));
  EXPECT_EQ(listeners->front().port, 443);
}

TEST(ProcNetTcp, EmptyAndHeadOnly) {
  for (const std::string_view text : {std::string_view(), kTcpHead}) {
    const auto listeners = evidence::parse_proc_net_tcp(text);
    ASSERT_TRUE(listeners) << listeners.error().message();
    EXPECT_THAT(*listeners, IsEmpty());
  }
}

TEST(ProcNetTcp, GarbageIsMalformedWithItsLine) {
  const std::string garbage[] = {
      "garbage\n",
      tcp_line("0100007F"),
      tcp_line("0100007G:1F90"),
      tcp_line("0100007F:1F90F"),
      tcp_line("0100007F00:1F90"),
      "0: 0100007F:1F90 00000000:0000 0A 00000000 00:00000000 0 0 0 48213\n",
      "0: 0100007F:1F90 00000000:0000 0A 0:x 00:00000000 0 0 0 48213\n",
      "0: 0100007F:1F90 00000000:0000 0A 0:0 00:00000000 0 -1 0 48213\n",
      "0: 0100007F:1F90 00000000:0000 0A 0:0 00:00000000 0 0 0 inode\n",
  };
  for (const std::string& line : garbage) {
    SCOPED_TRACE(line);
    const auto listeners =
        evidence::parse_proc_net_tcp(std::string(kTcpHead) + tcp_line("0100007F:1F90") + line);
    ASSERT_FALSE(listeners);
    EXPECT_EQ(listeners.error().code, ErrorCode::kMalformed);
    EXPECT_THAT(listeners.error().context, HasSubstr("line 3"));
  }
}

constexpr std::string_view kUnixHead = "Num       RefCount Protocol Flags    Type St Inode Path\n";

TEST(ProcNetUnix, StreamListeners) {
  const auto listeners = evidence::parse_proc_net_unix(
      std::string(kUnixHead) +
      "ffff888000000001: 00000002 00000000 00010000 0001 01 20001 /run/with blank.sock\n"
      "ffff888000000002: 00000002 00000000 00010000 0001 01 20002 @abstract@\n"
      "ffff888000000003: 00000002 00000000 00010000 0001 01 20003\n"
      "ffff888000000004: 00000003 00000000 00000000 0001 03 20004 /run/connected.sock\n"
      "ffff888000000005: 00000002 00000000 00010000 0005 01 20005 /run/seqpacket.sock\n"
      "ffff888000000006: 00000002 00000000 00000000 0002 01 20006\n");
  ASSERT_TRUE(listeners) << listeners.error().message();
  ASSERT_THAT(*listeners, SizeIs(3));
  const std::string paths[] = {"/run/with blank.sock", "@abstract@", ""};
  for (std::size_t i = 0; i < 3; ++i) {
    const facts::Listener& listener = (*listeners)[i];
    EXPECT_EQ(listener.protocol, facts::Protocol::kUnix);
    EXPECT_EQ(listener.path, paths[i]);
    EXPECT_EQ(listener.inode, SocketInode(20001 + i));
    EXPECT_EQ(listener.limit, std::nullopt);
    EXPECT_EQ(listener.accept_queue_len, QueueLength(0));
  }
}

// Anybody may bind a socket to such a name: it must not hide the others.
TEST(ProcNetUnix, NamesMayHoldNewlines) {
  const auto listeners = evidence::parse_proc_net_unix(
      std::string(kUnixHead) +
      "ffff888000000001: 00000002 00000000 00010000 0001 01 20001 /run/a\n"
      "b 1 2 3 4 5 6 7 8\n"
      "\n"
      "ffff888000000002: 00000002 00000000 00000000 0002 01 20002 @x\n"
      "not a listener's name\n"
      "ffff888000000003: 00000002 00000000 00010000 0001 01 20003 /run/c\n");
  ASSERT_TRUE(listeners) << listeners.error().message();
  ASSERT_THAT(*listeners, SizeIs(2));
  EXPECT_EQ((*listeners)[0].path, "/run/a\nb 1 2 3 4 5 6 7 8\n");
  EXPECT_EQ((*listeners)[1].path, "/run/c");
}

TEST(ProcNetUnix, GarbageIsMalformedWithItsLine) {
  for (const std::string line : {"garbage\n", "f: 2 0 zz 0001 01 20001 /run/x\n",
                                 "f: 2 0 00010000 0001 01 inode /run/x\n"}) {
    SCOPED_TRACE(line);
    const auto listeners = evidence::parse_proc_net_unix(std::string(kUnixHead) + line);
    ASSERT_FALSE(listeners);
    EXPECT_EQ(listeners.error().code, ErrorCode::kMalformed);
    EXPECT_THAT(listeners.error().context, HasSubstr("line 2"));
  }
}

TEST(SockDiag, DumpHasAListenerOfThisTest) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(socket.valid());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(socket.get(), 7), 0);
  ASSERT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::uint64_t cookie = 0;
  size = sizeof cookie;
  ASSERT_EQ(::getsockopt(socket.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
  struct stat status{};
  ASSERT_EQ(::fstat(socket.get(), &status), 0);

  const auto dump = dump_tcp_listeners(AF_INET);
  if (!dump && dump.error().code == ErrorCode::kUnsupported) {
    GTEST_SKIP() << dump.error().message();
  }
  ASSERT_TRUE(dump) << dump.error().message();
  const auto found = std::ranges::find(dump->listeners, SocketCookie(cookie),
                                       [](const facts::Listener& each) { return each.cookie; });
  ASSERT_NE(found, dump->listeners.end());
  EXPECT_EQ(found->inode, SocketInode(status.st_ino));
  EXPECT_EQ(found->address, facts::IpAddress::parse("127.0.0.1"));
  EXPECT_EQ(found->port, ntohs(address.sin_port));
  EXPECT_EQ(found->accept_queue_len, QueueLength(0));
  EXPECT_THAT(found->limit, Optional(QueueLimit(7)));
}

}  // namespace
}  // namespace acceptq::collect::netlink
