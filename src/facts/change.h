// A change that lasts: what `fix --apply` does to this host, step by step. `remedy` and the
// server's configuration make it, `apply` executes it, and its journal keeps it. docs/formats.md
// describes the journal's form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "facts/address.h"
#include "facts/author.h"

namespace acceptq::facts {

inline constexpr const char* kChangeSchema = "acceptq.change/1";

// A sysctl of one network namespace.
struct SysctlStep {
  NetnsId netns;
  std::string name;  // dotted
  std::int64_t value = 0;
  std::optional<std::int64_t> before;  // where it was changed

  friend bool operator==(const SysctlStep&, const SysctlStep&) = default;
};

// Which file: its device (st_dev) and inode.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

// The whole text of a file.
struct FileStep {
  std::string path;                      // links resolved
  std::optional<std::string> before;     // empty: the file is new
  std::optional<FileIdentity> identity;  // of what `before` was read from
  std::string after;

  friend bool operator==(const FileStep&, const FileStep&) = default;
};

// A process that is to read its configuration again, or whose configuration is to be checked alone.
struct ReloadStep {
  Pid pid;
  std::uint64_t start_ticks = 0;  // with the PID, the process
  std::string name;               // its comm
  std::int32_t signal = 0;        // 0: none, it reads its files when it is started
  // The command that finds faults in its files first, run as the process's user; may be empty.
  std::vector<std::string> check;

  friend bool operator==(const ReloadStep&, const ReloadStep&) = default;
};

// A listener and the limit that it has when all is done; without `limit`, once its server has been
// restarted.
struct ExpectedLimit {
  NetnsId netns;
  IpAddress address;
  std::uint16_t port = 0;
  std::optional<std::uint32_t> before;
  std::optional<std::uint32_t> limit;

  friend bool operator==(const ExpectedLimit&, const ExpectedLimit&) = default;
};

// Executed in this order; taken back in the opposite one.
struct Change {
  std::vector<SysctlStep> sysctls;
  std::vector<FileStep> files;
  std::vector<ReloadStep> reloads;
  std::vector<ExpectedLimit> limits;

  // Whether a process is told, and so may call listen() again.
  [[nodiscard]] bool signals() const;
  [[nodiscard]] bool empty() const { return sysctls.empty() && files.empty() && reloads.empty(); }
  // Adds the steps of another that are not in it yet. Of two for one file, the second begins where
  // the first ends; of one sysctl, the larger value counts.
  void add(const Change& other);

  friend bool operator==(const Change&, const Change&) = default;
};

// What the journal keeps, one folder for each.
struct KeptChange {
  std::string id;  // the name of its folder: "20261126T154533Z-4711", when and by which process
  std::string boot_id;
  Change change;
  bool done = false;  // false: begun, and never heard of again
  std::int64_t realtime_ns = 0;
  Author author;
  std::string why;

  friend bool operator==(const KeptChange&, const KeptChange&) = default;
};

[[nodiscard]] std::string to_json(const KeptChange& kept);
// kMalformed with the place, as observation_from_json().
[[nodiscard]] Result<KeptChange> change_from_json(std::string_view text);

}  // namespace acceptq::facts
