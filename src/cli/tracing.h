// How this host is traced, and how users choose.
#pragma once

#include "collect/bpf/trace_options.h"

namespace acceptq::cli {

// For the running kernel.
[[nodiscard]] collect::bpf::TraceOptions trace_options(collect::bpf::TraceLevel level);

}  // namespace acceptq::cli
