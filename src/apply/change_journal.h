// What `fix --apply` has changed: LIB_ROOT/acceptq/changes, one folder for each change, which
// outlives a reboot as the change does.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "facts/change.h"

namespace acceptq::apply {

inline constexpr const char* kLibRoot = "/var/lib";

class ChangeJournal {
 public:
  // Makes the folder, for the caller alone. Fails where it cannot be made, or is somebody else's.
  [[nodiscard]] static Result<ChangeJournal> Open(const std::string& lib_root = kLibRoot);

  // In place of what was kept of it; beside it, the files as they were, to copy.
  [[nodiscard]] Status keep(const facts::KeptChange& kept) const;
  [[nodiscard]] Status forget(const facts::KeptChange& kept) const;
  [[nodiscard]] std::string folder_of(const facts::KeptChange& kept) const;

 private:
  explicit ChangeJournal(std::string folder) : folder_(std::move(folder)) {}

  std::string folder_;
};

struct KeptChanges {
  std::vector<facts::KeptChange> changes;  // the oldest first
  std::vector<Error> errors;               // what could not be read, or is none of ours
};

// Empty where nothing was ever changed. Only a folder that root or the caller owns is believed.
[[nodiscard]] KeptChanges read_changes(const std::string& lib_root = kLibRoot);

}  // namespace acceptq::apply
