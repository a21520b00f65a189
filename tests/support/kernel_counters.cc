#include "support/kernel_counters.h"

#include <utility>

#include "collect/procfs/counters.h"

namespace acceptq::test {

facts::Counters counters_of(const TestNetns& ns) {
  facts::Counters counters;
  ns.run([&] {
    auto read = collect::procfs::CounterParser().read("/proc/thread-self/net");
    if (read) counters = std::move(*read);
  });
  return counters;
}

}  // namespace acceptq::test
