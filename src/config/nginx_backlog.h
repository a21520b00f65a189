// The backlog that nginx asks for, by its configuration. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/nginx_syntax.h"
#include "facts/listener.h"

namespace acceptq::config {

struct NginxBacklog {
  std::uint32_t value = 0;
  bool by_default = false;  // no backlog= says so
  std::string place;        // of its listen: "/etc/nginx/conf.d/default.conf:2"
};

// Nothing where no listen of the configuration is the listener's.
[[nodiscard]] std::optional<NginxBacklog> nginx_backlog(const NginxConfig& config,
                                                        const facts::Listener& listener);

}  // namespace acceptq::config
