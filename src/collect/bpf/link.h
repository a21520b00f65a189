// What keeps a BPF program attached.
#pragma once

#include <bpf/libbpf.h>

#include <memory>

namespace acceptq::collect::bpf {

struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, DestroyLink>;

}  // namespace acceptq::collect::bpf
