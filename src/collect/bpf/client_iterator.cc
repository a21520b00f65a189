#include "collect/bpf/client_iterator.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <clients.skel.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <utility>

#include "collect/bpf/clients_wire.h"
#include "collect/bpf/iterator_read.h"
#include "collect/bpf/kernel_btf.h"
#include "collect/bpf/libbpf_log.h"
#include "collect/bpf/link.h"
#include "collect/bpf/load_failure.h"

namespace acceptq::collect::bpf {
namespace {

struct DestroySkeleton {
  void operator()(clients* skeleton) const { clients__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<clients, DestroySkeleton>;

Error why_not(int err, const LibbpfLog& log) {
  const Btf types = kernel_btf();
  return explain_load_failure(examine_load_failure(err, log.text(), types.get()));
}

}  // namespace

Result<ClientsSeen> find_clients(const std::set<std::uint16_t>& ports, bool with_unix) {
  const LibbpfLog log;
  const Skeleton skeleton(clients__open_and_load());
  if (!skeleton) return fail(why_not(errno, log));
  skeleton->bss->with_unix = with_unix ? 1 : 0;
  std::size_t chosen = 0;
  for (const __u32 port : ports) {
    if (chosen++ >= AQ_CLIENT_PORTS) break;
    constexpr __u8 kThere = 1;
    const int map = bpf_map__fd(skeleton->maps.ports);
    if (const int err = bpf_map_update_elem(map, &port, &kThere, BPF_ANY); err != 0) {
      return fail_errno(-err, "cannot tell the BPF client iterator its ports");
    }
  }
  const Link link(bpf_program__attach_iter(skeleton->progs.find_clients, nullptr));
  if (!link) return fail(why_not(errno, log));
  std::vector<std::byte> bytes;
  if (const Status read = read_iterator(link.get(), "the BPF client iterator", bytes); !read) {
    return fail(read.error());
  }
  if (skeleton->bss->unreadable != 0) {
    return fail(ErrorCode::kPermission,
                "the BPF client iterator may not read the kernel's memory (kernel lockdown, mode "
                "confidentiality)");
  }
  Result<std::vector<ClientSeen>> clients = parse_client_records(bytes);
  if (!clients) return fail(std::move(clients.error()));
  return ClientsSeen{.clients = std::move(*clients), .left_out = skeleton->bss->left_out};
}

}  // namespace acceptq::collect::bpf
