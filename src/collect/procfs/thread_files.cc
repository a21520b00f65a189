#include "collect/procfs/thread_files.h"

#include "base/text.h"

namespace acceptq::collect::procfs {
namespace {

// "0x7fef54550a40"
std::optional<std::uint64_t> parse_hex(std::string_view text) {
  if (!text.starts_with("0x")) return std::nullopt;
  return parse_int<std::uint64_t>(text.substr(2), 16);
}

}  // namespace

std::optional<std::uint64_t> parse_run_delay(std::string_view schedstat) {
  const std::vector<std::string_view> fields = split_blank(schedstat);
  if (fields.size() != 3) return std::nullopt;
  const auto delay = parse_int<std::uint64_t>(fields[1]);
  const auto runs = parse_int<std::uint64_t>(fields[2]);
  if (!delay || !runs || *runs == 0) return std::nullopt;
  return delay;
}

std::optional<SyscallLine> parse_syscall(std::string_view text) {
  constexpr std::size_t kFields = 9;  // number, six arguments, stack pointer, program counter
  constexpr std::uint64_t kEndOf32Bits = std::uint64_t{1} << 32;
  const std::vector<std::string_view> fields = split_blank(text);
  if (fields.size() != kFields) return std::nullopt;
  const auto number = parse_int<long>(fields[0]);
  if (!number || *number < 0) return std::nullopt;
  SyscallLine line{.number = *number};
  for (std::size_t i = 0; i < line.entry.arguments.size(); ++i) {
    const auto argument = parse_hex(fields[i + 1]);
    if (!argument) return std::nullopt;
    line.entry.arguments.at(i) = *argument;
  }
  const auto stack = parse_hex(fields[kFields - 2]);
  const auto code = parse_hex(fields[kFields - 1]);
  if (!stack || !code) return std::nullopt;
  const bool is_64_bit = *stack >= kEndOf32Bits || *code >= kEndOf32Bits;
  if (sizeof(long) == sizeof(std::uint64_t) && !is_64_bit) return std::nullopt;
  line.entry.stack_pointer = *stack;
  return line;
}

bool is_running(std::string_view syscall) { return trim(syscall) == "running"; }

std::vector<std::string> parse_stack(std::string_view text) {
  // As many as the look by BPF iterator takes; the kernel prints up to 64.
  constexpr std::size_t kMostFrames = 24;
  std::vector<std::string> functions;
  while (!text.empty() && functions.size() < kMostFrames) {
    const std::vector<std::string_view> fields = split_blank(next_line(text));
    if (fields.size() < 2 || !fields[0].starts_with("[<") || !fields[0].ends_with(">]")) continue;
    // Without the kernel's symbols, and at the end of a stack up to 4.20, there is only a number.
    const std::size_t end = fields[1].find("+0x");
    if (end != std::string_view::npos && end > 0) functions.emplace_back(fields[1].substr(0, end));
  }
  return functions;
}

}  // namespace acceptq::collect::procfs
