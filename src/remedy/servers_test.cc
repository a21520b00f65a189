// The table of servers, and who is found in it.
#include "remedy/servers.h"

#include <gtest/gtest.h>

#include "remedy/remedy_test_support.h"

namespace acceptq::remedy {
namespace {

TEST(KnownServers, EveryRowIsUsable) {
  EXPECT_GT(known_servers().size(), 100U);
  for (const Server& server : known_servers()) {
    EXPECT_FALSE(server.name.empty());
    EXPECT_FALSE(server.source.empty()) << server.name;
    EXPECT_TRUE(!server.key.empty() || server.example.empty()) << server.name;
  }
}

facts::Process running(const char* program, const char* comm, const char* exe) {
  facts::Process p = process(comm, exe);
  p.program = program;
  return p;
}

TEST(FindServer, GoesByTheProgramThenByTheProcessThenByItsFile) {
  const auto name = [](const facts::Process& owner, std::uint32_t limit) {
    const Server* server = find_server(owner, limit).server;
    return server != nullptr ? server->name : "none";
  };
  EXPECT_EQ(name(process("nginx"), 511), "nginx");
  EXPECT_EQ(name(process("redis-server"), 128), "Redis");
  EXPECT_EQ(name(process("x", "/usr/sbin/nginx (deleted)"), 511), "nginx");
  EXPECT_EQ(name(process("my-own"), 511), "none");
  EXPECT_TRUE(find_server(process("nginx"), 511).alike.empty());
  const char* python = "/usr/bin/python3.11";
  EXPECT_EQ(name(process("gunicorn", python), 128), "Gunicorn");
  EXPECT_EQ(name(running("gunicorn", "python3", python), 128), "Gunicorn");
  EXPECT_EQ(name(running("uvicorn", "python3", python), 100), "Uvicorn");
  EXPECT_EQ(name(running("hypercorn", "python3", python), 100), "Hypercorn");
  EXPECT_EQ(name(running("waitress", "python3", python), 5), "Waitress");
  EXPECT_EQ(name(running("sanic", "python3", python), 5), "Sanic");
  EXPECT_EQ(name(running("org.apache.catalina.startup.Bootstrap", "java", "/opt/jdk/bin/java"), 7),
            "Apache Tomcat");
}

TEST(FindServer, BusyboxHasManyNames) {
  const facts::Process httpd = running("httpd", "busybox", "/bin/busybox");
  EXPECT_EQ(find_server(httpd, 9).server->name, "busybox httpd");
  EXPECT_EQ(find_server(process("httpd", "/bin/busybox"), 9).server->name, "busybox httpd");
  EXPECT_EQ(find_server(process("httpd", "/usr/sbin/httpd"), 511).server->name, "Apache httpd");
  EXPECT_EQ(find_server(running("nc", "busybox", "/bin/busybox"), 9).server, nullptr);
}

// A number is no name: python with 10 is not Django, and nginx with 16384 not Kong.
TEST(FindServer, AnInterpreterWithANumberIsAGuess) {
  const ServerMatch django = find_server(process("python3", "/usr/bin/python3.11"), 10);
  EXPECT_EQ(django.server, nullptr);
  ASSERT_EQ(django.alike.size(), 1U);
  EXPECT_EQ(django.alike[0]->name, "Django runserver");
  const ServerMatch kong = find_server(process("nginx"), 16384);
  EXPECT_EQ(kong.server->name, "nginx");
  ASSERT_EQ(kong.alike.size(), 1U);
  EXPECT_EQ(kong.alike[0]->name, "Kong Gateway");
  EXPECT_EQ(find_server(running("serve.py", "python3", "/usr/bin/python3"), 1024).server, nullptr);
  EXPECT_GE(find_server(process("java"), 100).alike.size(), 2U);
  EXPECT_TRUE(find_server(process("python3"), 77).alike.empty());
}

TEST(FindServer, PhpFpmAsksForSomaxconnFrom82On) {
  EXPECT_TRUE(find_server(process("php-fpm8.2"), 4096).server->asks_somaxconn);
  const ServerMatch old = find_server(process("php-fpm7.4"), 511);
  EXPECT_FALSE(old.server->asks_somaxconn);
  EXPECT_EQ(old.server->default_backlog, std::nullopt);
}

TEST(FillExample, UsesTheListenersOwnValues) {
  const Server* nginx = find_server(process("nginx"), {}).server;
  EXPECT_EQ(fill_example(*nginx, {.endpoint = "[::]:8443", .port = 8443, .backlog = 8192}),
            "listen [::]:8443 backlog=8192;");
  const Server* node = find_server(process("node"), {}).server;
  EXPECT_EQ(fill_example(*node, {.endpoint = "unix:/x", .port = {}, .backlog = 8192}), "");
  for (const Server& server : known_servers()) {
    EXPECT_EQ(server.example.find("\\n"), std::string::npos) << server.name;
    EXPECT_EQ(server.example.find("default_server"), std::string::npos) << server.name;
  }
}

TEST(ParseServers, SaysWhichLineIsWrong) {
  const std::string head =
      "name,comm,default_backlog,key,example,cap,cap_counts,limit_at_cap,descriptors,idle_timeouts,"
      "when_busy,apply,source,verified\n";
  EXPECT_TRUE(
      parse_servers(head + "a,b|c*,somaxconn,k,\"x \"\"y\"\", z\",,,0,at_start,,,reload,s,no\n")
          .has_value());
  for (const char* bad :
       {"a,b,5,k,e,,,,,,,reload,s\n", "a,b,x,k,e,,,,,,,reload,s,no\n",
        "a,b,5,k,e,,,x,,,,reload,s,no\n", "a,b,5,k,e,,,,,,,sometimes,s,no\n",
        "a,b,5,k,\"e,,,,,,,reload,s,no\n", "a,b,5,k,e,,,,,,,reload,s,maybe\n",
        "a,b,5,k,e,c,,,,,,reload,s,no\n", "a,b,5,k,e,,workers,,,,,reload,s,no\n",
        "a,b,5,k,e,c,many,,,,,reload,s,no\n", "a,b,5,k,e,,,,later,,,reload,s,no\n"}) {
    const auto parsed = parse_servers(head + bad);
    ASSERT_FALSE(parsed.has_value()) << bad;
    EXPECT_NE(parsed.error().context.find("line 2"), std::string::npos);
  }
  EXPECT_FALSE(parse_servers("who,what\n").has_value());
}

}  // namespace
}  // namespace acceptq::remedy
