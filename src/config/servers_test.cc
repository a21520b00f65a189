// Each server's configuration, and what is made of it.
#include "config/servers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/systemd_service.h"
#include "config/test_support.h"

namespace acceptq::config {
namespace {

using test::plan;
using test::Tree;
using test::wish_for;
using test::wish_for_unix;
using test::with;

TEST(Servers, AreKnownByTheirProgram) {
  const Wish wish = wish_for("0.0.0.0", 80, 9);
  EXPECT_EQ(plan({"/opt/thing", {"thing"}, "/"}, {}, wish),
            "error: the configuration of /opt/thing is not known here");
  EXPECT_TRUE(plan({"/usr/lib/postgresql/15/bin/postgres", {}, "/"}, {}, wish)
                  .starts_with("error: PostgreSQL has no setting"));
  EXPECT_TRUE(plan({"/usr/bin/python3.11", {"python3", "app.py"}, "/"}, {}, wish)
                  .starts_with("error: what /usr/bin/python3.11 runs has its backlog in its code"));
}

// somaxconn may clamp what is written, or a pool may not have grown so far.
TEST(Servers, AreNeverGivenLessThanTheyHave) {
  const auto note_of = [](const Invocation& how, const Tree& tree, const Wish& wish) {
    const auto edit = plan_edit(how, wish, test::reader_of(tree));
    if (!edit) return edit.error().message();
    const Edit more = only_more(*edit, wish);
    if (!more.files.empty()) return more.files[0].after;
    EXPECT_EQ(more.takes_effect, by_restart());  // a reload would not call listen() again
    return more.note;
  };
  const Wish wish = wish_for("0.0.0.0", 80, 9);
  const Invocation nginx{"/usr/sbin/nginx", {"nginx", "-c", "/n"}, "/", Pid(7)};
  EXPECT_EQ(note_of(nginx, {{"/n", "http { server {\nlisten 80 backlog=65535; } }"}}, wish),
            "/n:2 has 65535 already, which is more");
  const Invocation fpm{"/usr/sbin/php-fpm", {"php-fpm", "-y", "/p"}, "/"};
  const auto pool = [](const char* line) {
    return Tree{{"/p", std::string("[w]\nlisten = 80\n") + line + "\n"}};
  };
  const Wish workers = with(wish, Setting::kConnections);
  EXPECT_EQ(note_of(fpm, pool("pm.max_children = \"100\""), workers),
            "/p:3 has 100 already, which is more");
  EXPECT_EQ(note_of(fpm, pool("pm.max_children = 8"), workers),
            "[w]\nlisten = 80\npm.max_children = 9\n");
  EXPECT_EQ(note_of(fpm, pool("listen.backlog = -1"), wish), "/p:3 has -1 already, which is more");
  EXPECT_EQ(note_of(fpm, pool(""), wish), "[w]\nlisten = 80\nlisten.backlog = 9\n\n");
}

TEST(Haproxy, EditsTheBindOfTheAddress) {
  const Invocation how{
      "/usr/sbin/haproxy", {"haproxy", "-Ws", "-f", "/h.cfg", "-p", "/run/h.pid"}, "/"};
  const auto of = [&](const char* text, const Wish& wish) {
    return plan(how, {{"/h.cfg", text}}, wish);
  };
  const Wish any = wish_for("0.0.0.0", 80, 9);
  EXPECT_EQ(of("frontend f\n\tbind *:80 # all\n", any),
            "/h.cfg: frontend f\n\tbind *:80 backlog 9 # all\n");
  EXPECT_EQ(of("frontend f\n bind :80,:81 name x\n", wish_for("0.0.0.0", 81, 9)),
            "/h.cfg: frontend f\n bind :80,:81 name x backlog 9\n");
  EXPECT_EQ(of("frontend f\n bind :80\n bind :::80 v6only\n", wish_for("::", 80, 9)),
            "/h.cfg: frontend f\n bind :80\n bind :::80 v6only backlog 9\n");
  EXPECT_EQ(of("frontend f\n bind :80 backlog 100 maxconn 7\n", any),
            "/h.cfg: frontend f\n bind :80 backlog 9 maxconn 7\n");
  EXPECT_EQ(of("defaults\n backlog 1\nfrontend f\n backlog 2\n bind :80\n", any),
            "/h.cfg: defaults\n backlog 1\nfrontend f\n backlog 9\n bind :80\n");
  EXPECT_EQ(of("defaults\n backlog 1\nfrontend f\n bind :80\n", any),
            "/h.cfg: defaults\n backlog 1\nfrontend f\n bind :80 backlog 9\n");
  EXPECT_EQ(of("frontend f\n bind :80 backlog 9\n", any),
            "nothing: /h.cfg:2 has backlog 9 already");
  EXPECT_EQ(of("frontend f\n bind \"${IP}:${PORT}\"\n", any),
            "/h.cfg: frontend f\n bind \"${IP}:${PORT}\" backlog 9\n");
  EXPECT_EQ(of("frontend f\n bind unix@/run/h.sock mode 600\n", wish_for_unix("/run/h.sock", 9)),
            "/h.cfg: frontend f\n bind unix@/run/h.sock mode 600 backlog 9\n");
  EXPECT_EQ(of("frontend f\n bind :80 backlog\n", any),
            "error: /h.cfg:2: backlog without its number");
  EXPECT_EQ(of(" bind :80\n", any), "error: /h.cfg:1: this line is in no section");
  EXPECT_EQ(of("frontend f\n bind :80 name \"x\n", any),
            "error: /h.cfg:2: a quote or a backslash at its end leaves this line open");
  EXPECT_EQ(of("frontend f\n # bind :80\n", any), "error: /h.cfg: no bind line of 0.0.0.0:80");
  EXPECT_EQ(plan({"/usr/sbin/haproxy", {"haproxy", "-C", "/etc", "-f", "d"}, "/"},
                 {{"/etc/d/a.cfg", "global\n"}, {"/etc/d/b.cfg", "listen l\n bind :80"}}, any),
            "/etc/d/b.cfg: listen l\n bind :80 backlog 9");
  EXPECT_EQ(plan({"/usr/sbin/haproxy", {"haproxy"}, "/"}, {}, any),
            "error: HAProxy's command line names no configuration file");
}

TEST(Haproxy, EditsTheMaxconnThatBinds) {
  const Invocation how{"/usr/sbin/haproxy", {"haproxy", "-f", "/h.cfg"}, "/"};
  const Wish wish = with(wish_for("0.0.0.0", 80, 9), Setting::kConnections);
  const auto of = [&](const char* text) { return plan(how, {{"/h.cfg", text}}, wish); };
  EXPECT_EQ(of("global\n maxconn 1\nfrontend f\n bind :80 maxconn 2\n"),
            "/h.cfg: global\n maxconn 1\nfrontend f\n bind :80 maxconn 9\n");
  EXPECT_EQ(of("global\n maxconn 1\nfrontend f\n maxconn 2\n bind :80\n"),
            "/h.cfg: global\n maxconn 1\nfrontend f\n maxconn 9\n bind :80\n");
  EXPECT_EQ(of("global\n maxconn 1\nfrontend f\n bind :80\n"),
            "/h.cfg: global\n maxconn 9\nfrontend f\n bind :80\n");
  EXPECT_EQ(of("global\nfrontend f\n bind :80\n"),
            "/h.cfg: global\n    maxconn 9\nfrontend f\n bind :80\n");
  EXPECT_EQ(of("listen f\n bind :80\n"), "/h.cfg: global\n    maxconn 9\n\nlisten f\n bind :80\n");
}

TEST(Redis, EditsTheFileThatIsOfTheListener) {
  const Invocation how{"/usr/bin/redis-check-rdb", {"/usr/bin/redis-server 127.0.0.1:6379"}, "/"};
  const Wish wish = wish_for("127.0.0.1", 6379, 9);
  const std::string main = "/etc/redis/redis.conf";
  EXPECT_EQ(plan(how, {{main, "# tcp-backlog 1\nport 6379\nTCP-backlog 511\n"}}, wish),
            main + ": # tcp-backlog 1\nport 6379\nTCP-backlog 9\n");
  EXPECT_EQ(plan(how, {{main, "tcp-backlog 1\ntcp-backlog \"511\"\n"}}, wish),
            main + ": tcp-backlog 1\ntcp-backlog 9\n");
  EXPECT_EQ(plan(how, {{main, "tcp-backlog \"5\"11\n"}}, wish), main + ": tcp-backlog 9\n");
  EXPECT_EQ(plan(how, {{main, "port 6379"}}, wish), main + ": port 6379\ntcp-backlog 9\n");
  EXPECT_EQ(plan(how, {{main, "include /x\n"}, {"/x", "tcp-backlog 7\n"}}, wish),
            "/x: tcp-backlog 9\n");
  EXPECT_EQ(plan(how, {{main, "port 7000\n"}}, wish), "option: --tcp-backlog 9");
  EXPECT_EQ(plan(how, {}, wish), "option: --tcp-backlog 9");
  EXPECT_EQ(plan(how, {{main, "\ninclude /etc/redis/redis.conf\n"}}, wish),
            "error: " + main + ":2: files include each other too deeply, perhaps without end");
  EXPECT_EQ(plan(how, {{main, "unixsocket /r\n"}}, wish_for_unix("/r", 9)),
            main + ": unixsocket /r\ntcp-backlog 9\n");
  EXPECT_EQ(plan({"/usr/bin/redis-server", {"redis-server", "r.conf"}, "/srv"},
                 {{"/srv/r.conf", ""}}, wish),
            "/srv/r.conf: tcp-backlog 9\n");
  EXPECT_EQ(plan({"/usr/bin/redis-server", {"redis-server", "--tcp-backlog", "5"}, "/"},
                 {{main, ""}}, wish),
            "option: --tcp-backlog 9");
  EXPECT_EQ(plan(how, {{main, "maxclients 5\n"}}, with(wish, Setting::kConnections)),
            main + ": maxclients 9\n");
}

TEST(Apache, EditsListenBacklog) {
  const Invocation how{"/usr/sbin/apache2", {"/usr/sbin/apache2", "-k", "start"}, "/"};
  const std::string main = "/etc/apache2/apache2.conf";
  const Wish wish = wish_for("::", 80, 9);
  const auto of = [&](const std::string& text) {
    return plan(how,
                {{main, text},
                 {"/etc/apache2/ports.conf",
                  "Listen 80\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n"}},
                wish);
  };
  EXPECT_EQ(of("Include ports.conf\n"),
            "/etc/apache2/ports.conf: Listen 80\nListenBacklog 9\n<IfModule ssl_module>\n\tListen "
            "443\n</IfModule>\n");
  EXPECT_EQ(of("listen 0.0.0.0:81\nListen *:80\nlistenbacklog 511\n"),
            main + ": listen 0.0.0.0:81\nListen *:80\nlistenbacklog 9\n");
  EXPECT_EQ(of("Listen 80\n<IfModule x>\nListenBacklog 5\n</IfModule>\n"),
            main + ": Listen 80\n<IfModule x>\nListenBacklog 5\n</IfModule>\nListenBacklog 9\n");
  EXPECT_EQ(of("Listen 80\nLoadModule x x.so\n<IfModule x>\nListenBacklog 5\n</IfModule>\n"),
            main + ": Listen 80\nLoadModule x x.so\n<IfModule x>\nListenBacklog 9\n</IfModule>\n");
  EXPECT_EQ(of("<IfModule x>\nListen 80\n</IfModule>\n"),
            main + ": <IfModule x>\nListen 80\n</IfModule>\nListenBacklog 9\n");
  EXPECT_EQ(of("ServerRoot \"/srv\"\nIncludeOptional none/*.conf\nListen \\\n 80 http\n"),
            main +
                ": ServerRoot \"/srv\"\nIncludeOptional none/*.conf\nListen \\\n 80 "
                "http\nListenBacklog 9\n");
  EXPECT_EQ(of("Listen 80 \\\n\nServerRoot /\n"),
            main + ": Listen 80 \\\n\nListenBacklog 9\nServerRoot /\n");
  EXPECT_EQ(of("<IfModule x>\nListen 80\n</IfModule>\nUser \\\n"),
            main + ": <IfModule x>\nListen 80\n</IfModule>\nUser \\\n\nListenBacklog 9\n");
  EXPECT_EQ(of("Listen '80'\nListenBacklog \"511\"\"\n"),
            main + ": Listen '80'\nListenBacklog \"9\"\"\n");
  EXPECT_EQ(of("Listen 8\\\n0\n# Listen 81 \\\nListenBacklog 511\nListenBacklog 5\\\n11\n"),
            main + ": Listen 8\\\n0\n# Listen 81 \\\nListenBacklog 511\nListenBacklog 9\n");
  EXPECT_EQ(of("Listen 80\nInclude gone.conf\n"),
            "error: " + main + ":2: /etc/apache2/gone.conf: No such file or directory");
  EXPECT_EQ(of("<IfModule x>\n"), "error: " + main + ":1: this section does not end in this file");
  EXPECT_EQ(of("</IfModule>\n"),
            "error: " + main + ":1: it ends a section that does not begin in this file");
  EXPECT_EQ(of("\nInclude apache2.conf\n"),
            "error: " + main + ":2: files include each other too deeply, perhaps without end");
  EXPECT_EQ(of("Listen 81\n"),
            "error: " + main + ": no Listen of [::]:80, neither here nor in what it includes");
  EXPECT_EQ(plan(how,
                 {{main,
                   "Listen 80\nLoadModule mpm_event_module m.so\n<IfModule mpm_event_module>\n"
                   "MaxRequestWorkers 150\n</IfModule>\n<IfModule "
                   "mpm_prefork_module>\nMaxRequestWorkers 1\n</IfModule>\n"}},
                 with(wish, Setting::kConnections)),
            main +
                ": Listen 80\nLoadModule mpm_event_module m.so\n<IfModule mpm_event_module>\n"
                "MaxRequestWorkers 9\n</IfModule>\n<IfModule "
                "mpm_prefork_module>\nMaxRequestWorkers 1\n</IfModule>\n");
}

TEST(Apache, IsCheckedByTheFileThatItWasStartedWith) {
  const Tree tree{{"/etc/apache2/apache2.conf", "Listen 80\n"}, {"/srv/a.conf", "Listen 80\n"}};
  const auto check_of = [&](std::vector<std::string> arguments) {
    const auto edit = plan_edit({"/usr/sbin/apache2", std::move(arguments), "/"},
                                wish_for("::", 80, 9), test::reader_of(tree));
    EXPECT_TRUE(edit.has_value());
    return edit ? edit->check : std::vector<std::string>();
  };
  EXPECT_EQ(check_of({"apache2"}), (std::vector<std::string>{"apachectl", "configtest"}));
  EXPECT_EQ(
      check_of({"apache2", "-d", "/srv", "-f", "a.conf"}),
      (std::vector<std::string>{"/usr/sbin/apache2", "-t", "-d", "/srv", "-f", "/srv/a.conf"}));
}

TEST(PhpFpm, EditsThePoolOfTheListener) {
  const Invocation how{
      "/usr/sbin/php-fpm8.2", {"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"}, "/"};
  const std::string pool = "/etc/php/8.2/fpm/pool.d/www.conf";
  const Wish wish = wish_for_unix("/run/www.sock", 9);
  const auto of = [&](const std::string& text, const Wish& w) {
    return plan(
        how,
        {{"/etc/php/8.2/fpm/php-fpm.conf", "[global]\ninclude=/etc/php/8.2/fpm/pool.d/*.conf\n"},
         {pool, text}},
        w);
  };
  EXPECT_EQ(
      of("[www]\nlisten = /run/$pool.sock\n;listen.backlog = 511\n", wish),
      pool + ": [www]\nlisten = /run/$pool.sock\nlisten.backlog = 9\n;listen.backlog = 511\n");
  EXPECT_EQ(of("[a]\nlisten=1\nlisten.backlog=1\n[b]\nlisten = 127.0.0.1:2 ; two\nlisten.backlog = "
               "-1 ; all\n",
               wish_for("127.0.0.1", 2, 9)),
            pool +
                ": [a]\nlisten=1\nlisten.backlog=1\n[b]\nlisten = 127.0.0.1:2 ; "
                "two\nlisten.backlog = 9 ; all\n");
  EXPECT_EQ(
      of("[www]\nlisten = /run/www.sock\npm.max_children = 5\n", with(wish, Setting::kConnections)),
      pool + ": [www]\nlisten = /run/www.sock\npm.max_children = 9\n");
  EXPECT_EQ(of("[www]\nlisten = 9000\n", wish),
            "error: /etc/php/8.2/fpm/php-fpm.conf: no pool listens at unix:/run/www.sock");
  // The image of Docker's: the last file of a pool has the last word.
  EXPECT_EQ(plan({"/usr/local/sbin/php-fpm",
                  {"php-fpm: master process (/usr/local/etc/php-fpm.conf)"},
                  "/"},
                 {{"/usr/local/etc/php-fpm.conf", "[global]\ninclude=etc/php-fpm.d/*.conf\n"},
                  {"/usr/local/etc/php-fpm.d/www.conf", "[www]\nlisten = 127.0.0.1:9000\n"},
                  {"/usr/local/etc/php-fpm.d/zz-docker.conf", "[www]\nlisten = 9000\n"}},
                 wish_for("::", 9000, 9)),
            "/usr/local/etc/php-fpm.d/zz-docker.conf: [www]\nlisten = 9000\nlisten.backlog = 9\n");
  EXPECT_TRUE(plan({"/usr/sbin/php-fpm8.2", {"php-fpm: pool www"}, "/"}, {}, wish)
                  .starts_with("error: \"php-fpm: pool www\" does not tell"));
}

TEST(Uwsgi, EditsTheListenOfItsIni) {
  const Wish wish = wish_for("0.0.0.0", 80, 9);
  const Invocation how{"/usr/bin/uwsgi-core", {"uwsgi", "--ini", "/u.ini"}, "/"};
  EXPECT_EQ(plan(how, {{"/u.ini", "[uwsgi]\nhttp-socket = :80\n"}}, wish),
            "/u.ini: [uwsgi]\nlisten = 9\nhttp-socket = :80\n");
  EXPECT_EQ(plan(how, {{"/u.ini", "[uwsgi]\nlisten = 100\n"}}, wish),
            "/u.ini: [uwsgi]\nlisten = 9\n");
  EXPECT_EQ(plan(how, {{"/u.ini", "[uwsgi]\nini = x\n"}}, wish),
            "error: /u.ini:2: \"ini\" is not followed here: what it includes may set listen");
  EXPECT_EQ(plan(how, {{"/u.ini", "[uwsgi]\nlisten\n"}}, wish), "/u.ini: [uwsgi]\nlisten = 9 \n");
  EXPECT_EQ(plan(how, {{"/u.ini", "a = 1\n"}}, wish), "error: /u.ini: no section [uwsgi]");
  EXPECT_EQ(plan({"/usr/bin/uwsgi", {"uwsgi", "u.ini", "-l", "5"}, "/"}, {}, wish),
            "option: --listen 9");
  EXPECT_EQ(plan({"/usr/bin/uwsgi", {"uwsgi", "u.ini"}, "/srv"}, {{"/srv/u.ini", "[uwsgi]"}}, wish),
            "/srv/u.ini: [uwsgi]\nlisten = 9\n");
  EXPECT_EQ(plan({"/usr/bin/uwsgi", {"uwsgi", "--http", ":80"}, "/"}, {}, wish),
            "option: --listen 9");
}

TEST(Memcached, EditsTheFileThatItsArgumentsAreMadeOf) {
  const Wish wish = wish_for("127.0.0.1", 11211, 9);
  const std::string conf = "/etc/memcached.conf";
  const std::string text = "# all\n-d\nlogfile /l\n-m 64\n-P /p\n";
  const Invocation how{"/usr/bin/memcached", {"/usr/bin/memcached", "-m", "64", "-P", "/p"}, "/"};
  EXPECT_EQ(plan(how, {{conf, text}}, wish), conf + ": " + text + "-b 9\n");
  EXPECT_EQ(plan({"/usr/bin/memcached", {"memcached", "-b", "5"}, "/"}, {{conf, "-b 5\n"}}, wish),
            conf + ": -b 9\n");
  EXPECT_EQ(plan({"/usr/bin/memcached", {"memcached", "-m", "32"}, "/"}, {{conf, text}}, wish),
            "option: -b 9");
  EXPECT_EQ(plan(how, {}, with(wish, Setting::kConnections)), "option: -c 9");
}

TEST(Mysql, EditsTheGroupOfTheServer) {
  const Wish wish = wish_for("127.0.0.1", 3306, 9);
  const Invocation how{"/usr/sbin/mariadbd", {"/usr/sbin/mariadbd"}, "/"};
  const Tree tree = {
      {"/etc/mysql/my.cnf", "[client]\nback_log = 1\n!includedir /etc/mysql/conf.d/\n"},
      {"/etc/mysql/conf.d/50.cnf", "[mysqld_safe]\nback_log=3\n[mysqld]\nback-log = 80 # few\n"}};
  EXPECT_EQ(plan(how, tree, wish),
            "/etc/mysql/conf.d/50.cnf: [mysqld_safe]\nback_log=3\n[mysqld]\nback-log = 9 # few\n");
  EXPECT_EQ(plan(how, {{"/etc/my.cnf", "[mysqld]\nport=1\n"}}, wish),
            "/etc/my.cnf: [mysqld]\nback_log = 9\nport=1\n");
  EXPECT_EQ(plan(how, {{"/etc/my.cnf", "[mysqld-8.0]\nback_log=1\n"}}, wish),
            "error: /etc/my.cnf:2: whether this server reads the group [mysqld-8.0] is not known");
  EXPECT_EQ(plan(how, {{"/etc/my.cnf", "[mysqld]\nback_log =# none\n"}}, wish),
            "/etc/my.cnf: [mysqld]\nback_log = 9 # none\n");
  EXPECT_EQ(plan(how, {{"/etc/my.cnf", "[mysqld]\nback_log=\"80\" # few\n"}}, wish),
            "/etc/my.cnf: [mysqld]\nback_log=9 # few\n");
  EXPECT_EQ(plan(how, {{"/etc/my.cnf", "[mysqld]\nback_log=\"8\" 0\n"}}, wish),
            "/etc/my.cnf: [mysqld]\nback_log=9\n");
  EXPECT_EQ(plan(how, {}, wish), "option: --back-log=9");
  EXPECT_EQ(plan({"/usr/sbin/mysqld", {"mysqld", "--back_log=5"}, "/"},
                 {{"/etc/my.cnf", "[mysqld]"}}, wish),
            "option: --back-log=9");
}

TEST(Gunicorn, EditsOnlyAPlainNumber) {
  const Wish wish = wish_for("0.0.0.0", 80, 9);
  const Invocation how{
      "/usr/bin/python3.11", {"/usr/bin/python3", "/usr/bin/gunicorn", "app:app"}, "/srv"};
  const auto of = [&](const char* text) {
    return plan(how, {{"/srv/gunicorn.conf.py", text}}, wish);
  };
  const std::string file = "/srv/gunicorn.conf.py: ";
  EXPECT_EQ(of("bind = ':80'\nbacklog = 2048  # many\n"),
            file + "bind = ':80'\nbacklog = 9  # many\n");
  EXPECT_EQ(of("# backlog = 1\nenable_backlog_metric = True"),
            file + "# backlog = 1\nenable_backlog_metric = True\nbacklog = 9\n");
  EXPECT_EQ(of("backlog = 9"), "nothing: /srv/gunicorn.conf.py:1 has backlog = 9 already");
  for (const char* code : {"backlog = 2 * 1024\n", "if x:\n  backlog = 5\n",
                           "backlog = 1\nbacklog = 2\n", "f(backlog=5)\n", "backlog = \n5\n"}) {
    EXPECT_NE(of(code).find("backlog is not one plain number here"), std::string::npos) << code;
  }
  EXPECT_NE(of("'''\nbacklog = 5\n'''\n").find("a text over several lines"), std::string::npos);
  EXPECT_EQ(plan(how, {}, wish), "option: --backlog 9");
  EXPECT_EQ(plan({"/usr/bin/python3", {"gunicorn: master [app]"}, "/"}, {}, wish),
            "option: --backlog 9");
}

TEST(PlanEdit, SaysThatAFileIsWrittenByAProgram) {
  const Invocation how{"/usr/sbin/nginx", {"nginx: master process nginx"}, "/", Pid(9)};
  const auto note = [&](const std::string& head) {
    const Tree tree = {{"/etc/nginx/nginx.conf", head + "http { server { listen 80; } }\n"}};
    return plan_edit(how, wish_for("0.0.0.0", 80, 9), test::reader_of(tree))->note;
  };
  EXPECT_EQ(
      note("\n# Configuration checksum: 1234\n"),
      "/etc/nginx/nginx.conf says of itself \"# Configuration checksum: 1234\": what writes it "
      "may do so again, and the change belongs there");
  EXPECT_NE(note("# THIS FILE IS MANAGED BY ANSIBLE\n"), "");
  EXPECT_EQ(note("# the shop's\n"), "");
  EXPECT_EQ(note("\n\n\n\n\n# generated\n"), "");
}

TEST(Lighttpd, HasOneNumberForAllListeners) {
  const Invocation how{"/usr/sbin/lighttpd", {"/usr/sbin/lighttpd", "-D", "-f", "l.conf"}, "/etc"};
  const Wish wish = wish_for("0.0.0.0", 80, 9);
  const auto of = [&](const std::string& text) {
    return plan(how, {{"/etc/l.conf", text}, {"/etc/d/a.conf", "x.y = \"1\"\n"}}, wish);
  };
  EXPECT_EQ(of("server.listen-backlog = 5 # few\n"),
            "/etc/l.conf: server.listen-backlog = 9 # few\n");
  EXPECT_EQ(of("server.port = 80\nx = ( \"a\",\n\tserver.listen-backlog = 5 )\n"),
            "/etc/l.conf: server.port = 80\nserver.listen-backlog = 9\n"
            "x = ( \"a\",\n\tserver.listen-backlog = 5 )\n");
  // Neither a comment nor a text sets it.
  EXPECT_EQ(
      of("#server.listen-backlog = 5\nx = \"\nserver.listen-backlog = 5\"\ninclude \"d/*.conf\"\n"),
      "/etc/l.conf: #server.listen-backlog = 5\nx = \"\nserver.listen-backlog = 5\"\n"
      "include \"d/*.conf\"\nserver.listen-backlog = 9\n");
  EXPECT_EQ(of("server.listen-backlog=9"),
            "nothing: /etc/l.conf:1 has server.listen-backlog = 9 already");
  EXPECT_EQ(
      of("$SERVER[\"socket\"] == \":81\" {\n  server.listen-backlog = 5\n}\n"),
      "error: /etc/l.conf:2: server.listen-backlog stands in a condition, whose listeners are "
      "not known here");
  EXPECT_EQ(of("server.listen-backlog = 5\nserver.listen-backlog := 6\n"),
            "error: /etc/l.conf:2: server.listen-backlog is set a second time");
  EXPECT_EQ(of("server.listen-backlog = 5 + var.x\n"),
            "error: /etc/l.conf:1: server.listen-backlog is not one plain number here");
  EXPECT_NE(of("include var.x\n").find("/etc/l.conf:1: include takes"), std::string::npos);
  EXPECT_NE(of("include \"l.conf\"\n").find("error"), std::string::npos);
  for (const char* cut : {"x = \"\n", "x = (\n", "$X == \"a\" {\n", "}\n", ")\n", "x = \"\\"}) {
    EXPECT_NE(of(cut).find("this file"), std::string::npos) << cut;
  }
}

TEST(SystemdSocket, GetsADropIn) {
  const Invocation how{"/usr/lib/systemd/systemd", {"/sbin/init"}, "/"};
  const Wish wish = wish_for("::", 6379, 9);
  Tree tree = {{"/usr/lib/systemd/system/r.socket", "[Socket]\nListenStream=6379\nBacklog=5\n"},
               {"/usr/lib/systemd/system/other.socket", "[Socket]\nListenStream=/run/x\n"}};
  EXPECT_EQ(plan(how, tree, wish),
            "/etc/systemd/system/r.socket.d/zz-acceptq.conf: [Socket]\nBacklog=9\n");
  const auto edit = plan_edit(how, wish, test::reader_of(tree));
  EXPECT_EQ(shell_line(edit->takes_effect),
            "systemctl daemon-reload && systemctl stop r.service && systemctl restart r.socket");
  EXPECT_FALSE(edit->files[0].before);
  tree["/etc/systemd/system/r.socket.d/a.conf"] = "[Socket]\nBacklog=7\n";
  EXPECT_EQ(plan(how, tree, wish), "/etc/systemd/system/r.socket.d/a.conf: [Socket]\nBacklog=9\n");
  EXPECT_EQ(plan(how, tree, wish_for("::", 1, 9)),
            "error: no socket unit of systemd listens at [::]:1");
}

TEST(SystemdService, IsThatOfTheControlGroup) {
  const auto of = [](const char* cgroup) { return service_of_cgroup(cgroup).value_or("none"); };
  EXPECT_EQ(of("/system.slice/nginx.service"), "nginx.service");
  EXPECT_EQ(of("/system.slice/system-php.slice/php@8.service/pool"), "php@8.service");
  EXPECT_EQ(of("/user.slice/user-1000.slice/user@1000.service/app.slice/web.service"), "none");
  EXPECT_EQ(of("/user.slice/user-0.slice/session-1.scope"), "none");
  EXPECT_EQ(of("/system.slice/docker-49b4135534da.scope"), "none");
  EXPECT_EQ(of("/"), "none");
  EXPECT_EQ(of("/system.slice/.service"), "none");
}

TEST(SystemdService, GetsItsBoundOnDescriptorsInADropIn) {
  const auto edit_in = [](const Tree& tree) {
    return edit_limit_nofile("web.service", 4096, test::reader_of(tree));
  };
  const auto fresh = edit_in({});
  ASSERT_TRUE(fresh);
  ASSERT_EQ(fresh->files.size(), 1U);
  EXPECT_EQ(fresh->files[0].path, "/etc/systemd/system/web.service.d/zz-acceptq.conf");
  EXPECT_FALSE(fresh->files[0].before);
  EXPECT_EQ(fresh->files[0].after, "[Service]\nLimitNOFILE=4096\n");
  EXPECT_EQ(shell_line(fresh->takes_effect),
            "systemctl daemon-reload && systemctl restart web.service");
  const std::string directory = "/etc/systemd/system/web.service.d/";
  EXPECT_EQ(edit_in({{directory + "a.conf", "[Service]\nLimitNOFILE=64:64\n"}})->files[0].after,
            "[Service]\nLimitNOFILE=4096\n");
  // Ours, for another setting, that somebody has put there.
  EXPECT_EQ(edit_in({{directory + "zz-acceptq.conf", "[Unit]\nAfter=x"}})->files[0].after,
            "[Unit]\nAfter=x\n[Service]\nLimitNOFILE=4096\n");
}

}  // namespace
}  // namespace acceptq::config
