// Who is to read from pipes that threads wait to write into: by one walk of the descriptors of all
// processes, by their links.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "facts/threads.h"

namespace acceptq::collect {

// The pipes that threads wait for room in; each once. Pure.
[[nodiscard]] std::vector<facts::FileTarget> full_pipes(
    const std::map<std::string, facts::Acceptors>& acceptors);

// Those that have one of them open to read from, by inode and process. A FIFO is found where the
// process knows it by the same path. Processes that may not be read, or that hang, are left out.
[[nodiscard]] std::vector<facts::PipeReader> find_pipe_readers(
    const std::string& proc_root, std::span<const facts::FileTarget> pipes);

// Whether a descriptor with this fdinfo can be read from (fs/proc/fd.c: seq_show, `flags` in
// octal). Pure.
[[nodiscard]] bool is_open_to_read(std::string_view fdinfo);

}  // namespace acceptq::collect
