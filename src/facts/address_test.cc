#include "facts/address.h"

#include <gtest/gtest.h>

namespace acceptq::facts {
namespace {

TEST(IpAddress, RoundTripsText) {
  for (const char* text : {"0.0.0.0", "10.0.0.3", "255.255.255.255", "::", "::1", "fe80::1",
                           "::ffff:10.0.0.3", "2001:db8::1"}) {
    const std::optional<IpAddress> address = IpAddress::parse(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(IpAddress, RefusesWhatIsNone) {
  for (const char* text : {"", "1.2.3", "1.2.3.256", "::g", "[::1]", "10.0.0.3 ", "fe80::1%eth0"}) {
    EXPECT_FALSE(IpAddress::parse(text).has_value()) << '"' << text << '"';
  }
}

TEST(IpAddress, AMappedOneIsOfIpv4) {
  EXPECT_EQ(IpAddress::parse("::ffff:10.0.0.5")->unmapped(), IpAddress::parse("10.0.0.5"));
  for (const char* text : {"10.0.0.5", "::1", "::", "2001:db8::ffff:a00:5"}) {
    EXPECT_EQ(IpAddress::parse(text)->unmapped(), IpAddress::parse(text)) << text;
  }
}

TEST(IpAddress, KnowsTheWildcard) {
  EXPECT_TRUE(IpAddress().is_unspecified());
  EXPECT_TRUE(IpAddress::parse("::")->is_unspecified());
  EXPECT_FALSE(IpAddress::parse("::1")->is_unspecified());
  EXPECT_TRUE(IpAddress::parse("127.0.0.53")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
  EXPECT_FALSE(IpAddress::parse("10.0.0.1")->is_loopback());
}

}  // namespace
}  // namespace acceptq::facts
