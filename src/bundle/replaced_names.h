// Names, each with the one that stands for it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "facts/address.h"
#include "facts/process.h"

namespace acceptq::bundle {

class ReplacedNames {
 public:
  [[nodiscard]] facts::IpAddress address(const facts::IpAddress& address);
  // "PREFIX-1", "PREFIX-2" … in the order of their first use.
  [[nodiscard]] std::string name(const std::string& name, std::string_view prefix);
  // "/srv/images/a.png" → "/srv/name-1/name-2.png"; of a relative path likewise.
  [[nodiscard]] std::string path(std::string_view path);
  // "10.0.0.9:/data", "server:/data", "/dev/vda1": what is mounted.
  [[nodiscard]] std::string mount_source(std::string_view source);
  [[nodiscard]] std::string container_id(const std::string& id);
  [[nodiscard]] std::string pod_name(const std::string& name);
  [[nodiscard]] std::string uuid(const std::string& uuid);
  // Free text: its words that are addresses or paths, and names that were replaced before.
  [[nodiscard]] std::string text(std::string_view text);

 private:
  [[nodiscard]] std::string component(std::string_view component);
  [[nodiscard]] std::string word(std::string_view word);

  std::map<std::array<std::uint8_t, 6>, std::uint32_t> networks_;    // /24 and /48, by their bytes
  std::map<facts::IpAddress, std::uint32_t> hosts_;                  // in its network
  std::map<std::array<std::uint8_t, 6>, std::uint32_t> hosts_of_;    // of each network so far
  std::map<std::string, std::map<std::string, std::string>> names_;  // by prefix
};

}  // namespace acceptq::bundle
