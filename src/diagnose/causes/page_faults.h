// Waits for pages of mapped files, of which no descriptor tells where they come from. Pure.
#pragma once

#include "diagnose/causes/thread_habits.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

// Below filemap_fault() (mm/filemap.c), for a page that it lets somebody read.
[[nodiscard]] bool is_page_fault(const facts::Wait& wait);

// Page faults of these threads that had to read, while they were watched.
[[nodiscard]] std::uint64_t major_faults_of(const Threads& threads);

// The disk that these were read from: the only one with a file system that has read about as often
// as there were faults. Pages may come over a network as well, which no disk does.
[[nodiscard]] const facts::Disk* disk_of_page_faults(const facts::Observation& observation,
                                                     const Threads& threads);

}  // namespace acceptq::diagnose
