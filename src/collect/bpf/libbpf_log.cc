#include "collect/bpf/libbpf_log.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <mutex>

namespace acceptq::collect::bpf {
namespace {

constexpr std::size_t kKept = std::size_t{16} << 10;

thread_local LibbpfLog* innermost = nullptr;

}  // namespace

void LibbpfLog::install() {
  static std::once_flag once;
  std::call_once(once, [] {
    libbpf_set_print([](libbpf_print_level level, const char* format, va_list arguments) {
      if (level != LIBBPF_WARN || innermost == nullptr) return 0;
      va_list measured;
      va_copy(measured, arguments);
      const int size = std::vsnprintf(nullptr, 0, format, measured);
      va_end(measured);
      if (size <= 0) return 0;
      std::string line(static_cast<std::size_t>(size) + 1, '\0');
      std::vsnprintf(line.data(), line.size(), format, arguments);
      innermost->append(line.data(), line.size() - 1);
      return size;
    });
  });
}

LibbpfLog::LibbpfLog() : outer_(innermost) {
  install();
  innermost = this;
}

LibbpfLog::~LibbpfLog() { innermost = outer_; }

void LibbpfLog::append(const char* bytes, std::size_t size) {
  text_.append(bytes, size);
  if (text_.size() > kKept) text_.erase(0, text_.size() - kKept);
}

}  // namespace acceptq::collect::bpf
