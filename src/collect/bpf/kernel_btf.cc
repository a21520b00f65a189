#include "collect/bpf/kernel_btf.h"

#include <algorithm>

#include "collect/bpf/libbpf_log.h"

namespace acceptq::collect::bpf {

Btf kernel_btf() {
  const LibbpfLog quiet;
  return Btf(btf__load_vmlinux_btf());
}

std::vector<std::uint32_t> enumerators(const btf* types, std::span<const std::string_view> names) {
  std::vector<std::uint32_t> found(names.size());
  for (__u32 id = 1; id < btf__type_cnt(types); ++id) {
    const btf_type* type = btf__type_by_id(types, id);
    if (!btf_is_enum(type)) continue;
    const struct btf_enum* values = btf_enum(type);
    for (__u32 i = 0; i < btf_vlen(type); ++i) {
      const auto name = std::ranges::find(names, btf__name_by_offset(types, values[i].name_off));
      if (name == names.end()) continue;
      found[static_cast<std::size_t>(name - names.begin())] =
          static_cast<std::uint32_t>(values[i].val);
    }
  }
  return found;
}

int arguments_of_tracepoint(const btf* types, const std::string& tracepoint) {
  const int id =
      btf__find_by_name_kind(types, ("btf_trace_" + tracepoint).c_str(), BTF_KIND_TYPEDEF);
  if (id <= 0) return -1;
  // A typedef of a pointer to a function whose first argument is not the tracepoint's.
  const btf_type* pointer =
      btf__type_by_id(types, btf__type_by_id(types, static_cast<__u32>(id))->type);
  const btf_type* proto = pointer != nullptr ? btf__type_by_id(types, pointer->type) : nullptr;
  return proto != nullptr && btf_is_func_proto(proto) ? static_cast<int>(btf_vlen(proto)) - 1 : -1;
}

}  // namespace acceptq::collect::bpf
