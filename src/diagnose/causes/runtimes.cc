#include "diagnose/causes/runtimes.h"

#include <algorithm>
#include <array>
#include <span>

namespace acceptq::diagnose {
namespace {

bool begins_with_any(std::string_view name, std::span<const std::string_view> beginnings) {
  return std::ranges::any_of(
      beginnings, [&](std::string_view beginning) { return name.starts_with(beginning); });
}

}  // namespace

bool collects_garbage(std::string_view thread_name) {
  // OpenJDK names its threads by pthread_setname_np (os::set_native_thread_name):
  // src/hotspot/share, runtime/vmThread.cpp and below gc/. .NET: src/coreclr/gc/gc.cpp.
  constexpr std::array<std::string_view, 8> kBeginnings = {
      "VM Thread",  "GC Thread#",     "G1 ",     "ZWorker#", "XWorker#",
      "Shenandoah", ".NET Server GC", ".NET BGC"};
  return begins_with_any(thread_name, kBeginnings);
}

bool is_of_runtime(std::string_view thread_name) {
  // OpenJDK 17 to 21: src/hotspot/share/runtime and compiler/compileBroker.cpp; of Java code,
  // java.lang.ref.Reference and Finalizer, jdk.internal.ref.CleanerFactory.
  constexpr std::array<std::string_view, 13> kBeginnings = {
      "Reference Handl", "Finalizer",       "Signal Dispatch", "Service Thread", "Monitor Deflati",
      "C1 CompilerThre", "C2 CompilerThre", "Sweeper thread",  "Common-Cleaner", "Notification Th",
      "VM Periodic Tas", "Attach Listener", "StringDedupThre"};
  return collects_garbage(thread_name) || begins_with_any(thread_name, kBeginnings);
}

std::optional<facts::Acceptors> with_parked_threads(const facts::Snapshot& snapshot,
                                                    const facts::Acceptors& acceptors) {
  const auto is_parked = [](const std::optional<std::string>& syscall) {
    return syscall && *syscall == "futex";
  };
  std::optional<facts::Acceptors> told;
  for (std::size_t i = 0; i < acceptors.threads.size(); ++i) {
    const facts::Process* process = facts::find_process(snapshot, acceptors.threads[i].pid);
    if (process == nullptr || process->language != "go") continue;
    if (!told) told = acceptors;
    facts::ThreadWatch& thread = told->threads[i];
    for (facts::Wait& wait : thread.waits) {
      if (is_parked(wait.syscall)) wait.syscall = kParked;
    }
    if (!thread.exact) continue;
    for (facts::BlockedTime& blocked : thread.exact->blocked) {
      if (is_parked(blocked.syscall)) blocked.syscall = kParked;
    }
  }
  return told;
}

}  // namespace acceptq::diagnose
