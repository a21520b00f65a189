// A read-only view of a directory through FUSE, with a delay before each open and each read.
#pragma once

#include <string>

#include "base/result.h"
#include "lab/slowfs/delay.h"

namespace acceptq::lab::slowfs {

struct MountOptions {
  std::string mountpoint;
  std::string backing;  // the directory that is shown
  // Reads go to the daemon without the page cache. Without it every open empties the file's cache
  // and the first reads fill it, so that a reader waits as with a network file system: for a page,
  // uninterruptibly (state D), where a direct read waits for the request (state S).
  bool direct_io = false;
};

// Mounts, serves requests in parallel, and unmounts when SIGINT, SIGTERM or SIGHUP comes or the
// mount is taken away. `ready` is called once requests are being answered. Others than the
// mounting user may read (allow_other), which needs root or user_allow_other.
[[nodiscard]] Status serve(const MountOptions& options, Delay& delay, void (*ready)());

}  // namespace acceptq::lab::slowfs
