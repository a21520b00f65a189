// Walks the attributes (struct nlattr) behind a netlink message's fixed part.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "base/result.h"

namespace acceptq::collect::netlink {

// A T out of unaligned bytes; nothing where there are too few.
template <typename T>
[[nodiscard]] std::optional<T> read_as(std::span<const std::byte> bytes, std::size_t offset = 0) {
  if (bytes.size() < offset || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// Calls visit(type, payload) for each attribute. kMalformed where one claims more bytes than there
// are, or fewer than its own header.
template <typename Visit>
[[nodiscard]] Status for_each_attribute(std::span<const std::byte> bytes, const Visit& visit) {
  while (!bytes.empty()) {
    const std::optional<nlattr> header = read_as<nlattr>(bytes);
    if (!header || header->nla_len < sizeof(nlattr) || header->nla_len > bytes.size()) {
      return fail(ErrorCode::kMalformed, "netlink: an attribute's length does not fit its message");
    }
    visit(static_cast<std::uint16_t>(header->nla_type & NLA_TYPE_MASK),
          bytes.subspan(sizeof(nlattr), header->nla_len - sizeof(nlattr)));
    const std::size_t aligned = NLA_ALIGN(std::size_t{header->nla_len});
    bytes = bytes.subspan(std::min(aligned, bytes.size()));
  }
  return {};
}

}  // namespace acceptq::collect::netlink
