#include "diagnose/causes/page_faults.h"

#include "diagnose/causes/wait_class.h"

namespace acceptq::diagnose {

bool is_page_fault(const facts::Wait& wait) {
  return wait.state != "R" && !wait.target && is_below(wait, "filemap_fault");
}

std::uint64_t major_faults_of(const Threads& threads) {
  std::uint64_t faults = 0;
  for (const facts::ThreadWatch* thread : threads) faults += thread->times.major_faults.value_or(0);
  return faults;
}

const facts::Disk* disk_of_page_faults(const facts::Observation& observation,
                                       const Threads& threads) {
  constexpr std::uint64_t kFewest = 5;
  const std::uint64_t faults = major_faults_of(threads);
  const facts::Disk* only = nullptr;
  for (const facts::Disk& disk : observation.accept_evidence.disks) {
    if (faults < kFewest || disk.mounts.empty() || disk.reads.value_or(0) * 2 < faults) continue;
    if (only != nullptr) return nullptr;
    only = &disk;
  }
  return only;
}

}  // namespace acceptq::diagnose
