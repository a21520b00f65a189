// A sysctl of the calling thread's network namespace.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace acceptq::apply {

// `name` is dotted: "net.core.somaxconn".
[[nodiscard]] Result<std::int64_t> read_sysctl(const std::string& name);
[[nodiscard]] Status write_sysctl(const std::string& name, std::int64_t value);

}  // namespace acceptq::apply
