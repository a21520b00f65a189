// Who changed something, as acceptq's journals keep it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace acceptq::facts {

struct Author {
  std::uint32_t uid = 0;
  // SUDO_UID and SUDO_USER, which sudo(8) sets.
  std::optional<std::uint32_t> sudo_uid;
  std::optional<std::string> sudo_user;

  friend bool operator==(const Author&, const Author&) = default;
};

// Its members among those of what it signed (facts/json_fields.h).
void fields(auto& archive, Author& author) {
  archive("uid", author.uid);
  archive("sudo_uid", author.sudo_uid);
  archive("sudo_user", author.sudo_user);
}

}  // namespace acceptq::facts
