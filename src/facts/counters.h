// The kernel's counters of one network namespace, by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace acceptq::facts {

// A name that is kept once for the whole process, and never let go: hundreds of namespaces have the
// same 200 names. Thread-safe.
class CounterName {
 public:
  explicit CounterName(std::string_view name);
  // NOLINTNEXTLINE(google-explicit-constructor): it is one
  operator std::string_view() const { return *name_; }
  [[nodiscard]] const std::string& str() const { return *name_; }
  friend bool operator==(CounterName a, CounterName b) { return a.name_ == b.name_; }

 private:
  const std::string* name_;
};

// A map whose entries lie side by side, by name: 16 bytes each, and cheap to copy.
class Counters {
 public:
  using Entry = std::pair<CounterName, std::uint64_t>;
  using const_iterator = std::vector<Entry>::const_iterator;

  Counters() = default;
  Counters(std::initializer_list<std::pair<std::string_view, std::uint64_t>> entries);
  // Each name once; sorted here.
  explicit Counters(std::vector<Entry> entries);

  // O(log n).
  [[nodiscard]] const_iterator find(std::string_view name) const;
  [[nodiscard]] bool contains(std::string_view name) const { return find(name) != end(); }
  // Throws std::out_of_range where it is not there.
  [[nodiscard]] std::uint64_t at(std::string_view name) const;
  // Adds it, as 0, where it is not there: O(n) then.
  std::uint64_t& operator[](std::string_view name);

  [[nodiscard]] const_iterator begin() const { return entries_.begin(); }
  [[nodiscard]] const_iterator end() const { return entries_.end(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  void clear() { entries_.clear(); }

  friend bool operator==(const Counters&, const Counters&) = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace acceptq::facts
