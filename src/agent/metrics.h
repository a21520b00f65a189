// A frame as Prometheus' text format 0.0.4. docs/metrics.md is the contract of names and labels.
#pragma once

#include <functional>
#include <string>

#include "agent/frame.h"
#include "agent/http_server.h"
#include "agent/self_use.h"

namespace acceptq::agent {

// Hands over one metric after the other, whole: all of a large host's would take megabytes.
void write_metrics(const Frame& frame, const std::function<void(std::string)>& take);
void write_metrics(const SelfUse& self, const std::function<void(std::string)>& take);
void write_metrics(const HttpCounts& http, const std::function<void(std::string)>& take);

inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace acceptq::agent
