// For what must not fail in a test's own preparations.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace acceptq::test {

// Aborts the test program, saying errno's text, where `ok` is false.
inline void require(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

}  // namespace acceptq::test
