// What an executable says of itself.
#pragma once

#include <optional>
#include <string>

namespace acceptq::collect::procfs {

// "go" for a program of Go 1.13 or newer: its linker writes a section .go.buildinfo, which strip
// leaves in place (cmd/link/internal/ld/data.go). Nothing for others, for packed executables, and
// where it may not be read. `dir_fd` is the process's directory in /proc. Reading waits for the
// file's storage: attended only.
[[nodiscard]] std::optional<std::string> language_of(int dir_fd);

}  // namespace acceptq::collect::procfs
