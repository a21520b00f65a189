// main() of a fuzz target that replays what is known, without a fuzzer: each file of the folders in
// argv once. A folder that does not exist has no inputs. One that crashes is the last one named.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>

#include "base/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  int replayed = 0;
  for (int i = 1; i < argc; ++i) {
    std::error_code absent;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i], absent)) {
      if (!entry.is_regular_file()) continue;
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout);
      const acceptq::Result<std::string> input = acceptq::read_file(entry.path());
      if (!input) {
        std::fprintf(stderr, "%s\n", input.error().message().c_str());
        return 1;
      }
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input->data()), input->size());
      ++replayed;
    }
  }
  std::printf("%d inputs replayed\n", replayed);
  return 0;
}
