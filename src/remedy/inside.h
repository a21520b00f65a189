// How a command is run in a listener's network namespace.
#pragma once

#include <string>

#include "facts/namespace.h"
#include "facts/process.h"

namespace acceptq::remedy {

// "nsenter -t 3985 -n ", by the owner, else by a process that lives there; empty where the command
// is run there anyway, or no way in is known. Either may be null: not known.
[[nodiscard]] std::string into_namespace(const facts::Namespace* ns, const facts::Process* owner);

}  // namespace acceptq::remedy
