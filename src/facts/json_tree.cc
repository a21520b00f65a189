// nlohmann's parser reports events without positions. It reads through an iterator, though, and an
// iterator that tells how far it got gives them: between the end of one event and the next token
// there are only blanks, commas and colons. (After a number the parser has read one character too
// many, which is one of those or a closing bracket, so this holds there too.)
#include "facts/json_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/bytes.h"

namespace acceptq::facts::json {
namespace {

class TellingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TellingIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
  reference operator*() const { return *at_; }
  TellingIterator& operator++() {
    ++at_;
    *reached_ = at_;
    return *this;
  }
  TellingIterator operator++(int) {
    TellingIterator old = *this;
    ++*this;
    return old;
  }
  friend bool operator==(const TellingIterator& a, const TellingIterator& b) {
    return a.at_ == b.at_;
  }
  friend bool operator!=(const TellingIterator& a, const TellingIterator& b) { return !(a == b); }

 private:
  const char* at_;
  const char** reached_;
};

// The second of two members with one name; null where all names differ.
const Member* second_of_a_name(const std::vector<Member>& members) {
  std::vector<const Member*> sorted;
  sorted.reserve(members.size());
  for (const Member& member : members) sorted.push_back(&member);
  std::ranges::sort(sorted, [](const Member* a, const Member* b) {
    return std::tie(a->name, a->node.offset) < std::tie(b->name, b->node.offset);
  });
  const auto first = std::ranges::adjacent_find(
      sorted, [](const Member* a, const Member* b) { return a->name == b->name; });
  return first == sorted.end() ? nullptr : *std::next(first);
}

class TreeBuilder {
 public:
  using Sax = nlohmann::json_sax<nlohmann::json>;
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  TreeBuilder(std::string_view text, const char* const& reached, std::size_t max_values)
      : text_(text), reached_(reached), max_values_(max_values) {}

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(number_integer_t value) { return add(std::int64_t{value}); }
  bool number_unsigned(number_unsigned_t value) { return add(std::uint64_t{value}); }
  bool number_float(number_float_t value, const string_t&) { return add(value); }
  bool string(string_t& value) { return add(std::move(value)); }
  bool binary(binary_t&) { return false; }  // no such thing in JSON text
  bool start_object(std::size_t) { return open(std::vector<Member>{}); }
  bool key(string_t& name) {
    key_ = std::move(name);
    return advance();
  }
  bool end_object() {
    const auto& members = std::get<std::vector<Member>>(stack_.back()->value);
    if (const Member* twice = second_of_a_name(members)) {
      error_ = fmt::format("{}: the member \"{}\" is there twice",
                           describe_position(text_, twice->node.offset), printable(twice->name));
      return false;
    }
    return close();
  }
  bool start_array(std::size_t) { return open(std::vector<Node>{}); }
  bool end_array() { return close(); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& problem) {
    const std::size_t at = std::min(position == 0 ? 0 : position - 1, text_.size());
    const bool at_end = position > text_.size();
    // "[json.exception…] parse error at line 1, column 2: syntax error while …"
    const std::string_view what = problem.what();
    const std::size_t colon = what.find(": ");
    const std::string_view detail = colon == std::string_view::npos ? what : what.substr(colon + 2);
    error_ = fmt::format("{}: not JSON{}: {}", describe_position(text_, at),
                         at_end ? ", the text ends in the middle (truncated?)" : "", detail);
    return false;
  }

  [[nodiscard]] Node take_root() { return std::move(root_); }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  [[nodiscard]] std::size_t reached() const {
    return static_cast<std::size_t>(reached_ - text_.data());
  }
  bool advance() {
    event_end_ = reached();
    return true;
  }
  [[nodiscard]] std::size_t token_start() const {
    const std::size_t start = text_.find_first_not_of(" \t\r\n,:", event_end_);
    return start == std::string_view::npos ? text_.size() : start;
  }

  template <typename T>
  Node& place(T&& value) {
    Node node{std::forward<T>(value), token_start()};
    if (stack_.empty()) {
      root_ = std::move(node);
      return root_;
    }
    if (auto* members = std::get_if<std::vector<Member>>(&stack_.back()->value)) {
      members->push_back({std::move(key_), std::move(node)});
      return members->back().node;
    }
    auto& items = std::get<std::vector<Node>>(stack_.back()->value);
    items.push_back(std::move(node));
    return items.back();
  }
  template <typename T>
  bool add(T&& value) {
    if (!has_room()) return false;
    place(std::forward<T>(value));
    return advance();
  }
  bool has_room() {
    if (values_++ < max_values_) return true;
    error_ = fmt::format("{}: more than {} values", describe_position(text_, token_start()),
                         max_values_);
    return false;
  }
  // A parent's vector does not grow while one of its elements is open, so the pointers stay good.
  template <typename T>
  bool open(T&& container) {
    if (stack_.size() == kMaxDepth) {
      error_ = fmt::format("{}: nested deeper than {} levels",
                           describe_position(text_, token_start()), kMaxDepth);
      return false;
    }
    if (!has_room()) return false;
    stack_.push_back(&place(std::forward<T>(container)));
    return advance();
  }
  bool close() {
    stack_.pop_back();
    return advance();
  }

  std::string_view text_;
  const char* const& reached_;
  std::size_t event_end_ = 0;
  Node root_;
  std::vector<Node*> stack_;
  std::size_t max_values_;
  std::size_t values_ = 0;
  std::string key_;
  std::string error_;
};

}  // namespace

const Node* Node::find(std::string_view name) const {
  const auto* members = std::get_if<std::vector<Member>>(&value);
  if (members == nullptr) return nullptr;
  const auto it = std::ranges::find(*members, name, &Member::name);
  return it == members->end() ? nullptr : &it->node;
}

Result<Node> parse(std::string_view text, std::size_t max_values) {
  const char* reached = text.data();
  TreeBuilder builder(text, reached, max_values);
  const bool good =
      nlohmann::json::sax_parse(TellingIterator(text.data(), &reached),
                                TellingIterator(text.data() + text.size(), &reached), &builder);
  if (!good) return fail(ErrorCode::kMalformed, builder.error());
  return builder.take_root();
}

std::string describe_position(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = std::ranges::count(before, '\n') + 1;
  const std::size_t newline = before.rfind('\n');
  const std::size_t column =
      newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
  return fmt::format("line {}, column {}", line, column);
}

}  // namespace acceptq::facts::json
