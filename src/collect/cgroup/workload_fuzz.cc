// Any bytes as /proc/PID/cgroup: no crash, and every id found has the length that ids have.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "collect/cgroup/workload.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::collect::cgroup;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string path(text);
  if (const auto memberships = parse_cgroup(text)) path = placing_path(*memberships);
  const Workload workload = workload_of(path);
  if (workload.container && workload.container->id.size() != 64) std::abort();
  if (workload.container && workload.is_infrastructure) std::abort();
  if (workload.pod_uid && workload.pod_uid->size() != 36 && workload.pod_uid->size() != 32) {
    std::abort();
  }
  return 0;
}
