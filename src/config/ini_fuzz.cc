// Any bytes as the configuration of each server that has one setting a line.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/fuzz_support.h"
#include "config/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using acceptq::config::test::fuzz_reader;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz_reader(acceptq::config::edit_redis,
              {"/usr/bin/redis-server", {"redis-server", "/r.conf"}, "/"}, text);
  fuzz_reader(acceptq::config::edit_php_fpm,
              {"/usr/sbin/php-fpm", {"php-fpm", "-y", "/p.conf"}, "/"}, text);
  fuzz_reader(acceptq::config::edit_uwsgi, {"/usr/bin/uwsgi", {"uwsgi", "--ini", "/u.ini"}, "/"},
              text);
  fuzz_reader(acceptq::config::edit_memcached,
              {"/usr/bin/memcached", {"memcached", "-m", "64"}, "/"}, text);
  fuzz_reader(acceptq::config::edit_mysql,
              {"/usr/sbin/mysqld", {"mysqld", "--defaults-file=/my.cnf"}, "/"}, text);
  fuzz_reader(acceptq::config::edit_pgbouncer,
              {"/usr/sbin/pgbouncer", {"pgbouncer", "/b.ini"}, "/"}, text);
  fuzz_reader(acceptq::config::edit_rsync, {"/usr/bin/rsync", {"rsync", "--daemon"}, "/"}, text);
  fuzz_reader(acceptq::config::edit_systemd_socket,
              {"/usr/lib/systemd/systemd", {"/sbin/init"}, "/"}, text);
  return 0;
}
