// What is read of a process only when its listener is in trouble.
//
// `cmdline` takes the process's mmap lock, which a page fault on dead storage holds: it is read in
// threads that can be left behind (attended.h), and nowhere else. `limits` takes the lock of the
// signal handlers and the directory `fd` none (fs/proc/base.c, proc_pid_limits; fs/proc/fd.c,
// proc_readfd_common), but its names wait for a process inside execve().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collect/procfs/process.h"
#include "facts/process.h"

namespace acceptq::collect::procfs {

// What a command line runs: of `python3 -m uvicorn app:app` "uvicorn", of `python3
// /srv/bin/serve.py` "serve.py", of `java -cp x org.apache.catalina.startup.Bootstrap start` that
// class, else the base name of the first word, up to a colon ("gunicorn: master [app]"). Nothing
// for code on the command line itself (-c, -e). Arguments are never kept: they hold passwords.
// `cmdline` is the text of /proc/PID/cmdline, words that end in NUL.
[[nodiscard]] std::optional<std::string> program_of(std::string_view cmdline);

// The soft limit of the line "Max open files" in /proc/PID/limits; nothing for "unlimited".
[[nodiscard]] std::optional<std::uint32_t> parse_open_files_limit(std::string_view limits);

// Fills in `program`, `language`, `open_files` and `open_files_limit`. Leaves them empty where they
// may not be read, or where the PID is another process's by now.
void read_owner_details(const std::string& proc_root, CommandLine command_line,
                        facts::Process& process);

}  // namespace acceptq::collect::procfs
