// What happened to counters between two snapshots.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "facts/snapshot.h"

namespace acceptq::diagnose {

// The growth of a cumulative counter. One that went down wrapped, if it went from the last
// sixteenth of its width (2^64, or 2^32 on 32-bit kernels) to the first; else it was started anew
// and the growth is not known.
[[nodiscard]] std::optional<std::uint64_t> counter_growth(std::uint64_t before,
                                                          std::uint64_t after);

// The growth of sk_drops, an atomic_t: modulo 2^32.
[[nodiscard]] std::uint32_t socket_drops_growth(std::uint32_t before, std::uint32_t after);

// A namespace in both snapshots of an observation.
class NamespaceDelta {
 public:
  // `before` is null for a namespace that appeared meanwhile. Both outlive this object.
  NamespaceDelta(const facts::Namespace* before, const facts::Namespace* after);

  // True where it is one namespace, not two that had the same inode in turn.
  [[nodiscard]] bool comparable() const { return comparable_; }
  // Of the later snapshot; empty where the kernel has no such counter, it was not read,
  // or only its growth is known.
  [[nodiscard]] std::optional<std::uint64_t> total(std::string_view counter) const;
  [[nodiscard]] std::optional<std::uint64_t> delta(std::string_view counter) const;
  // The delta, or 0.
  [[nodiscard]] std::uint64_t grew(std::string_view counter) const;
  [[nodiscard]] const facts::Namespace* after() const { return after_; }

 private:
  const facts::Namespace* before_;
  const facts::Namespace* after_;
  bool comparable_;
};

[[nodiscard]] NamespaceDelta namespace_delta(const facts::Observation& observation, NetnsId id);

// The value of a sysctl in a namespace, where it could be read (the host's where it is global).
[[nodiscard]] std::optional<std::int64_t> sysctl_value(const facts::Namespace* ns,
                                                       std::string_view name);

}  // namespace acceptq::diagnose
