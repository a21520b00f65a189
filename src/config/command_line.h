// Options on a command line. Pure.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace acceptq::config {

// The values that options of these names are given, in order: of "--name" by '=' or as the next
// word, of "-n" as the next word or in the same one. The first word is the program.
[[nodiscard]] std::vector<std::string> option_values(const std::vector<std::string>& arguments,
                                                     std::initializer_list<std::string_view> names);

// The last of them, which wins.
[[nodiscard]] std::optional<std::string> option_value(
    const std::vector<std::string>& arguments, std::initializer_list<std::string_view> names);

}  // namespace acceptq::config
