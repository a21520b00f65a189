#include "diagnose/causes/runtimes.h"

#include <algorithm>
#include <array>

namespace acceptq::diagnose {

bool collects_garbage(std::string_view thread_name) {
  // OpenJDK names its threads by pthread_setname_np (os::set_native_thread_name):
  // src/hotspot/share, runtime/vmThread.cpp and below gc/. .NET: src/coreclr/gc/gc.cpp.
  constexpr std::array<std::string_view, 8> kBeginnings = {
      "VM Thread",  "GC Thread#",     "G1 ",     "ZWorker#", "XWorker#",
      "Shenandoah", ".NET Server GC", ".NET BGC"};
  return std::ranges::any_of(
      kBeginnings, [&](std::string_view beginning) { return thread_name.starts_with(beginning); });
}

}  // namespace acceptq::diagnose
