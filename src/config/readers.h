// The readers of each server's configuration: one function for one server. Each finds the files
// that the process has read, in them what concerns the wish, and makes the edit; or says what
// stands in the way.
#pragma once

#include "base/result.h"
#include "config/edit.h"

namespace acceptq::config {

using Reader = Result<Edit>(const Invocation& invocation, const Wish& wish, const ReadFiles& read);

Reader edit_apache;
Reader edit_by_option;
Reader edit_gunicorn;  // and what else Python runs
Reader edit_haproxy;
Reader edit_lighttpd;
Reader edit_memcached;
Reader edit_mysql;
Reader edit_named;  // BIND
Reader edit_nginx;
Reader edit_pgbouncer;
Reader edit_php_fpm;
Reader edit_redis;  // Valkey too
Reader edit_rsync;
Reader edit_systemd_socket;
Reader edit_tomcat;
Reader edit_uwsgi;

}  // namespace acceptq::config
