// Reading what a BPF iterator writes.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/result.h"

struct bpf_link;

namespace acceptq::collect::bpf {

// One pass of the iterator that `link` attaches: `buffer` gets all that it writes, and keeps its
// memory for the next. `what`: "the BPF listener iterator".
[[nodiscard]] Status read_iterator(const bpf_link* link, std::string_view what,
                                   std::vector<std::byte>& buffer);

}  // namespace acceptq::collect::bpf
