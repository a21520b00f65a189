// What observations of every kind are put together from.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "facts/snapshot.h"

namespace acceptq::collect {

// Namespaces worth a visit for each sample: something waits in a queue or was refused before.
[[nodiscard]] std::vector<NetnsId> watched_namespaces(const facts::Snapshot& snapshot);

void add_sample(const facts::Listener& listener,
                std::map<std::string, facts::QueueSamples>& samples);

// Adds to the first snapshot what only the complete scan saw, with what it read a moment later: the
// alternative is to visit every namespace before the observation begins.
void complete(facts::Snapshot& before, facts::Snapshot complete);

// The second snapshot is a fast one: what the complete scan could not see stays unseen, and the
// sysctls that only it read are taken over.
void carry_over(const facts::Snapshot& before, facts::Snapshot& after);

// A socket that got its cookie during the observation has it in all of it: one key for one socket.
void agree_on_cookies(facts::Observation& observation);

// How long the observation was. Where the wall clock was set back meanwhile, the later snapshot
// stays the later one.
void measure(facts::Observation& observation);

}  // namespace acceptq::collect
