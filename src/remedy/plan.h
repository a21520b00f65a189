// The whole change that one listener needs, as one: what comes first, how long its queue should be,
// every knob that keeps it from that, and each knob's forms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/change.h"
#include "facts/snapshot.h"

namespace acceptq::remedy {

// Text to copy, and where it belongs: a command that takes it, or a file.
struct Piece {
  std::string where;
  std::string text;
};

// One form of a change. Where there are pieces they stand for the remedy's content.
struct Way {
  diagnose::Remedy remedy;
  std::vector<Piece> pieces;
  // What `fix --apply` does for it, but for the limits that it then expects; empty: acceptq cannot
  // do it by itself.
  facts::Change change;
  // Of `limits`: how many descriptors the process should be allowed to have.
  std::optional<std::uint32_t> descriptors;
  // Of `cap`: how many connections, or workers, the server should allow itself.
  std::optional<std::uint32_t> connections;
};

// Something that bounds the queue below what is wanted.
struct Knob {
  std::string name;                 // "net.core.somaxconn of the pod's own network namespace"
  std::optional<std::int64_t> now;  // empty: not known
  bool by_default = false;  // `now` is what such a server usually asks for, not what was seen
  std::int64_t wanted = 0;
  bool binds = false;  // its value is the limit now
  std::vector<Way> ways;
};

struct Target {
  std::uint32_t limit = 0;
  bool given = false;  // by the user
  std::string why;
};

struct Plan {
  std::string listener;    // its key
  std::vector<Way> first;  // what a longer queue does not cure
  // Empty where nothing that was seen asks for a longer queue, or nothing is wrong; `no_change`
  // says which.
  std::optional<Target> target;
  std::string no_change;
  std::vector<Knob> knobs;         // all are needed; in the order in which to change them
  std::vector<std::string> notes;  // what it costs, and what it does not reach
  // Whether `fix --live` would give it that limit without being told to do so even so: the form
  // "live", until the server is restarted.
  bool live = false;
};

// For a listener of the report, which has its remedies; `limit` in place of what the evidence asks
// for.
[[nodiscard]] Plan plan_for(const facts::Observation& observation, const diagnose::Report& report,
                            std::size_t listener, std::optional<std::uint32_t> limit);

}  // namespace acceptq::remedy
