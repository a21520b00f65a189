// What the running kernel's BTF tells beyond types: values of enumerators, and what tracepoints
// pass.
#pragma once

#include <bpf/btf.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace acceptq::collect::bpf {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

// The running kernel's types; null where it does not tell them. Takes some 25 ms.
[[nodiscard]] Btf kernel_btf();

// Values of enumerators, in the order of `names`; 0 for one that the kernel has not.
[[nodiscard]] std::vector<std::uint32_t> enumerators(const btf* types,
                                                     std::span<const std::string_view> names);

// Number of arguments of a tracepoint; negative where the kernel has none of this name.
[[nodiscard]] int arguments_of_tracepoint(const btf* types, const std::string& tracepoint);

}  // namespace acceptq::collect::bpf
