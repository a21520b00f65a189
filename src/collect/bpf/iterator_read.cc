#include "collect/bpf/iterator_read.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/unique_fd.h"

namespace acceptq::collect::bpf {

Status read_iterator(const bpf_link* link, std::string_view what, std::vector<std::byte>& buffer) {
  constexpr std::size_t kChunk = std::size_t{64} << 10;
  const UniqueFd fd(bpf_iter_create(bpf_link__fd(link)));
  if (!fd.valid()) return fail_errno(errno, "cannot start " + std::string(what));
  std::size_t used = 0;
  buffer.resize(buffer.capacity());
  while (true) {
    if (buffer.size() - used < kChunk) buffer.resize(buffer.size() + kChunk * 4);
    const ssize_t n = ::read(fd.get(), buffer.data() + used, buffer.size() - used);
    // EAGAIN: a million objects without a record (MAX_ITER_OBJECTS, kernel/bpf/bpf_iter.c); the
    // next read goes on behind them.
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return fail_errno(errno, "cannot read " + std::string(what));
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
  }
  buffer.resize(used);
  return {};
}

}  // namespace acceptq::collect::bpf
