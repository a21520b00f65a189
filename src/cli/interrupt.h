// Ctrl-C ends a command early but in good order.
#pragma once

#include <atomic>

namespace acceptq::cli {

// From the first call on, SIGINT, SIGTERM and SIGHUP set the flag instead of ending the process,
// unless they were ignored; a second SIGINT ends it. The flag lives as long as the process.
[[nodiscard]] const std::atomic<bool>& interrupted();

}  // namespace acceptq::cli
