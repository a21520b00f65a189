#include "evidence/mount_line.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace acceptq::evidence {
namespace {

std::optional<std::uint64_t> parse_device(std::string_view text) {
  constexpr unsigned kMinorBits = 20;
  const std::vector<std::string_view> numbers = split(text, ':');
  if (numbers.size() != 2) return std::nullopt;
  const auto major = parse_int<std::uint32_t>(numbers[0]);
  const auto minor = parse_int<std::uint32_t>(numbers[1]);
  if (!major || !minor || *minor >= 1U << kMinorBits) return std::nullopt;
  return std::uint64_t{*major} << kMinorBits | *minor;
}

}  // namespace

std::optional<MountLine> parse_mount_line(std::string_view line) {
  constexpr std::size_t kOptional = 6;
  const std::vector<std::string_view> fields = split_blank(line);
  if (fields.size() <= kOptional) return std::nullopt;
  const auto id = parse_int<int>(fields[0]);
  const auto parent = parse_int<int>(fields[1]);
  const auto device = parse_device(fields[2]);
  const auto dash = std::find(fields.begin() + kOptional, fields.end(), "-");
  if (!id || !parent || !device || fields.end() - dash < 2) return std::nullopt;
  const auto field = [&](std::ptrdiff_t behind) {
    return fields.end() - dash > behind ? *(dash + behind) : std::string_view();
  };
  return MountLine{.id = *id,
                   .parent = *parent,
                   .device = *device,
                   .root = fields[3],
                   .point = fields[4],
                   .type = field(1),
                   .source = field(2),
                   .options = field(3)};
}

}  // namespace acceptq::evidence
