// The names that a listener and its namespace go by from one look to the next.
#pragma once

#include "agent/frame.h"
#include "facts/snapshot.h"

namespace acceptq::agent {

// Of many listeners of one snapshot, which outlives it.
class Labeller {
 public:
  explicit Labeller(const facts::Snapshot& snapshot) : snapshot_(snapshot) {}

  [[nodiscard]] Labels of(const facts::Listener& listener) const;
  // Of a namespace with no listener that would say whose it is.
  [[nodiscard]] Labels of(const facts::Namespace& ns) const;

 private:
  [[nodiscard]] std::string netns_name(NetnsId id) const;

  const facts::Snapshot& snapshot_;
};

// What a namespace has of the labels of a listener in it.
[[nodiscard]] Labels namespace_labels(const Labels& listener);

}  // namespace acceptq::agent
