// libbpf explains itself only through one print function for the whole process. Here each thread
// gets what libbpf said to it, and nothing reaches stderr.
#pragma once

#include <string>

namespace acceptq::collect::bpf {

// While it lives, keeps libbpf's warnings of this thread. The innermost of several gets them. Any
// number of threads may each have one.
class LibbpfLog {
 public:
  LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;
  ~LibbpfLog();

  // Bounded: a verifier's log can be megabytes long, and its end is what matters.
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  static void install();
  void append(const char* bytes, std::size_t size);

  std::string text_;
  LibbpfLog* outer_;
};

}  // namespace acceptq::collect::bpf
