// Numbers by hash, in one flat table: what a look-up of every packet of a capture needs.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace acceptq::evidence {

// The caller compares: the table keeps a part of each hash, and which number is there. Linear
// probing; what is erased leaves no mark.
class FlatIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // The number for which `is_it` holds among those of the hash, or kNone.
  template <typename Predicate>
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, Predicate is_it) const {
    if (slots_.empty()) return kNone;
    const auto tag = static_cast<std::uint32_t>(hash >> 32U);
    for (std::size_t at = home(hash);; at = next(at)) {
      const Slot& slot = slots_[at];
      if (slot.number == kNone) return kNone;
      if (slot.tag == tag && is_it(slot.number)) return slot.number;
    }
  }

  void insert(std::uint64_t hash, std::uint32_t number) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    ++size_;
    put({.tag = static_cast<std::uint32_t>(hash >> 32U),
         .low = static_cast<std::uint32_t>(hash),
         .number = number});
  }

  void erase(std::uint64_t hash, std::uint32_t number) {
    if (slots_.empty()) return;
    std::size_t hole = home(hash);
    while (slots_[hole].number != number) {
      if (slots_[hole].number == kNone) return;
      hole = next(hole);
    }
    --size_;
    // What follows moves up, unless that is before its home.
    for (std::size_t at = next(hole); slots_[at].number != kNone; at = next(at)) {
      const std::size_t distance = (at - slots_[at].low) & mask();
      if (distance < ((at - hole) & mask())) continue;
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole] = {};
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t low = 0;
    std::uint32_t number = kNone;
  };

  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  [[nodiscard]] std::size_t home(std::uint64_t hash) const {
    return static_cast<std::uint32_t>(hash) & mask();
  }
  [[nodiscard]] std::size_t next(std::size_t at) const { return (at + 1) & mask(); }

  void put(const Slot& slot) {
    std::size_t at = slot.low & mask();
    while (slots_[at].number != kNone) at = next(at);
    slots_[at] = slot;
  }

  void grow() {
    constexpr std::size_t kLeast = 64;
    std::vector<Slot> old(slots_.empty() ? kLeast : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number != kNone) put(slot);
    }
  }

  std::vector<Slot> slots_;  // a power of two of them
  std::size_t size_ = 0;
};

}  // namespace acceptq::evidence
