// A server's process.
#pragma once

#include "facts/process.h"

namespace acceptq::remedy {

inline facts::Process process(const char* comm, const char* exe = nullptr) {
  facts::Process p;
  p.pid = Pid(3985);
  p.comm = comm;
  if (exe != nullptr) p.exe = exe;
  return p;
}

}  // namespace acceptq::remedy
