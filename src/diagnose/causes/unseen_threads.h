// Which threads of a process decide how fast it accepts, where none was seen to. Pure.
#pragma once

#include "diagnose/causes/unseen.h"
#include "facts/listener.h"

namespace acceptq::diagnose {

// Of a process with at least one thread.
[[nodiscard]] Unseen unseen_threads(const Threads& all, const facts::Listener& listener,
                                    const Clues& clues);

}  // namespace acceptq::diagnose
