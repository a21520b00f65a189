// Where functions lie in the running kernel, as /proc/kallsyms tells. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace acceptq::collect::bpf {

// The addresses of one function's code: from `begin` up to where the next symbol begins.
struct FunctionRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  friend bool operator==(const FunctionRange&, const FunctionRange&) = default;
};

// The functions of these names in the text of /proc/kallsyms (lines "ADDRESS TYPE NAME", ascending
// within the kernel proper), one for each name; empty for one that is not there, and for one whose
// address is hidden (0, see kernel.kptr_restrict). Of several of one name, the first.
[[nodiscard]] std::vector<std::optional<FunctionRange>> find_functions(
    std::string_view kallsyms, std::span<const std::string_view> names);

// The names of the functions that calls return to at these addresses, as %pB gives them: of what
// lies before an address. Empty where it is in no function, or addresses are hidden.
[[nodiscard]] std::vector<std::string> functions_before(std::string_view kallsyms,
                                                        std::span<const std::uint64_t> addresses);

}  // namespace acceptq::collect::bpf
