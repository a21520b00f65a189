#include "collect/bpf/kernel_symbols.h"

#include <algorithm>

#include "base/text.h"

namespace acceptq::collect::bpf {

std::vector<std::optional<FunctionRange>> find_functions(std::string_view kallsyms,
                                                         std::span<const std::string_view> names) {
  std::vector<std::optional<FunctionRange>> found(names.size());
  FunctionRange* open = nullptr;  // found, and its end not met yet
  while (!kallsyms.empty()) {
    const std::string_view line = next_line(kallsyms);
    const std::size_t address_end = line.find(' ');
    if (address_end == std::string_view::npos) continue;
    const auto address = [&] { return parse_int<std::uint64_t>(line.substr(0, address_end), 16); };
    if (open != nullptr) {
      const auto next = address().value_or(0);
      if (next > open->begin) {
        open->end = next;
        open = nullptr;
      }
    }
    // "ADDRESS T NAME" or "ADDRESS T NAME\t[MODULE]"
    constexpr std::size_t kType = 3;
    if (line.size() <= address_end + kType) continue;
    std::string_view name = line.substr(address_end + kType);
    name = name.substr(0, name.find('\t'));
    const auto wanted = std::ranges::find(names, name);
    if (wanted == names.end()) continue;
    auto& range = found[static_cast<std::size_t>(wanted - names.begin())];
    const auto begin = address().value_or(0);
    if (range || begin == 0) continue;
    range = FunctionRange{.begin = begin, .end = begin};
    open = &*range;
  }
  // The last symbol of all has no end.
  if (open != nullptr) {
    for (auto& range : found) {
      if (range && &*range == open) range.reset();
    }
  }
  return found;
}

}  // namespace acceptq::collect::bpf
