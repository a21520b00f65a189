// The scenario's network namespaces, joined through a bridge in the sandbox's own namespace.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "lab/scenario.h"

namespace acceptq::lab {

class Network {
 public:
  // Makes them all, with addresses and sysctls. Must be called in the sandbox: the bridge is made
  // in the caller's namespace. Each namespace lives as long as its descriptor, or a process in it.
  [[nodiscard]] static Result<Network> create(const std::vector<NamespaceSpec>& specs);

  // Of a namespace that the scenario defines.
  [[nodiscard]] int fd(const std::string& name) const;
  [[nodiscard]] Result<NetnsId> id(const std::string& name) const;
  [[nodiscard]] Status write_sysctl(const std::string& netns, const std::string& name,
                                    const std::string& value) const;
  [[nodiscard]] Result<std::string> read_sysctl(const std::string& netns,
                                                const std::string& name) const;

 private:
  std::map<std::string, UniqueFd> namespaces_;
};

}  // namespace acceptq::lab
