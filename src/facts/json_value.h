// Values of a JSON tree, read strictly into facts. Private to facts.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "base/text.h"
#include "base/units.h"
#include "facts/json_tree.h"

namespace acceptq::facts::json {

// The text being read, and the first thing that is wrong with it. What is read after that is
// default values, which nobody sees.
struct Document {
  std::string_view text;
  std::optional<Error> error;

  void note(std::size_t offset, const std::string& path, const std::string& what) {
    if (error) return;
    error = Error{ErrorCode::kMalformed, 0,
                  fmt::format("{} (at {}): {}", json::describe_position(text, offset), path, what)};
  }
};

// A value as an error message shows it: short, and harmless to a terminal.
[[nodiscard]] std::string describe(const Node& node);

// A value and where it is.
class Value {
 public:
  Value(const Node& node, std::string path, Document& document)
      : node_(&node), path_(std::move(path)), document_(&document) {}

  [[nodiscard]] bool is_null() const {
    return std::holds_alternative<std::nullptr_t>(node_->value);
  }

  [[nodiscard]] bool has(const char* name) const {
    return std::holds_alternative<std::vector<Member>>(node_->value) &&
           node_->find(name) != nullptr;
  }

  [[nodiscard]] Value member(const char* name) const {
    static const Node kNull;
    const std::string path = path_ + "." + name;
    if (!std::holds_alternative<std::vector<Member>>(node_->value)) {
      wrong("an object");
      return {kNull, path, *document_};
    }
    const Node* found = node_->find(name);
    if (found == nullptr) {
      document_->note(node_->offset, path_, fmt::format("the member \"{}\" is missing", name));
      return {kNull, path, *document_};
    }
    return {*found, path, *document_};
  }

  // As member(), and null where there is none: a recording of a version that did not have it yet.
  [[nodiscard]] Value nullable(const char* name) const {
    static const Node kNull;
    if (!std::holds_alternative<std::vector<Member>>(node_->value) || has(name)) {
      return member(name);
    }
    return {kNull, path_ + "." + name, *document_};
  }

  template <std::integral T>
    requires(!std::same_as<T, bool>)
  void read(T& out) const {
    const auto* natural = std::get_if<std::uint64_t>(&node_->value);
    const auto* negative = std::get_if<std::int64_t>(&node_->value);
    if (natural != nullptr && std::in_range<T>(*natural)) {
      out = static_cast<T>(*natural);
    } else if (negative != nullptr && std::in_range<T>(*negative)) {
      out = static_cast<T>(*negative);
    } else {
      wrong(fmt::format("a whole number from {} to {}", std::numeric_limits<T>::min(),
                        std::numeric_limits<T>::max()));
    }
  }

  // How often something happened: so bounded that sums of a few counts are still numbers, though
  // nothing on a machine happens as often.
  void read_count(std::uint64_t& out) const {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 48U;
    std::uint64_t count = 0;
    read(count);
    if (count > kMost) return wrong(fmt::format("a count of at most {}", kMost));
    out = count;
  }

  void read_count(std::optional<std::uint64_t>& out) const {
    if (!is_null()) read_count(out.emplace());
  }

  void read(bool& out) const {
    const bool* flag = std::get_if<bool>(&node_->value);
    if (flag == nullptr) return wrong("true or false");
    out = *flag;
  }

  void read(double& out) const {
    if (const auto* real = std::get_if<double>(&node_->value); real != nullptr && *real >= 0) {
      out = *real;
    } else if (const auto* natural = std::get_if<std::uint64_t>(&node_->value)) {
      out = static_cast<double>(*natural);
    } else {
      wrong("a number, 0 or more");
    }
  }

  void read(std::string& out) const {
    const auto* text = std::get_if<std::string>(&node_->value);
    if (text == nullptr) return wrong("a string");
    std::optional<std::string> bytes = unescape_bytes(*text);
    if (!bytes) return wrong("a string whose backslashes are \\\\ or \\xHH");
    out = std::move(*bytes);
  }

  template <typename Tag, typename Rep>
  void read(Strong<Tag, Rep>& out) const {
    Rep value{};
    read(value);
    out = Strong<Tag, Rep>(value);
  }

  template <typename T>
  void read(std::optional<T>& out) const {
    if (is_null()) return;
    T value{};
    read(value);
    out = std::move(value);
  }

  // A number in hex, as a string: cookies do not fit into a double.
  void read_hex(std::uint64_t& out) const {
    std::string text;
    read(text);
    const auto value = parse_int<std::uint64_t>(text, 16);
    if (!value) return wrong("a number in hexadecimal, as a string");
    out = *value;
  }

  // One of `names`; gives its index.
  void read_name(std::initializer_list<const char*> names, int& out) const {
    std::string text;
    read(text);
    int index = 0;
    for (const char* name : names) {
      if (text == name) {
        out = index;
        return;
      }
      ++index;
    }
    wrong(fmt::format("one of {}", fmt::join(names, ", ")));
  }

  template <typename Visit>
  void each(const Visit& visit) const {
    const auto* items = std::get_if<std::vector<Node>>(&node_->value);
    if (items == nullptr) return wrong("an array");
    for (std::size_t i = 0; i < items->size() && !document_->error; ++i) {
      visit(Value((*items)[i], fmt::format("{}[{}]", path_, i), *document_));
    }
  }

  template <typename Visit>
  void each_member(const Visit& visit) const {
    const auto* members = std::get_if<std::vector<Member>>(&node_->value);
    if (members == nullptr) return wrong("an object");
    for (const Member& member : *members) {
      if (document_->error) return;
      visit(member.name, Value(member.node, path_ + "." + printable(member.name), *document_));
    }
  }

  void wrong(const std::string& expected) const {
    document_->note(node_->offset, path_,
                    fmt::format("expected {}, found {}", expected, describe(*node_)));
  }

 private:
  const Node* node_;
  std::string path_;
  Document* document_;
};

}  // namespace acceptq::facts::json
