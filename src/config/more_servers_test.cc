// BIND, PgBouncer, rsync, Tomcat, and servers that take their backlog as an option.
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "config/servers.h"
#include "config/test_support.h"

namespace acceptq::config {
namespace {

using test::plan;
using test::Tree;
using test::wish_for;
using test::with;

TEST(Tomcat, EditsTheConnectorOfThePort) {
  const Invocation how{"/usr/lib/jvm/j/bin/java",
                       {"java", "-Dcatalina.base=/t", "org.apache.catalina.startup.Bootstrap"},
                       "/"};
  const Wish any = wish_for("::", 8080, 9);
  const auto of = [&](const std::string& text, const Wish& wish) {
    return plan(how, {{"/t/conf/server.xml", text}}, wish);
  };
  const std::string at = "/t/conf/server.xml: ";
  EXPECT_EQ(of("<!-- <Connector port=\"8080\"/> -->\n<Connector port=\"8080\"\n  x='1'\n/>", any),
            at + "<!-- <Connector port=\"8080\"/> -->\n<Connector port=\"8080\"\n"
                 "  x='1' acceptCount=\"9\"\n/>");
  EXPECT_EQ(of("<Connector port=\"8080\" acceptCount='100'/>", any),
            at + "<Connector port=\"8080\" acceptCount='9'/>");
  EXPECT_EQ(of("<Connector port=\"8080\" acceptCount=\"9\"/>", any),
            "nothing: /t/conf/server.xml:1 has acceptCount=\"9\" already");
  EXPECT_EQ(of("<Connector port=\"8080\"/>", with(any, Setting::kConnections)),
            at + "<Connector port=\"8080\" maxConnections=\"9\"/>");
  EXPECT_EQ(of("<C port=\"1\"/><Connector port=\"8080\" address=\"10.0.0.1\"/>"
               "<Connector port=\"8080\" address=\"10.0.0.2\"/>",
               wish_for("10.0.0.2", 8080, 9)),
            at + "<C port=\"1\"/><Connector port=\"8080\" address=\"10.0.0.1\"/>"
                 "<Connector port=\"8080\" address=\"10.0.0.2\" acceptCount=\"9\"/>");
}

TEST(Tomcat, TakesAVariableOnlyWhereThereIsNoOther) {
  const Invocation how{"/j/java", {"java", "-Dcatalina.home=/t"}, "/"};
  const auto of = [&](const char* text) {
    return plan(how, {{"/t/conf/server.xml", text}}, wish_for("::", 80, 9));
  };
  EXPECT_NE(of("<Connector port=\"${http}\"/>").find("acceptCount=\"9\""), std::string::npos);
  EXPECT_EQ(of("<Connector port=\"${a}\"/><Connector port=\"${b}\"/>"),
            "error: /t/conf/server.xml: no Connector of [::]:80");
}

TEST(Tomcat, RefusesWhatItDoesNotUnderstandWithItsPlace) {
  const Invocation how{"/j/java", {"java", "-Dcatalina.base=/t"}, "/"};
  const auto of = [&](const char* text) {
    return plan(how, {{"/t/conf/server.xml", text}}, wish_for("::", 80, 9));
  };
  for (const char* text : {"\n<!-- ", "\n<Connector port=", "\n<Connector port=\"80\"",
                           "\n<Connector port=\"80", "\n<Connector port/>", "\n<!DOCTYPE x [",
                           "\n<![CDATA[ <Connector port=\"80\"/>", "\n<?xml"}) {
    EXPECT_TRUE(of(text).starts_with("error: /t/conf/server.xml:2: ")) << of(text);
  }
  EXPECT_EQ(plan({"/j/java", {"java", "-jar", "x.jar"}, "/"}, {}, wish_for("::", 80, 9)),
            "error: what /j/java runs has its backlog in its code, or in a configuration that is "
            "not known here");
}

TEST(Named, EditsItsOptions) {
  const Invocation how{"/usr/sbin/named", {"named", "-f", "-u", "bind"}, "/var/cache/bind"};
  const Wish dns = wish_for("127.0.0.1", 53, 9);
  Tree tree = {{"/etc/bind/named.conf",
                "// options {\ninclude \"/etc/bind/o\";\nzone \".\" { type hint; };\n"},
               {"/etc/bind/o", "options {\n\tdirectory \"/a;b}\"; # x\n};\n"}};
  EXPECT_EQ(plan(how, tree, dns),
            "/etc/bind/o: options {\n\ttcp-listen-queue 9;\n\tdirectory \"/a;b}\"; # x\n};\n");
  tree["/etc/bind/o"] = "options { /* tcp-listen-queue 1; */ tcp-listen-queue 10; };\n";
  EXPECT_EQ(plan(how, tree, dns),
            "/etc/bind/o: options { /* tcp-listen-queue 1; */ tcp-listen-queue 9; };\n");
  EXPECT_EQ(plan(how, tree, with(dns, Setting::kConnections)),
            "/etc/bind/o: options {\n\ttcp-clients 9; /* tcp-listen-queue 1; */ "
            "tcp-listen-queue 10; };\n");
  tree["/etc/bind/o"] = "options { tcp-listen-queue 9; };\n";
  EXPECT_EQ(plan(how, tree, dns), "nothing: /etc/bind/o:1 has tcp-listen-queue 9 already");
  tree["/etc/bind/o"] = "options { tcp-listen-queue\"10\"; };\n";
  EXPECT_EQ(plan(how, tree, dns), "/etc/bind/o: options { tcp-listen-queue\"9\"; };\n");
  tree["/etc/bind/o"] = "";
  EXPECT_TRUE(plan(how, tree, dns).ends_with("\noptions { tcp-listen-queue 9; };\n"));
  const auto edit = plan_edit(how, dns, test::reader_of(tree));
  EXPECT_EQ(edit->check, (Command{"named-checkconf", "/etc/bind/named.conf"}));
}

// Its channel of control (rndc) listens, too, with a backlog that no option sets.
TEST(Named, EditsForItsDnsListenersAlone) {
  const Invocation how{"/usr/sbin/named", {"named"}, "/"};
  const Tree tree = {{"/etc/named.conf",
                      "options { listen-on port 5353 { any; }; listen-on tls x { any; }; };\n"
                      "controls { inet 127.0.0.1 port 953 allow { localhost; }; };\n"}};
  EXPECT_FALSE(plan(how, tree, wish_for("127.0.0.1", 5353, 9)).starts_with("error"));
  EXPECT_FALSE(plan(how, tree, wish_for("127.0.0.1", 853, 9)).starts_with("error"));
  EXPECT_EQ(plan(how, tree, wish_for("127.0.0.1", 953, 9)),
            "error: /etc/named.conf: 127.0.0.1:953 is no listener for DNS, which alone have a "
            "setting");
}

TEST(Named, RefusesWhatItDoesNotUnderstandWithItsPlace) {
  const auto of = [](const std::string& text) {
    return plan({"/usr/sbin/named", {"named", "-c", "/n"}, "/"}, {{"/n", text}},
                wish_for("::", 53, 9));
  };
  for (const char* text :
       {"\n}", "\n/* x", "\n\"x", "\nx", "\ninclude \"/n\";", "\ninclude \"r\";",
        "\ninclude \"/none\";", "options { tcp-listen-queue 1;\ntcp-listen-queue 2; };",
        "options {\n"}) {
    EXPECT_TRUE(of(text).starts_with("error: /n:2: ")) << of(text);
  }
  std::string deep(200, '{');
  EXPECT_EQ(of(deep), "error: /n:1: too many blocks within each other");
}

TEST(Pgbouncer, EditsItsSection) {
  const Invocation how{"/usr/sbin/pgbouncer", {"pgbouncer", "-d", "-u", "pg", "b.ini"}, "/e"};
  const Wish wish = wish_for("127.0.0.1", 6432, 9);
  const auto of = [&](const char* text, const Wish& what) {
    return plan(how, {{"/e/b.ini", text}}, what);
  };
  EXPECT_EQ(of("[databases]\nlisten_backlog = 1\n[pgbouncer]\n;listen_backlog = 2\n", wish),
            "/e/b.ini: [databases]\nlisten_backlog = 1\n[pgbouncer]\nlisten_backlog = 9\n"
            ";listen_backlog = 2\n");
  EXPECT_EQ(of("[pgbouncer]\nlisten_backlog = 2\n", wish),
            "/e/b.ini: [pgbouncer]\nlisten_backlog = 9\n");
  EXPECT_EQ(of("%include x\n[pgbouncer]\n", wish).substr(0, 18), "error: /e/b.ini:1:");
  const Tree tree = {{"/e/b.ini", "[pgbouncer]\n"}};
  Invocation running = how;
  running.pid = Pid(7);
  const auto clients = plan_edit(running, with(wish, Setting::kConnections), test::reader_of(tree));
  ASSERT_TRUE(clients);
  EXPECT_EQ(clients->takes_effect, by_signal(SIGHUP, Pid(7)));
  EXPECT_EQ(plan_edit(running, wish, test::reader_of(tree))->takes_effect, by_restart());
}

TEST(Rsync, EditsItsGlobalParameters) {
  const Invocation how{"/usr/bin/rsync", {"rsync", "--daemon", "--config=/r.conf"}, "/"};
  const Wish wish = wish_for("0.0.0.0", 873, 9);
  const auto of = [&](const char* text) { return plan(how, {{"/r.conf", text}}, wish); };
  EXPECT_EQ(of("[m]\nlisten backlog = 1\n"),
            "/r.conf: listen backlog = 9\n[m]\nlisten backlog = 1\n");
  EXPECT_EQ(of("listen backlog = 5\n[m]\n"), "/r.conf: listen backlog = 9\n[m]\n");
  EXPECT_TRUE(of("&include /d\n").starts_with("error: /r.conf:1:"));
}

TEST(ByOption, NamesTheOption) {
  const Wish wish = wish_for("0.0.0.0", 80, 9);
  const auto of = [&](const char* program, std::vector<std::string> arguments) {
    return plan({program, std::move(arguments), "/"}, {}, wish);
  };
  EXPECT_EQ(of("/usr/sbin/varnishd", {"varnishd", "-F"}), "option: -p listen_depth=9");
  EXPECT_EQ(of("/usr/bin/python3.11", {"python3", "-m", "uvicorn", "a:app"}),
            "option: --backlog 9");
  EXPECT_EQ(of("/usr/bin/python3.11", {"python3", "/usr/bin/waitress-serve", "a:app"}),
            "option: --backlog=9");
  // An argument of another program that only sounds like it.
  EXPECT_TRUE(of("/usr/bin/python3.11", {"python3", "run.py", "--server", "uvicorn"})
                  .starts_with("error: what /usr/bin/python3.11 runs"));
}

// The number of its workers, each of which serves one connection.
TEST(Gunicorn, EditsItsWorkers) {
  const Wish wish = with(wish_for("0.0.0.0", 80, 9), Setting::kConnections);
  Invocation how{"/usr/bin/python3", {"python3", "/usr/bin/gunicorn", "app:app"}, "/g", Pid(7)};
  const Tree tree = {{"/g/gunicorn.conf.py", "workers = 2\nbacklog = 5\n"}};
  EXPECT_EQ(plan(how, tree, wish), "/g/gunicorn.conf.py: workers = 9\nbacklog = 5\n");
  EXPECT_EQ(plan_edit(how, wish, test::reader_of(tree))->takes_effect, by_signal(SIGHUP, Pid(7)));
  EXPECT_EQ(plan(how, {{"/g/gunicorn.conf.py", "workers = n * 2 + 1\n"}}, wish),
            "error: /g/gunicorn.conf.py:1: workers is not one plain number here: this Python is "
            "not edited");
  how.arguments.insert(how.arguments.end(), {"-w", "4"});
  EXPECT_EQ(plan(how, tree, wish), "option: --workers 9");
}

TEST(Uwsgi, EditsItsProcesses) {
  const Wish wish = with(wish_for("0.0.0.0", 80, 9), Setting::kConnections);
  const Invocation how{"/usr/bin/uwsgi", {"uwsgi", "/u.ini"}, "/"};
  EXPECT_EQ(plan(how, {{"/u.ini", "[uwsgi]\nworkers = 4\n"}}, wish),
            "/u.ini: [uwsgi]\nworkers = 9\n");
  EXPECT_EQ(plan(how, {{"/u.ini", "[uwsgi]\n"}}, wish), "/u.ini: [uwsgi]\nprocesses = 9\n");
  EXPECT_EQ(plan({"/usr/bin/uwsgi", {"uwsgi", "/u.ini", "-p", "2"}, "/"}, {}, wish),
            "option: --processes 9");
}

}  // namespace
}  // namespace acceptq::config
