#include "collect/procfs/executable.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>

#include <memory>
#include <string_view>

#include "base/unique_fd.h"

namespace acceptq::collect::procfs {
namespace {

bool has_section(Elf* elf, std::string_view wanted) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return false;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) return false;
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (name != nullptr && name == wanted) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> language_of(int dir_fd) {
  const UniqueFd file(::openat(dir_fd, "exe", O_RDONLY | O_CLOEXEC));
  if (!file.valid() || elf_version(EV_CURRENT) == EV_NONE) return std::nullopt;
  // By read and not by a mapping, which dies with SIGBUS where the file is cut meanwhile.
  const std::unique_ptr<Elf, decltype(&elf_end)> elf(elf_begin(file.get(), ELF_C_READ, nullptr),
                                                     &elf_end);
  if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF) return std::nullopt;
  return has_section(elf.get(), ".go.buildinfo") ? std::optional<std::string>("go") : std::nullopt;
}

}  // namespace acceptq::collect::procfs
