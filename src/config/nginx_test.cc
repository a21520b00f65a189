#include <gtest/gtest.h>

#include <csignal>

#include <string>

#include "config/nginx_syntax.h"
#include "config/readers.h"
#include "config/test_support.h"

namespace acceptq::config {
namespace {

using test::Tree;
using test::wish_for;
using test::wish_for_unix;

const Invocation kDebian{
    "/usr/sbin/nginx", {"nginx: master process /usr/sbin/nginx"}, "/", Pid(812)};

Result<Edit> edit_tree(const Tree& tree, const Wish& wish, const Invocation& how = kDebian) {
  return edit_nginx(how, wish, test::reader_of(tree));
}

// The new text of the only file that changes; an error's text where there is none.
std::string after(const Tree& tree, const Wish& wish) {
  const Result<Edit> edit = edit_tree(tree, wish);
  if (!edit) return "error: " + edit.error().message();
  if (edit->files.size() != 1) return edit->note;
  return edit->files[0].after;
}

std::string in_http(const std::string& servers, const Wish& wish) {
  const std::string head = "events {}\nhttp {\n";
  std::string text = after({{"/etc/nginx/nginx.conf", head + servers + "}\n"}}, wish);
  if (!text.starts_with(head)) return text;
  return text.substr(head.size(), text.size() - head.size() - 2);
}

TEST(Nginx, EditsTheListenOfTheAddress) {
  const auto any = wish_for("0.0.0.0", 80, 4096);
  const auto any6 = wish_for("::", 80, 4096);
  struct Case {
    const char* before;
    Wish wish;
    const char* after;
  };
  const Case cases[] = {
      {"server { listen 80; }", any, "server { listen 80 backlog=4096; }"},
      {"server { listen 80 default_server ; }", any,
       "server { listen 80 default_server backlog=4096 ; }"},
      {"server { listen *:80; }", any, "server { listen *:80 backlog=4096; }"},
      {"server { listen 0.0.0.0; }", any, "server { listen 0.0.0.0 backlog=4096; }"},
      {"server { listen \"80\"; }", any, "server { listen \"80\" backlog=4096; }"},
      {"server { listen 80 # of all\n\tdefault_server; }", any,
       "server { listen 80 # of all\n\tdefault_server backlog=4096; }"},
      {"server { listen 80; listen [::]:80; }", any6,
       "server { listen 80; listen [::]:80 backlog=4096; }"},
      {"server { listen 80; listen [::1]; }", wish_for("::1", 80, 9),
       "server { listen 80; listen [::1] backlog=9; }"},
      {"server { listen 80; listen 10.0.0.1:80; }", wish_for("10.0.0.1", 80, 9),
       "server { listen 80; listen 10.0.0.1:80 backlog=9; }"},
      {"server { listen 80 backlog=511; }", any, "server { listen 80 backlog=4096; }"},
      {"server { listen 80 \"backlog=511\" ssl; }", any, "server { listen 80 backlog=4096 ssl; }"},
      {"server { listen 443 quic reuseport; listen 443 ssl http2; }", wish_for("0.0.0.0", 443, 9),
       "server { listen 443 quic reuseport; listen 443 ssl http2 backlog=9; }"},
      {"server { listen 8000-8010; }", wish_for("0.0.0.0", 8005, 9),
       "server { listen 8000-8010 backlog=9; }"},
      {"server { listen unix:/run/a.sock; listen unix:/run/b.sock; }",
       wish_for_unix("/run/b.sock", 9),
       "server { listen unix:/run/a.sock; listen unix:/run/b.sock backlog=9; }"},
      {"server { listen localhost:81; }", wish_for("127.0.0.1", 81, 9),
       "server { listen localhost:81 backlog=9; }"},
      // The options of an address are said once, with the listen that has any.
      {"server { listen 80; }\nserver { listen 80 default_server; }", any,
       "server { listen 80; }\nserver { listen 80 default_server backlog=4096; }"},
      {"server { listen 80 default_server; }\nserver { listen 80 deferred; }", any,
       "server { listen 80 default_server; }\nserver { listen 80 deferred backlog=4096; }"},
      // What nginx makes itself.
      {"server {\n  # nothing\n  root /srv;\n}", any,
       "server {\n  listen 80 backlog=4096;\n  # nothing\n  root /srv;\n}"},
      {"server { root /srv; }", any, "server { listen 80 backlog=4096; root /srv; }"},
      {"server { root /srv; }", wish_for("0.0.0.0", 8000, 9),
       "server { listen 8000 backlog=9; root /srv; }"},
  };
  for (const Case& c : cases) EXPECT_EQ(in_http(c.before, c.wish), c.after) << c.before;
}

TEST(Nginx, TakesForAListenOnlyWhatIsOne) {
  const auto wish = wish_for("0.0.0.0", 80, 9);
  const std::string traps[] = {
      "# server { listen 80; }\n",
      "log_format x 'server { listen 80; }';\n",
      "map $host $x { \"~^(?<a>\\d{2})$\" 'listen 80;'; }\n",
      "server { listen 81; location / { set $x ${y}; return 200 \"listen 80;\"; } }\n",
      "init_by_lua_block { local s = \"}\" -- }\n local t = [==[ } ]==] local u = {1} }\n",
      "types { text/html html; }\n",
  };
  const std::string server = "server { listen 80; }";
  const std::string edited = "server { listen 80 backlog=9; }";
  for (const std::string& trap : traps) EXPECT_EQ(in_http(trap + server, wish), trap + edited);
}

TEST(Nginx, FollowsIncludes) {
  const Tree tree = {
      {"/etc/nginx/nginx.conf",
       "events {}\nhttp {\n  include mime.types;\n  include sites-enabled/*;\n"
       "  include none/*.conf;\n}\n"},
      {"/etc/nginx/mime.types", "types { text/html html; }\n"},
      {"/etc/nginx/sites-enabled/a", "server { listen 81; }\n"},
      {"/etc/nginx/sites-enabled/b", "server {\n  listen 80;\r\n}\n"},
  };
  const Result<Edit> edit = edit_tree(tree, wish_for("0.0.0.0", 80, 4096));
  ASSERT_TRUE(edit) << edit.error().message();
  ASSERT_EQ(edit->files.size(), 1U);
  EXPECT_EQ(edit->files[0].path, "/etc/nginx/sites-enabled/b");
  EXPECT_EQ(edit->files[0].line, 2U);
  EXPECT_EQ(edit->files[0].after, "server {\n  listen 80 backlog=4096;\r\n}\n");
  EXPECT_EQ(edit->takes_effect, by_signal(SIGHUP, Pid(812)));
  EXPECT_EQ(edit->check, (Command{"nginx", "-t"}));
}

// There may be several: `nginx -t` alone tests the default one, which need not be this.
TEST(Nginx, ChecksTheFilesThatThisOneReads) {
  const Tree tree = {{"/srv/a/my.conf", "http { server { listen 80; } }"}};
  const Invocation how{
      "/usr/sbin/nginx", {"nginx: master process nginx -p a/ -c my.conf"}, "/srv", Pid(9)};
  const Result<Edit> edit = edit_tree(tree, wish_for("0.0.0.0", 80, 4096), how);
  ASSERT_TRUE(edit) << edit.error().message();
  EXPECT_EQ(edit->check, (Command{"nginx", "-t", "-p", "/srv/a/", "-c", "/srv/a/my.conf"}));
  EXPECT_EQ(edit->takes_effect, by_signal(SIGHUP, Pid(9)));
}

TEST(Nginx, RefusesWhatItCannotEditWithItsPlace) {
  const auto any = wish_for("0.0.0.0", 80, 9);
  const std::string main = "/etc/nginx/nginx.conf";
  struct Case {
    Tree tree;
    const char* error;
  };
  const Case cases[] = {
      {{}, "error: /usr/local/nginx/conf/nginx.conf: No such file or directory"},
      {{{main, "http {\nserver { listen 81; } }"}},
       "error: /etc/nginx/nginx.conf: no listen directive of 0.0.0.0:80, neither here nor in what "
       "it includes"},
      {{{main, "http {\nserver {\n"}},
       "error: /etc/nginx/nginx.conf:2: the block that begins here does not end in this file"},
      {{{main, "http {}\n}"}}, "error: /etc/nginx/nginx.conf:2: a \"}\" that closes nothing"},
      {{{main, "user x\n"}},
       "error: /etc/nginx/nginx.conf:1: neither \";\" nor a block ends this directive"},
      {{{main, "a \"b"}}, "error: /etc/nginx/nginx.conf:1: this quote does not end"},
      {{{main, "a 'b'c;"}},
       "error: /etc/nginx/nginx.conf:1: something follows this quoted word without a blank"},
      {{{main, "{}"}}, "error: /etc/nginx/nginx.conf:1: unexpected \"{\""},
      {{{main, "a { b }"}},
       "error: /etc/nginx/nginx.conf:1: \"}\" comes before the end of this directive"},
      {{{main, "x_by_lua_block { \"}\" "}},
       "error: /etc/nginx/nginx.conf:1: this block of Lua does not end"},
      {{{main, "http {\ninclude gone;}"}},
       "error: /etc/nginx/nginx.conf:2: /etc/nginx/gone: No such file or directory"},
      {{{main, "\ninclude nginx.conf;"}},
       "error: /etc/nginx/nginx.conf:2: files include each other too deeply, perhaps without end"},
      {{{main, "http {\ninclude s; include s;\n}"},
        {"/etc/nginx/s", "server { include l; }"},
        {"/etc/nginx/l", "listen 80;"}},
       "error: /etc/nginx/l:1: this listen is included by several servers, of which one alone may "
       "have a "
       "backlog: write it into one of them"},
  };
  for (const Case& c : cases) EXPECT_EQ(after(c.tree, any), c.error);
}

TEST(Nginx, EndsWhereFilesIncludeEachOtherOverAndOver) {
  const Tree tree = {{"/etc/nginx/nginx.conf", "include *.conf; include *.conf;"},
                     {"/etc/nginx/b.conf", "include *.conf; include *.conf;"}};
  EXPECT_TRUE(after(tree, wish_for("0.0.0.0", 80, 9)).starts_with("error: ")) << "it ends at all";
}

TEST(Nginx, FindsItsFileByItsArguments) {
  const std::string text = "http { server { listen 80; } }";
  struct Case {
    Invocation how;
    const char* file;
  };
  const Case cases[] = {
      {kDebian, "/etc/nginx/nginx.conf"},
      {{"/usr/sbin/nginx", {"nginx: master process nginx -g daemon off; -c /srv/x.conf"}, "/"},
       "/srv/x.conf"},
      {{"/usr/sbin/nginx", {"nginx", "-g", "daemon off;", "-c", "/srv/x.conf"}, "/"},
       "/srv/x.conf"},
      {{"/usr/sbin/nginx", {"nginx", "-c/srv/x.conf"}, "/"}, "/srv/x.conf"},
      {{"/usr/sbin/nginx", {"nginx", "-p", "web", "-c", "x.conf"}, "/srv"}, "/srv/web/x.conf"},
      {{"/usr/sbin/nginx", {"nginx", "-p", "/srv"}, "/"}, "/srv/conf/nginx.conf"},
      {{"/opt/or/nginx/sbin/nginx", {"nginx"}, "/"}, "/opt/or/nginx/conf/nginx.conf"},
  };
  for (const Case& c : cases) {
    const auto edit = edit_tree({{c.file, text}}, wish_for("0.0.0.0", 80, 9), c.how);
    ASSERT_TRUE(edit) << c.file << ": " << edit.error().message();
    EXPECT_EQ(edit->files.at(0).path, c.file);
  }
  const auto worker = edit_tree({{"/etc/nginx/nginx.conf", text}}, wish_for("0.0.0.0", 80, 9),
                                {"/usr/sbin/nginx", {"nginx: worker process"}, "/"});
  EXPECT_FALSE(worker);
}

TEST(Nginx, KnowsThatAReloadIsNotEnoughWhereTheNumberStays) {
  const auto wish = wish_for("0.0.0.0", 80, 4096);
  const auto same =
      edit_tree({{"/etc/nginx/nginx.conf", "http {\nserver { listen 80 backlog=4096; } }"}}, wish);
  ASSERT_TRUE(same);
  EXPECT_TRUE(same->files.empty());
  EXPECT_EQ(same->takes_effect, by_restart());
  EXPECT_EQ(same->note, "/etc/nginx/nginx.conf:2 has backlog=4096 already");
  const auto usual = edit_tree({{"/etc/nginx/nginx.conf", "http { server { listen 80; } }"}},
                               wish_for("0.0.0.0", 80, 511));
  ASSERT_TRUE(usual);
  EXPECT_TRUE(usual->files.empty());
  EXPECT_EQ(usual->takes_effect, by_restart());
}

TEST(Nginx, SetsItsOtherBounds) {
  auto wish = wish_for("0.0.0.0", 80, 4096);
  const auto of = [&](Setting setting, const char* text) {
    wish.setting = setting;
    return after({{"/etc/nginx/nginx.conf", text}}, wish);
  };
  EXPECT_EQ(of(Setting::kConnections, "events { worker_connections 768; }"),
            "events { worker_connections 4096; }");
  EXPECT_EQ(of(Setting::kConnections, "events {\n\tmulti_accept on;\n}\n"),
            "events {\n\tworker_connections 4096;\n\tmulti_accept on;\n}\n");
  EXPECT_EQ(of(Setting::kConnections, "http {}"),
            "error: /etc/nginx/nginx.conf: no block \"events\"");
  EXPECT_EQ(of(Setting::kOpenFiles, "worker_rlimit_nofile 9;"), "worker_rlimit_nofile 4096;");
  EXPECT_EQ(of(Setting::kOpenFiles, "user x;\nworker_processes auto; # all\nevents {}\n"),
            "user x;\nworker_processes auto; # all\nworker_rlimit_nofile 4096;\nevents {}\n");
  EXPECT_EQ(of(Setting::kOpenFiles, "worker_processes 1; events {\n}\n"),
            "worker_processes 1; worker_rlimit_nofile 4096; events {\n}\n");
  EXPECT_EQ(of(Setting::kOpenFiles, "worker_processes events {\n}"),
            "worker_rlimit_nofile 4096;\nworker_processes events {\n}");
  EXPECT_EQ(of(Setting::kOpenFiles, "events {}"), "worker_rlimit_nofile 4096;\nevents {}");
}

TEST(LuaBlock, EndsAtItsOwnBrace) {
  EXPECT_EQ(lua_block_end("}", 0), 0U);
  EXPECT_EQ(lua_block_end("a{}}", 0), 3U);
  EXPECT_EQ(lua_block_end("'\\'}'}", 0), 5U);
  EXPECT_EQ(lua_block_end("[[}]]}", 0), 5U);
  EXPECT_EQ(lua_block_end("t[1]}", 0), 4U);
  EXPECT_EQ(lua_block_end("--[[}]]}", 0), 7U);
  EXPECT_EQ(lua_block_end("--}\n}", 0), 4U);
  for (const char* open : {"", "{}", "'}", "[[}", "--}", "--[=[}]]", "\\"}) {
    EXPECT_EQ(lua_block_end(open, 0), std::string_view::npos) << open;
  }
}

}  // namespace
}  // namespace acceptq::config
