#include "lab/ablate.h"

#include <array>
#include <map>
#include <string>
#include <utility>

namespace acceptq::lab {
namespace {

using facts::Observation;
using facts::ThreadWatch;
using facts::Wait;

void for_each_thread(Observation& observation, auto&& change) {
  for (auto& [key, acceptors] : observation.accept_evidence.acceptors) {
    for (ThreadWatch& thread : acceptors.threads) change(thread);
  }
}

void for_each_wait(Observation& observation, auto&& change) {
  for_each_thread(observation, [&](ThreadWatch& thread) {
    for (Wait& wait : thread.waits) change(wait);
  });
}

void for_each_blocked(Observation& observation, auto&& change) {
  for_each_thread(observation, [&](ThreadWatch& thread) {
    if (!thread.exact) return;
    for (facts::BlockedTime& blocked : thread.exact->blocked) change(blocked);
  });
}

void remove_tracing(Observation& observation) {
  observation.tracing.reset();
  observation.ledgers.clear();
  observation.dead_syns.reset();
}

void remove_name(facts::Process& process) {
  process.comm.clear();
  process.exe.reset();
  process.program.reset();
  process.language.reset();
}

void renumber(std::optional<std::uint16_t>& port) {
  if (port) port = renumbered(*port);
}

// The same under the keys of another port.
template <typename T>
void rename_keys(const std::map<std::string, std::string>& names, std::map<std::string, T>& map) {
  std::map<std::string, T> renamed;
  for (auto& [key, value] : map) {
    const auto name = names.find(key);
    renamed.emplace(name == names.end() ? key : name->second, std::move(value));
  }
  map = std::move(renamed);
}

void remove_names_and_ports(Observation& observation) {
  std::map<std::string, std::string> keys;
  for (facts::Snapshot* snapshot : {&observation.before, &observation.after}) {
    for (facts::Process& process : snapshot->processes) remove_name(process);
    for (facts::Listener& listener : snapshot->listeners) {
      if (listener.protocol != facts::Protocol::kTcp) continue;
      const std::string key = facts::listener_key(listener);
      listener.port = renumbered(listener.port);
      keys[key] = facts::listener_key(listener);
    }
    snapshot->translations.clear();
    facts::normalize(*snapshot);
  }
  rename_keys(keys, observation.samples);
  rename_keys(keys, observation.timeline);
  rename_keys(keys, observation.accept_evidence.acceptors);
  rename_keys(keys, observation.accept_evidence.clients);
  for (auto& [key, clients] : observation.accept_evidence.clients) {
    for (facts::LocalClient& client : clients) client.comm.clear();
  }
  for (auto& [key, acceptors] : observation.accept_evidence.acceptors) {
    for (facts::HeldConnections& held : acceptors.held) renumber(held.peer_port);
  }
  for (facts::Ledger& ledger : observation.ledgers) ledger.port = renumbered(ledger.port);
  if (observation.dead_syns) {
    for (facts::DeadSyn& syn : *observation.dead_syns) syn.port = renumbered(syn.port);
  }
  for_each_thread(observation, [](ThreadWatch& thread) { thread.comm.clear(); });
  for_each_wait(observation, [](Wait& wait) {
    if (!wait.target) return;
    renumber(wait.target->local_port);
    renumber(wait.target->peer_port);
  });
  for (facts::FuseConnection& fuse : observation.accept_evidence.fuse) fuse.daemon_comm.reset();
  for (facts::PipeReader& reader : observation.accept_evidence.pipe_readers) reader.comm.clear();
}

void remove_stacks(Observation& observation) {
  for_each_wait(observation, [](Wait& wait) { wait.stack.clear(); });
  for_each_blocked(observation, [](facts::BlockedTime& blocked) { blocked.stack.clear(); });
}

// What poll(), select() and epolls wait for.
bool is_seen_in_wait_queues(const Wait& wait) {
  return facts::is_polling(wait) || (facts::waits_by_epoll(wait) && facts::is_about_socket(wait));
}

// Of calls that have a descriptor.
void remove_files(Observation& observation) {
  for_each_wait(observation, [](Wait& wait) {
    if (is_seen_in_wait_queues(wait)) return;
    wait.fd.reset();
    wait.target.reset();
  });
  observation.accept_evidence.pipe_readers.clear();
}

void remove_locks(Observation& observation) {
  for_each_wait(observation, [](Wait& wait) {
    wait.lock.reset();
    wait.contended.reset();
    if (!facts::is_polling(wait)) wait.timed.reset();
  });
}

// Descriptor and lock are arguments of the call.
void remove_calls(Observation& observation) {
  for_each_wait(observation, [](Wait& wait) {
    wait.syscall.reset();
    wait.fd.reset();
    wait.target.reset();
  });
  for_each_blocked(observation, [](facts::BlockedTime& blocked) { blocked.syscall.reset(); });
  remove_locks(observation);
}

void remove_counted_times(Observation& observation) {
  for_each_thread(observation, [](ThreadWatch& thread) {
    thread.exact.reset();
    thread.closed.reset();
  });
}

void remove_closes(Observation& observation) {
  for_each_thread(observation, [](ThreadWatch& thread) { thread.closed.reset(); });
}

void remove_times(Observation& observation) {
  for_each_thread(observation, [](ThreadWatch& thread) {
    thread.times.user_ns.reset();
    thread.times.system_ns.reset();
  });
  remove_counted_times(observation);
}

void remove_delays(Observation& observation) {
  for_each_thread(observation, [](ThreadWatch& thread) { thread.times.delay_ns.reset(); });
  remove_counted_times(observation);
}

void remove_switches(Observation& observation) {
  for_each_thread(observation, [](ThreadWatch& thread) {
    thread.times.voluntary.reset();
    thread.times.involuntary.reset();
  });
}

// What a thread's own call says of it stays.
void remove_wait_queues(Observation& observation) {
  for (auto& [key, acceptors] : observation.accept_evidence.acceptors) {
    acceptors.queue_looks = acceptors.waited_for = acceptors.in_epoll = 0;
    acceptors.held.clear();
  }
  for_each_thread(observation, [](ThreadWatch& thread) {
    if (thread.link != facts::AcceptLink::kAccept) thread.link = facts::AcceptLink::kOwner;
  });
  for_each_wait(observation, [](Wait& wait) {
    if (is_seen_in_wait_queues(wait)) wait.target.reset();
    wait.polled.reset();
  });
}

void remove_cgroups(Observation& observation) {
  for (facts::ProcessCondition& process : observation.accept_evidence.processes) {
    process.frozen_group.reset();
    process.cpu_groups.clear();
    process.cpu_groups_seen = false;
    process.memory_groups.clear();
  }
}

void remove_conditions(Observation& observation) {
  for (facts::ProcessCondition& process : observation.accept_evidence.processes) {
    process.tracer.reset();
    process.dumping_core.reset();
  }
  for (facts::Process& process : observation.after.processes) {
    process.open_files.reset();
    process.open_files_limit.reset();
  }
}

void remove_mounts(Observation& observation) {
  observation.accept_evidence.fuse.clear();
  observation.accept_evidence.nfs.clear();
  observation.accept_evidence.disks.clear();
}

constexpr std::array<Signal, 15> kSignals = {{
    {"tracing", remove_tracing},
    {"names, ports", remove_names_and_ports},
    {"stacks", remove_stacks},
    {"system calls", remove_calls},
    {"descriptors", remove_files},
    {"locks", remove_locks},
    {"counted times", remove_counted_times},
    {"closed by whom", remove_closes},
    {"CPU times", remove_times},
    {"run delays", remove_delays},
    {"switches", remove_switches},
    {"wait queues", remove_wait_queues},
    {"control groups", remove_cgroups},
    {"process limits", remove_conditions},
    {"mounts", remove_mounts},
}};

}  // namespace

std::span<const Signal> signals() { return kSignals; }

std::uint16_t renumbered(std::uint16_t port) {
  constexpr std::uint16_t kOther = 0x2000;
  return port ^ kOther;
}

std::uint16_t port_without(const Signal& signal, std::uint16_t port) {
  return signal.remove == remove_names_and_ports ? renumbered(port) : port;
}

}  // namespace acceptq::lab
