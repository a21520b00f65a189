#include "bundle/redact.h"

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "bundle/packet_file.h"
#include "bundle/replaced_names.h"

namespace acceptq::bundle {
namespace {

using facts::Observation;
using facts::Snapshot;

template <typename T, typename Replace>
void replace_in(std::optional<T>& value, const Replace& replace) {
  if (value) value = replace(*value);
}

// Goes through all that an observation holds. A listener's key holds its address, so keys are made
// anew, and what goes by them follows.
class Redaction {
 public:
  void apply(Observation& observation) {
    for (Snapshot* snapshot : {&observation.before, &observation.after}) apply(*snapshot);
    for (facts::Ledger& ledger : observation.ledgers) apply(ledger);
    if (observation.dead_syns) {
      for (facts::DeadSyn& dead : *observation.dead_syns) dead.address = to_.address(dead.address);
    }
    apply(observation.accept_evidence);
    rename(observation.samples);
    rename(observation.timeline);
    rename(observation.accept_evidence.acceptors);
    rename(observation.accept_evidence.clients);
    // Last: what they say is made of the other names.
    for (Snapshot* snapshot : {&observation.before, &observation.after}) {
      for (facts::BlindSpot& spot : snapshot->blind_spots) apply(spot);
      facts::normalize(*snapshot);
    }
  }

  void apply(facts::PacketHeaders& packet) { redact(packet, to_); }

 private:
  std::string path(const std::string& path) { return to_.path(path); }

  void apply(Snapshot& snapshot) {
    snapshot.host.name = to_.name(snapshot.host.name, "host");
    snapshot.host.boot_id = to_.uuid(snapshot.host.boot_id);
    for (facts::Namespace& ns : snapshot.namespaces) ns.mount_path = path(ns.mount_path);
    for (facts::Process& process : snapshot.processes) apply(process);
    for (facts::Listener& listener : snapshot.listeners) {
      const std::string key = facts::listener_key(listener);
      listener.address = to_.address(listener.address);
      const bool is_abstract = listener.path.starts_with('@');
      listener.path = is_abstract ? "@" + path(listener.path.substr(1)) : path(listener.path);
      keys_[key] = facts::listener_key(listener);
    }
    for (facts::Translation& translation : snapshot.translations) {
      translation.address = to_.address(translation.address);
      translation.to_address = to_.address(translation.to_address);
    }
  }

  void apply(facts::Process& process) {
    const auto as_path = [&](const std::string& text) { return path(text); };
    replace_in(process.exe, as_path);
    replace_in(process.cgroup, as_path);
    // A module, or a file.
    const bool is_file =
        process.program && process.program->find_first_of("./") != std::string::npos;
    if (is_file) process.program = path(*process.program);
    if (process.container) {
      process.container->id = to_.container_id(process.container->id);
      replace_in(process.container->name,
                 [&](const std::string& name) { return to_.name(name, "container"); });
    }
    if (!process.pod) return;
    replace_in(process.pod->ns,
               [&](const std::string& name) { return to_.name(name, "namespace"); });
    replace_in(process.pod->name, [&](const std::string& name) { return to_.pod_name(name); });
    replace_in(process.pod->uid, [&](const std::string& uid) { return to_.uuid(uid); });
  }

  void apply(facts::Ledger& ledger) {
    ledger.address = to_.address(ledger.address);
    for (auto* clients : {&ledger.clients, &ledger.prefixes}) {
      for (facts::RefusedClient& client : *clients) client.address = to_.address(client.address);
    }
  }

  void apply(facts::FileTarget& target) {
    const auto as_address = [&](const facts::IpAddress& address) { return to_.address(address); };
    replace_in(target.path, [&](const std::string& text) { return path(text); });
    replace_in(target.source, [&](const std::string& text) { return to_.mount_source(text); });
    replace_in(target.local, as_address);
    replace_in(target.peer, as_address);
  }

  void apply(facts::AcceptEvidence& evidence) {
    const auto as_path = [&](const std::string& text) { return path(text); };
    for (auto& [key, acceptors] : evidence.acceptors) {
      for (facts::HeldConnections& held : acceptors.held) {
        replace_in(held.peer, [&](const facts::IpAddress& peer) { return to_.address(peer); });
      }
      for (facts::ThreadWatch& thread : acceptors.threads) {
        for (facts::Wait& wait : thread.waits) {
          if (wait.target) apply(*wait.target);
        }
      }
    }
    for (facts::ProcessCondition& process : evidence.processes) {
      replace_in(process.frozen_group, as_path);
      for (facts::CpuGroup& group : process.cpu_groups) group.path = path(group.path);
      for (facts::MemoryGroup& group : process.memory_groups) group.path = path(group.path);
    }
    for (facts::FuseConnection& fuse : evidence.fuse) replace_in(fuse.mountpoint, as_path);
    for (facts::NfsMount& mount : evidence.nfs) {
      mount.source = to_.mount_source(mount.source);
      mount.mountpoint = path(mount.mountpoint);
    }
    for (auto& [key, clients] : evidence.clients) {
      for (facts::LocalClient& client : clients) client.address = to_.address(client.address);
    }
    for (facts::Disk& disk : evidence.disks) {
      replace_in(disk.mapper, [&](const std::string& name) { return to_.name(name, "volume"); });
      for (facts::DiskMount& mount : disk.mounts) mount.mountpoint = path(mount.mountpoint);
    }
  }

  void apply(facts::BlindSpot& spot) {
    const auto key = keys_.find(spot.scope);
    spot.scope = key != keys_.end() ? key->second : to_.text(spot.scope);
    spot.reason = to_.text(spot.reason);
    spot.cost = to_.text(spot.cost);
  }

  // What has no listener here any more goes by no name that could be told from another.
  template <typename T>
  void rename(std::map<std::string, T>& by_key) {
    std::map<std::string, T> renamed;
    for (auto& [key, value] : by_key) {
      const auto found = keys_.find(key);
      if (found != keys_.end()) renamed.insert_or_assign(found->second, std::move(value));
    }
    by_key = std::move(renamed);
  }

  ReplacedNames to_;
  std::map<std::string, std::string> keys_;
};

}  // namespace

Observation redacted(Observation observation, std::span<facts::PacketHeaders> packets) {
  Redaction redaction;
  redaction.apply(observation);
  for (facts::PacketHeaders& packet : packets) redaction.apply(packet);
  return observation;
}

}  // namespace acceptq::bundle
