#include "collect/bpf/kernel_symbols.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"

namespace acceptq::collect::bpf {

namespace {

// A line "ADDRESS T NAME" or "ADDRESS T NAME\t[MODULE]".
struct Symbol {
  std::uint64_t address = 0;
  char type = 0;
  std::string_view name;
};

std::optional<Symbol> parse_symbol(std::string_view line) {
  constexpr std::size_t kType = 3;
  const std::size_t address_end = line.find(' ');
  if (address_end == std::string_view::npos || line.size() <= address_end + kType) {
    return std::nullopt;
  }
  const std::string_view name = line.substr(address_end + kType);
  return Symbol{.address = parse_int<std::uint64_t>(line.substr(0, address_end), 16).value_or(0),
                .type = line[address_end + 1],
                .name = name.substr(0, name.find('\t'))};
}

bool is_function(const Symbol& symbol) {
  return symbol.type == 't' || symbol.type == 'T' || symbol.type == 'w' || symbol.type == 'W';
}

}  // namespace

std::vector<std::optional<FunctionRange>> find_functions(std::string_view kallsyms,
                                                         std::span<const std::string_view> names) {
  std::vector<std::optional<FunctionRange>> found(names.size());
  FunctionRange* open = nullptr;  // found, and its end not met yet
  while (!kallsyms.empty()) {
    const std::optional<Symbol> symbol = parse_symbol(next_line(kallsyms));
    if (!symbol) continue;
    if (open != nullptr && symbol->address > open->begin) {
      open->end = symbol->address;
      open = nullptr;
    }
    const auto wanted = std::ranges::find(names, symbol->name);
    if (wanted == names.end()) continue;
    auto& range = found[static_cast<std::size_t>(wanted - names.begin())];
    if (range || symbol->address == 0) continue;
    range = FunctionRange{.begin = symbol->address, .end = symbol->address};
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

std::vector<std::string> functions_before(std::string_view kallsyms,
                                          std::span<const std::uint64_t> addresses) {
  // Behind the last symbol of the kernel, or of a module, there is nothing for a long way.
  constexpr std::uint64_t kLongest = 1U << 20U;
  std::vector<Symbol> nearest(addresses.size());
  while (!kallsyms.empty()) {
    const std::optional<Symbol> symbol = parse_symbol(next_line(kallsyms));
    if (!symbol || symbol->address == 0) continue;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      // Of several at one address the first, as the kernel has it.
      const bool is_nearer = symbol->address < addresses[i] && symbol->address > nearest[i].address;
      if (is_nearer) nearest[i] = *symbol;
    }
  }
  std::vector<std::string> names(addresses.size());
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const bool is_near = addresses[i] - nearest[i].address <= kLongest;
    if (is_near && is_function(nearest[i])) names[i] = nearest[i].name;
  }
  return names;
}

}  // namespace acceptq::collect::bpf
