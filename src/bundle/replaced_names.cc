#include "bundle/replaced_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "facts/workload.h"

namespace acceptq::bundle {
namespace {

using facts::IpAddress;

// Folders that every system has (file-hierarchy(7)), and groups that every container runtime makes.
constexpr std::string_view kUsual[] = {"bin",
                                       "boot",
                                       "dev",
                                       "etc",
                                       "home",
                                       "lib",
                                       "lib64",
                                       "local",
                                       "media",
                                       "mnt",
                                       "opt",
                                       "proc",
                                       "root",
                                       "run",
                                       "sbin",
                                       "share",
                                       "srv",
                                       "sys",
                                       "tmp",
                                       "usr",
                                       "var",
                                       "netns",
                                       "docker",
                                       "kubelet",
                                       "cache",
                                       "log",
                                       "data",
                                       "www",
                                       "kubepods",
                                       "burstable",
                                       "besteffort",
                                       "guaranteed",
                                       "pods",
                                       "volumes",
                                       "fs",
                                       "cgroup",
                                       "system.slice",
                                       "user.slice",
                                       "init.scope",
                                       "kubepods.slice",
                                       "kubepods-burstable.slice",
                                       "kubepods-besteffort.slice",
                                       ".",
                                       ".."};

constexpr std::size_t kMostExtension = 8;

// ".png", ".service": behind the last dot, where it is short and not all of it.
std::string_view extension_of(std::string_view component) {
  const std::size_t dot = component.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || component.size() - dot > kMostExtension)
    return {};
  const std::string_view extension = component.substr(dot);
  return extension.find_first_of("0123456789") == extension.npos ? extension : std::string_view();
}

std::array<std::uint8_t, 6> network_of(const IpAddress& address) {
  std::array<std::uint8_t, 6> network{};
  const std::size_t size = address.is_v6() ? 6 : 3;
  std::copy_n(address.bytes().begin(), size, network.begin());
  if (!address.is_v6()) network[5] = 1;  // no /48 looks like it
  return network;
}

bool ends_word(char c) { return c == ' ' || c == '\n' || c == '\t' || c == ',' || c == ';'; }

}  // namespace

IpAddress ReplacedNames::address(const IpAddress& address) {
  const IpAddress plain = address.unmapped();
  if (plain.is_unspecified() || plain.is_loopback()) return address;
  const std::array<std::uint8_t, 6> network = network_of(plain);
  const std::uint32_t n = networks_.try_emplace(network, networks_.size() + 1).first->second;
  auto [host, is_new] = hosts_.try_emplace(plain, 0);
  if (is_new) host->second = hosts_of_[network]++;
  const std::uint32_t h = host->second;
  if (plain.is_v6()) {
    // 2001:db8::/32 is for documentation (RFC 3849).
    std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    bytes[4] = static_cast<std::uint8_t>(n >> 8U);
    bytes[5] = static_cast<std::uint8_t>(n);
    for (std::size_t i = 0; i < 4; ++i) bytes[15 - i] = static_cast<std::uint8_t>(h >> (8 * i));
    return IpAddress::v6(bytes);
  }
  std::array<std::uint8_t, 4> bytes{10, static_cast<std::uint8_t>(n >> 8U),
                                    static_cast<std::uint8_t>(n), static_cast<std::uint8_t>(h)};
  const IpAddress v4 = IpAddress::v4(bytes);
  return address.is_v6() ? *IpAddress::parse("::ffff:" + v4.to_string()) : v4;
}

std::string ReplacedNames::name(const std::string& name, std::string_view prefix) {
  if (name.empty()) return name;
  auto& names = names_[std::string(prefix)];
  const auto found = names.find(name);
  if (found != names.end()) return found->second;
  return names[name] = fmt::format("{}-{}", prefix, names.size() + 1);
}

std::string ReplacedNames::component(std::string_view component) {
  const bool is_usual =
      component.empty() || std::ranges::find(kUsual, component) != std::end(kUsual);
  if (is_usual) return std::string(component);
  return name(std::string(component), "name") + std::string(extension_of(component));
}

std::string ReplacedNames::path(std::string_view path) {
  std::string replaced;
  const std::vector<std::string_view> components = split(path, '/');
  // Programs are known by their names.
  const bool is_program =
      path.starts_with("/usr/") || path.starts_with("/bin/") || path.starts_with("/sbin/");
  for (std::size_t i = 0; i < components.size(); ++i) {
    if (i > 0) replaced += '/';
    const bool is_last = i + 1 == components.size();
    replaced += is_program && is_last ? std::string(components[i]) : component(components[i]);
  }
  return replaced;
}

std::string ReplacedNames::mount_source(std::string_view source) {
  const std::size_t colon = source.find(":/");
  if (colon == std::string_view::npos) {
    return source.find('/') != source.npos ? path(source) : std::string(source);
  }
  std::string_view host = source.substr(0, colon);
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (brackets) host = host.substr(1, host.size() - 2);
  const std::optional<IpAddress> known = IpAddress::parse(host);
  const std::string server = known ? address(*known).to_string() : name(std::string(host), "host");
  return (brackets ? "[" + server + "]" : server) + ":" + path(source.substr(colon + 1));
}

std::string ReplacedNames::container_id(const std::string& id) {
  if (id.empty()) return id;
  const std::string numbered = name(id, "container-id");
  const auto number = parse_int<std::uint64_t>(std::string_view(numbered).substr(13)).value_or(0);
  return fmt::format("{:0<{}}", fmt::format("{:012x}", number + 0xc000'0000'0000), id.size())
      .substr(0, id.size());
}

std::string ReplacedNames::pod_name(const std::string& pod) {
  const auto workload = facts::workload_of({.ns = {}, .name = pod, .uid = {}});
  if (!workload) return name(pod, "pod");
  // Still a name such as its controller gives.
  const std::string of = name(workload->name, "workload");
  const std::string end = pod.substr(pod.rfind('-') + 1);
  if (workload->kind == "StatefulSet") return of + "-" + end;
  return of + pod.substr(workload->name.size());
}

std::string ReplacedNames::uuid(const std::string& uuid) {
  if (uuid.empty()) return uuid;
  const std::string numbered = name(uuid, "uid");
  const auto number = parse_int<std::uint64_t>(std::string_view(numbered).substr(4)).value_or(0);
  return fmt::format("00000000-0000-4000-8000-{:012x}", number);
}

std::string ReplacedNames::word(std::string_view word) {
  if (word.starts_with('/')) return path(word);
  if (const auto known = IpAddress::parse(word)) return address(*known).to_string();
  for (const auto& [prefix, names] : names_) {
    const auto found = names.find(std::string(word));
    if (found != names.end()) return found->second;
  }
  return std::string(word);
}

std::string ReplacedNames::text(std::string_view text) {
  std::string replaced;
  while (!text.empty()) {
    const auto end = std::ranges::find_if(text, ends_word);
    const auto size = static_cast<std::size_t>(end - text.begin());
    std::string_view part = text.substr(0, size);
    std::string_view behind;
    while (part.ends_with(':') || part.ends_with('.') || part.ends_with(')')) {
      behind = text.substr(part.size() - 1, behind.size() + 1);
      part.remove_suffix(1);
    }
    if (part.starts_with('(')) {
      replaced += '(';
      part.remove_prefix(1);
    }
    replaced += word(part);
    replaced += behind;
    if (size < text.size()) replaced += text[size];
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return replaced;
}

}  // namespace acceptq::bundle
