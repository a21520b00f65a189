#include "apply/this_author.h"

#include <unistd.h>

#include <cstdlib>

#include "base/text.h"

namespace acceptq::apply {

facts::Author this_author() {
  facts::Author author{.uid = ::getuid(), .sudo_uid = {}, .sudo_user = {}};
  // NOLINTBEGIN(concurrency-mt-unsafe): nothing here changes the environment
  if (const char* uid = std::getenv("SUDO_UID")) author.sudo_uid = parse_int<std::uint32_t>(uid);
  if (const char* user = std::getenv("SUDO_USER")) author.sudo_user = user;
  // NOLINTEND(concurrency-mt-unsafe)
  return author;
}

}  // namespace acceptq::apply
