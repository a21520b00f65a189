// acceptq fix --live: the limit of a running server's queue, changed in place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "answer/answer.h"
#include "cli/commands.h"

namespace acceptq::cli {

struct LiveOptions {
  bool json = false;
  bool yes = false;          // do not ask
  bool even_so = false;      // whatever speaks against it, but for what is not safe
  bool keep_sysctl = false;  // leave somaxconn raised
  ColorWhen color = ColorWhen::kAuto;
};

// What one listener of the answer's report should get.
struct LiveWish {
  std::string key;
  std::optional<std::uint32_t> limit;  // empty: nothing asks for another one
  std::string why;
  std::string permanent;  // LiveItem's
};

// 0: done. 2: refused, or not agreed to; nothing was changed. 3: it could not be done.
[[nodiscard]] int run_fix_live(const LiveOptions& options, const answer::Answer& answer,
                               const std::vector<LiveWish>& wishes);

}  // namespace acceptq::cli
