// kubectl describe pod: "Name:", "Namespace:", and below "Containers:" each with its id. Read into
// the form of the API, whose reader gets it.
#include <algorithm>

#include "base/text.h"
#include "import/readers.h"
#include "import/workload.h"

namespace acceptq::imports {
namespace {

using Json = nlohmann::json;

struct Entry {
  std::size_t indent = 0;
  std::string_view name;   // before the colon
  std::string_view value;  // behind it; may be empty
};

std::optional<Entry> parse_entry(std::string_view line) {
  const std::size_t indent = line.find_first_not_of(' ');
  if (indent == std::string_view::npos) return std::nullopt;
  const std::string_view text = line.substr(indent);
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  if (colon + 1 < text.size() && text[colon + 1] != ' ') return std::nullopt;
  return Entry{indent, text.substr(0, colon), trim(text.substr(colon + 1))};
}

class Pod {
 public:
  void take(std::string_view line) {
    const auto entry = parse_entry(line);
    if (entry && entry->indent == 0) {
      section_ = entry->name;
      inner_.clear();
      if (section_ == "Name") json_["metadata"]["name"] = entry->value;
      if (section_ == "Namespace") json_["metadata"]["namespace"] = entry->value;
      if (section_ == "Status") json_["status"]["phase"] = entry->value;
      if (section_ == "IP") json_["status"]["podIP"] = entry->value;
      if (section_ == "Containers") has_containers_ = true;
    }
    // The first annotation stands on the line of its heading.
    if (section_ == "Annotations") take_annotation(line);
    if (!entry || entry->indent == 0) return;
    if (section_ == "IPs" && entry->name == "IP") {
      json_["status"]["podIPs"].push_back({{"ip", entry->value}});
    }
    if (section_ == "Containers") take_of_container(*entry);
    if (section_ == "Volumes") take_of_volume(*entry);
  }

  // Older ones have no status where it is a pod's own; what `describe` prints is running or was.
  [[nodiscard]] const Json& json() {
    json_["kind"] = "Pod";
    if (!json_.contains("status") || !json_["status"].contains("phase")) {
      json_["status"]["phase"] = "";
    }
    return json_;
  }
  [[nodiscard]] bool is_pod() const {
    return has_containers_ && json_.contains("metadata") && json_["metadata"].contains("name") &&
           json_["metadata"].contains("namespace");
  }

 private:
  // "security.alpha.kubernetes.io/unsafe-sysctls: net.core.somaxconn=8096"; with "=" of old.
  void take_annotation(std::string_view line) {
    for (const std::string_view name :
         {"security.alpha.kubernetes.io/sysctls", "security.alpha.kubernetes.io/unsafe-sysctls"}) {
      const std::size_t at = line.find(name);
      if (at == std::string_view::npos) continue;
      std::string_view value = line.substr(at + name.size());
      if (value.starts_with(':') || value.starts_with('=')) value.remove_prefix(1);
      json_["metadata"]["annotations"][std::string(name)] = trim(value);
    }
  }

  void take_of_container(const Entry& entry) {
    Json& all = json_["status"]["containerStatuses"];
    if (entry.indent == 2 && entry.value.empty()) {
      all.push_back({{"name", entry.name}});
      return;
    }
    if (!all.is_array() || all.empty()) return;
    Json& container = all.back();
    if (entry.indent == 4) inner_ = entry.name;
    if (entry.name == "Container ID" && !entry.value.empty()) {
      container["containerID"] = entry.value;
    } else if (entry.name == "Restart Count") {
      if (const auto count = parse_int<std::uint64_t>(entry.value)) {
        container["restartCount"] = *count;
      }
    } else if (entry.name == "Reason" && inner_ == "Last State") {
      container["lastState"]["terminated"]["reason"] = entry.value;
    }
  }

  void take_of_volume(const Entry& entry) {
    Json& all = json_["spec"]["volumes"];
    if (entry.indent == 2 && entry.value.empty()) {
      all.push_back({{"name", entry.name}});
      return;
    }
    if (!all.is_array() || all.empty()) return;
    Json& volume = all.back();
    if (entry.name == "Type" && entry.value.starts_with("NFS")) volume["nfs"] = Json::object();
    if (!volume.contains("nfs")) return;
    if (entry.name == "Server") volume["nfs"]["server"] = entry.value;
    if (entry.name == "Path") volume["nfs"]["path"] = entry.value;
  }

  Json json_;
  std::string section_;
  std::string inner_;  // "Last State" of a container
  bool has_containers_ = false;
};

}  // namespace

Reading read_pod_description(Lines lines, const Typed& /*typed*/) {
  if (lines.empty() || !lines[0].text.starts_with("Name: ")) return {};
  Reading reading;
  Pod pod;
  for (; reading.used < lines.size(); ++reading.used) {
    const std::string_view line = lines[reading.used].text;
    if (line.empty()) break;
    const auto entry = parse_entry(line);
    if (!line.starts_with(' ') && !entry) break;
    if (reading.used > 0 && line.starts_with("Name: ")) break;  // the next one's
    pod.take(line);
  }
  if (!pod.is_pod()) return {};
  Descriptions descriptions;
  describe_workloads(pod.json(), descriptions);
  if (!descriptions.all.empty()) reading.piece = std::move(descriptions);
  return reading;
}

}  // namespace acceptq::imports
