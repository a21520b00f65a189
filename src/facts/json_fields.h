// Facts as JSON and back by one list of their fields: fields(archive, object), found by its
// arguments, calls archive("name", object.member) for each. Private to facts.
#pragma once

#include <concepts>
#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/units.h"
#include "facts/address.h"
#include "facts/json_value.h"

namespace acceptq::facts::json {

using Json = nlohmann::ordered_json;

class FieldWriter {
 public:
  template <typename T>
  void operator()(const char* name, const T& value) {
    object_[name] = write(value);
  }

  template <typename T>
  [[nodiscard]] static Json write(const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      return value;
    } else if constexpr (std::same_as<T, std::string>) {
      return escape_bytes(value);
    } else if constexpr (std::same_as<T, IpAddress>) {
      return value.to_string();
    } else if constexpr (requires { value.value_or(*value); }) {
      return value ? write(*value) : Json(nullptr);
    } else if constexpr (requires { typename T::mapped_type; }) {
      Json object = Json::object();
      for (const auto& [key, item] : value) object[escape_bytes(key)] = write(item);
      return object;
    } else if constexpr (requires { value.begin(); }) {
      Json array = Json::array();
      for (const auto& item : value) array.push_back(write(item));
      return array;
    } else if constexpr (requires { value.value(); }) {  // a strong unit
      return value.value();
    } else if constexpr (requires { name_of(value); }) {
      return name_of(value);
    } else {
      FieldWriter writer;
      // Lists of fields are for both directions; this one changes nothing.
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
      fields(writer, const_cast<T&>(value));
      return std::move(writer.object_);
    }
  }

 private:
  Json object_ = Json::object();
};

// What is missing where it may be null stays empty, and a missing list is an empty one.
class FieldReader {
 public:
  explicit FieldReader(const Value& value) : value_(value) {}

  template <typename T>
  void operator()(const char* name, T& out) {
    constexpr bool may_be_missing =
        requires { out.value_or(*out); } || requires { out.begin(), out.clear(); };
    if constexpr (may_be_missing && !std::same_as<T, std::string>) {
      if (const Value member = value_.nullable(name); !member.is_null()) read(member, out);
    } else {
      read(value_.member(name), out);
    }
  }

  template <typename T>
  static void read(const Value& value, T& out) {
    if constexpr (std::same_as<T, IpAddress>) {
      std::string text;
      value.read(text);
      if (const auto address = IpAddress::parse(text)) {
        out = *address;
      } else {
        value.wrong("an IPv4 or IPv6 address");
      }
    } else if constexpr (requires { value.read(out); } && !requires { out.emplace(); }) {
      value.read(out);
    } else if constexpr (requires { out.value_or(*out); }) {
      if (!value.is_null()) read(value, out.emplace());
    } else if constexpr (requires { typename T::mapped_type; }) {
      value.each_member([&](const std::string& escaped, const Value& item) {
        const std::optional<std::string> key = unescape_bytes(escaped);
        if (!key) return item.wrong("a key whose backslashes are \\\\ or \\xHH");
        read(item, out[*key]);
      });
    } else if constexpr (requires { out.emplace_back(); }) {
      value.each([&](const Value& item) { read(item, out.emplace_back()); });
    } else if constexpr (requires { read_name(value, out); }) {
      read_name(value, out);
    } else {
      FieldReader reader(value);
      fields(reader, out);
    }
  }

 private:
  const Value& value_;
};

}  // namespace acceptq::facts::json
