// Any bytes as an engine's HTTP reply, its body as its list of containers, and as an OCI bundle;
// and as the names of the kubelet's logs.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "collect/containers/bundle.h"
#include "collect/containers/engine_api.h"
#include "collect/containers/kubelet_logs.h"
#include "collect/containers/unix_http.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::collect::containers;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto reply = parse_http_reply(text)) {
    if (reply->body.size() > size) std::abort();
    const auto by_id = parse_engine_containers(reply->body);
    if (by_id && !by_id->empty() && !is_container_id(by_id->begin()->first)) std::abort();
  }
  (void)parse_bundle(text);
  (void)parse_pod_log_dir(text);
  const auto log = parse_container_log(text);
  if (log && !is_container_id(log->id)) std::abort();
  return 0;
}
