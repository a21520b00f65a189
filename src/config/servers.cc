#include "config/servers.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "config/readers.h"

namespace acceptq::config {
namespace {

struct Server {
  std::string_view program;  // what the name of its executable begins with
  Reader* reader;
};

Result<Edit> edit_postgresql(const Invocation& invocation, const Wish& wish,
                             const ReadFiles& read) {
  (void)invocation;
  (void)wish;
  (void)read;
  return fail(ErrorCode::kUnsupported,
              "PostgreSQL has no setting for its backlog: it asks for twice max_connections "
              "(src/backend/libpq/pqcomm.c), and each connection is a process");
}

constexpr Server kServers[] = {
    {"nginx", edit_nginx},         {"openresty", edit_nginx},
    {"tengine", edit_nginx},       {"apache2", edit_apache},
    {"httpd", edit_apache},        {"haproxy", edit_haproxy},
    {"redis", edit_redis},         {"valkey", edit_redis},
    {"php-fpm", edit_php_fpm},     {"uwsgi", edit_uwsgi},
    {"memcached", edit_memcached}, {"mysqld", edit_mysql},
    {"mariadbd", edit_mysql},      {"python", edit_gunicorn},
    {"pypy", edit_gunicorn},       {"systemd", edit_systemd_socket},
    {"postgres", edit_postgresql},
};

const Server* server_of(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);  // npos + 1 is 0
  const auto* const server =
      std::ranges::find_if(kServers, [&](const Server& s) { return name.starts_with(s.program); });
  return server != std::end(kServers) ? server : nullptr;
}

}  // namespace

bool knows_server(std::string_view program) { return server_of(program) != nullptr; }

Result<Edit> plan_edit(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  const Server* server = server_of(invocation.program);
  if (server == nullptr) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the configuration of {} is not known here", invocation.program));
  }
  return server->reader(invocation, wish, read);
}

}  // namespace acceptq::config
