#include <gtest/gtest.h>

#include "config/edit.h"
#include "config/listen_address.h"

namespace acceptq::config {
namespace {

facts::Listener listener_at(const char* address, std::uint16_t port) {
  facts::Listener listener;
  listener.address = *facts::IpAddress::parse(address);
  listener.port = port;
  return listener;
}

TEST(ListenAddress, IsReadInEveryForm) {
  const auto fits = [](const char* text, const char* address, std::uint16_t port) {
    const auto parsed = parse_listen_address(text);
    return parsed ? match(*parsed, listener_at(address, port)) : Match::kNo;
  };
  EXPECT_EQ(fits("80", "0.0.0.0", 80), Match::kYes);
  EXPECT_EQ(fits("*:80", "::", 80), Match::kYes);
  EXPECT_EQ(fits(":80", "0.0.0.0", 80), Match::kYes);
  EXPECT_EQ(fits("80", "10.0.0.1", 80), Match::kNo);
  EXPECT_EQ(fits("80", "0.0.0.0", 81), Match::kNo);
  EXPECT_EQ(fits("10.0.0.1:80", "10.0.0.1", 80), Match::kYes);
  EXPECT_EQ(fits("10.0.0.1:80", "::ffff:10.0.0.1", 80), Match::kYes);
  EXPECT_EQ(fits("[::1]:80", "::1", 80), Match::kYes);
  EXPECT_EQ(fits("::1:80", "::1", 80), Match::kYes);
  EXPECT_EQ(fits("80-90", "0.0.0.0", 90), Match::kYes);
  EXPECT_EQ(fits("web.example:80", "10.0.0.1", 80), Match::kMaybe);
  EXPECT_EQ(fits("/run/x", "0.0.0.0", 80), Match::kNo);
  for (const char* bad : {"", "x", "0", "65536", "90-80", "[::1", "x:", "1.2.3.4", ":", "[]:"}) {
    EXPECT_FALSE(parse_listen_address(bad)) << bad;
  }
  EXPECT_EQ(parse_listen_address("1.2.3.4", 80)->first_port, 80);
}

TEST(Edit, KeepsTheLineEndsAndIndentationOfTheFile) {
  const File file{"/x", "a\r\n  b\r\nc"};
  EXPECT_EQ(insert_line_after(file, 5, "n").after, "a\r\n  b\r\n  n\r\nc");
  EXPECT_EQ(insert_line_after(file, 0, "n", 5).after, "a\r\n  n\r\n  b\r\nc");
  EXPECT_EQ(insert_line_after(file, 8, "n").after, "a\r\n  b\r\nc\r\nn\r\n");
  EXPECT_EQ(append_line({"/x", ""}, "n").after, "n\n");
  EXPECT_EQ(append_line({"/x", "a\n"}, "n").line, 2U);
  EXPECT_EQ(place(file, 5), "/x:2");
}

TEST(Edit, MakesNamesAbsolute) {
  EXPECT_EQ(absolute("/a", "/b"), "/a");
  EXPECT_EQ(absolute("a", "/b"), "/b/a");
  EXPECT_EQ(absolute("a", "/"), "/a");
  EXPECT_EQ(directory_of("/etc/nginx/nginx.conf"), "/etc/nginx");
  EXPECT_EQ(directory_of("/x"), "/");
}

}  // namespace
}  // namespace acceptq::config
