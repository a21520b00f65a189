#include "facts/counters.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <stdexcept>

namespace acceptq::facts {
namespace {

const std::string* kept_once(std::string_view name) {
  static std::mutex mutex;
  // Never destroyed: names are held by what may outlive it.
  static auto& names = *new std::set<std::string, std::less<>>;
  const std::lock_guard lock(mutex);
  const auto known = names.find(name);
  return &*(known != names.end() ? known : names.emplace(name).first);
}

std::string_view name_of(const Counters::Entry& entry) { return entry.first; }

}  // namespace

CounterName::CounterName(std::string_view name) : name_(kept_once(name)) {}

Counters::Counters(std::initializer_list<std::pair<std::string_view, std::uint64_t>> entries) {
  for (const auto& [name, value] : entries) (*this)[name] = value;
}

Counters::Counters(std::vector<Entry> entries) : entries_(std::move(entries)) {
  if (!std::ranges::is_sorted(entries_, {}, name_of)) std::ranges::sort(entries_, {}, name_of);
}

Counters::const_iterator Counters::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(entries_, name, {}, name_of);
  return at != entries_.end() && name_of(*at) == name ? at : entries_.end();
}

std::uint64_t Counters::at(std::string_view name) const {
  const auto found = find(name);
  if (found == end()) throw std::out_of_range("no counter " + std::string(name));
  return found->second;
}

std::uint64_t& Counters::operator[](std::string_view name) {
  auto at = std::ranges::lower_bound(entries_, name, {}, name_of);
  if (at == entries_.end() || name_of(*at) != name) at = entries_.emplace(at, CounterName(name), 0);
  return at->second;
}

}  // namespace acceptq::facts
