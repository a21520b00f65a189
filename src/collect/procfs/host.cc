#include "collect/procfs/host.h"

#include "base/file.h"
#include "base/text.h"

namespace acceptq::collect::procfs {
namespace {

Result<std::string> read_word(const std::string& path) {
  constexpr std::size_t kMaxWord = 4096;
  const Result<std::string> text = read_file(path, kMaxWord);
  if (!text) return fail(text.error());
  return std::string(trim(*text));
}

}  // namespace

Result<facts::Host> read_host(const std::string& proc_root) {
  const std::string dir = proc_root + "/sys/kernel/";
  Result<std::string> name = read_word(dir + "hostname");
  if (!name) return fail(std::move(name).error());
  Result<std::string> release = read_word(dir + "osrelease");
  if (!release) return fail(std::move(release).error());
  return facts::Host{std::move(*name), std::move(*release),
                     read_word(dir + "random/boot_id").value_or("")};
}

}  // namespace acceptq::collect::procfs
