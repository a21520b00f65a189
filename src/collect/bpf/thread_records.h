// What the bytes of the thread iterator say. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "collect/thread_look.h"

namespace acceptq::collect::bpf {

// The kernel's functions by an address in them; an empty name where the kernel has none.
using AddressNames = std::unordered_map<std::uint64_t, std::string>;

// `bytes` are records of threads_wire.h, one behind the other; kTruncated where the last is not
// whole, kMalformed for what the program does not write. Without `left_out`, and without the paths
// of descriptors. A frame of a stack whose address has no name is left out.
[[nodiscard]] Result<ThreadsSeen> parse_thread_records(std::span<const std::byte> bytes,
                                                       const AddressNames& names);

// The addresses in the stacks of such records that `names` lacks, each once; of bytes that are no
// records, as far as they are.
[[nodiscard]] std::vector<std::uint64_t> unnamed_addresses(std::span<const std::byte> bytes,
                                                           const AddressNames& names);

// Lines "INDEX NAME+0xOFFSET/0xSIZE", with " [MODULE]" behind or not, as the names of
// `addresses[INDEX]`. What has no such line gets an empty name.
void take_names(std::string_view text, std::span<const std::uint64_t> addresses,
                AddressNames& names);

// What an entry of a wait queue with this function means (AQ_WAKE_…).
[[nodiscard]] std::uint32_t wake_meaning(std::string_view function);

// The letter by which /proc/PID/stat shows a state; the kernel's own bits.
[[nodiscard]] char state_letter(std::uint32_t state, std::uint32_t exit_state);

}  // namespace acceptq::collect::bpf
