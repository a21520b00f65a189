// The judges: each looks at one listener in trouble and says whether one kind of cause is at work.
// docs/architecture.md says how to add one. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "diagnose/causes/accept_time.h"
#include "diagnose/listener_state.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

// All that is known of one listener whose accept() is slow.
struct Scene {
  const facts::Observation& observation;
  const ListenerState& state;
  const AcceptTime& time;

  // Whose threads they are.
  [[nodiscard]] std::set<Pid> processes() const;
  // What holds back the process of a thread; null where it was not looked at.
  [[nodiscard]] const facts::ProcessCondition* condition(Pid pid) const;
  // Those of the processes of all threads, in their order, as far as they were looked at.
  [[nodiscard]] std::vector<const facts::ProcessCondition*> conditions() const;
};

struct JudgedCause {
  Cause cause;
  double confidence = 0;
  std::string words;            // behind the name of the program: "waits for NFS (10.0.0.9:/data)"
  std::string consequence;      // a sentence
  const char* title = nullptr;  // of the finding, where its family's says too much
};

using Judge = std::optional<JudgedCause> (*)(const Scene&);

// From this share on a cause is named beside others.
inline constexpr double kNamedFrom = 0.3;

// Whose process is held back, or has run out of what accept() needs.
[[nodiscard]] std::optional<JudgedCause> judge_stopped(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_fd_limit(const Scene& scene);
// Cores.
[[nodiscard]] std::optional<JudgedCause> judge_throttled(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_starved(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_busy(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_gc(const Scene& scene);
// Storage and memory.
[[nodiscard]] std::optional<JudgedCause> judge_fuse(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_nfs(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_block(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_reclaim(const Scene& scene);
// Others.
[[nodiscard]] std::optional<JudgedCause> judge_lock(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_pipe(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_client(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_upstream(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_sleep(const Scene& scene);
// The threads have time, and yet the queue fills.
[[nodiscard]] std::optional<JudgedCause> judge_not_accepting(const Scene& scene);
[[nodiscard]] std::optional<JudgedCause> judge_burst(const Scene& scene);

// The share of time in which the threads were ready and had no core, but for what it takes to wake.
[[nodiscard]] double share_without_core(const Scene& scene);

// Whether one of these processes may have a limit of a control group that could not be read.
[[nodiscard]] bool has_unseen_groups(const Scene& scene);

// What other threads of the same processes did with the cores, in cores.
struct Others {
  double collect = 0;   // garbage
  double nameless = 0;  // of whom it cannot be told
};
[[nodiscard]] Others computed_by_others(const Scene& scene);
// The consequence of a wait for a file, or for memory.
inline constexpr const char* kWhileStorageWaits =
    "While it waits it takes nothing from the queue: a longer queue makes clients wait longer.";
// The file, its file system and where that comes from, as far as the descriptor tells.
void add_file(const ClassTime& time, Cause& cause);
// A detail of a cause; null where it has none of that name.
[[nodiscard]] const std::string* find_detail(const Cause& cause, const char* name);

// The threads slept all the time, nothing was taken from the queue, and it is not known that they
// serve anybody: they need have nothing to do with the listener.
[[nodiscard]] bool only_sleeps(const Scene& scene);

// The processes have clients that wait for an answer, and wait for children of theirs to end: they
// have these do something for them. One that is at its limit of children has given these its
// clients.
[[nodiscard]] bool waits_for_children(const Scene& scene);

// A name server, by its port (RFC 1035, 4.2).
[[nodiscard]] bool answers_for_names(std::optional<std::uint16_t> port);

// Nothing tells whether accept() fails for want of descriptors.
[[nodiscard]] bool may_lack_descriptors(const Scene& scene);

// Null where nobody looked at who accepts.
[[nodiscard]] const facts::Acceptors* acceptors_of(const Scene& scene);

// An epoll holds the listener.
[[nodiscard]] bool is_in_epoll(const Scene& scene);

// How certain it is that it was these threads, and that they were seen often enough.
[[nodiscard]] double confidence_of(const AcceptTime& time);
// A cause that takes `what`'s share of the time; nothing where that is too little, or the time too
// short to have shares.
[[nodiscard]] std::optional<JudgedCause> cause_of_class(const Scene& scene, CauseKind kind,
                                                        WaitClass what);

}  // namespace acceptq::diagnose
