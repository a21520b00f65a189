#include "collect/containers/engine_api.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "collect/containers/unix_http.h"

namespace acceptq::collect::containers {
namespace {

constexpr std::size_t kMaxReply = std::size_t{16} << 20;  // some 2 KiB a container

std::optional<std::string> text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get_ref<const std::string&>();
}

std::optional<std::string> first_name(const nlohmann::json& container) {
  const auto names = container.find("Names");
  if (names == container.end() || !names->is_array() || names->empty()) return std::nullopt;
  const nlohmann::json& first = names->front();
  if (!first.is_string()) return std::nullopt;
  const std::string& name = first.get_ref<const std::string&>();
  return name.starts_with('/') ? name.substr(1) : name;
}

}  // namespace

Result<NamesById> parse_engine_containers(std::string_view json) {
  const nlohmann::json containers = nlohmann::json::parse(json, nullptr, false);
  if (!containers.is_array()) return fail(ErrorCode::kMalformed, "not a JSON array");
  NamesById by_id;
  for (const nlohmann::json& container : containers) {
    if (!container.is_object()) continue;
    const std::optional<std::string> id = text_of(container, "Id");
    if (!id || !is_container_id(*id)) continue;
    ContainerNames names;
    names.name = first_name(container);
    const auto labels = container.find("Labels");
    if (labels != container.end() && labels->is_object()) {
      names.pod.name = text_of(*labels, "io.kubernetes.pod.name");
      names.pod.ns = text_of(*labels, "io.kubernetes.pod.namespace");
      names.pod.uid = text_of(*labels, "io.kubernetes.pod.uid");
      if (auto name = text_of(*labels, "io.kubernetes.container.name"))
        names.name = std::move(name);
    }
    by_id.emplace(*id, std::move(names));
  }
  return by_id;
}

Engine docker_engine(const std::string& run_root) { return {"docker", run_root + "/docker.sock"}; }

Engine podman_engine(const std::string& run_root) {
  return {"podman", run_root + "/podman/podman.sock"};
}

Result<NamesById> list_engine_containers(const Engine& engine, std::int64_t deadline_ns) {
  const Result<HttpReply> reply =
      unix_http_get(engine.socket_path, "/containers/json", deadline_ns, kMaxReply);
  if (!reply) {
    if (reply.error().code == ErrorCode::kNotFound) return NamesById{};
    return fail(reply.error());
  }
  if (reply->status != 200) {
    return fail(
        ErrorCode::kUnsupported,
        engine.socket_path + " answers GET /containers/json with " + std::to_string(reply->status));
  }
  Result<NamesById> by_id = parse_engine_containers(reply->body);
  if (!by_id) {
    by_id.error().context.insert(0, engine.socket_path + ": ");
    return by_id;
  }
  for (auto& [id, names] : *by_id) names.runtime = engine.runtime;
  return by_id;
}

}  // namespace acceptq::collect::containers
