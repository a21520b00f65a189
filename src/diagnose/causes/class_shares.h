// Where one thread's time went, by what it waited for. Pure.
#pragma once

#include <array>

#include "diagnose/causes/wait_class.h"
#include "facts/listener.h"
#include "facts/threads.h"

namespace acceptq::diagnose {

using ClassShares = std::array<double, kWaitClasses>;

// Its time without a gap; null where that was not counted.
[[nodiscard]] const facts::ExactTime* exact_time(const facts::ThreadWatch& thread);
// What shares are of: the time that was counted, else from the first look to the last.
[[nodiscard]] double watched_ns(const facts::ThreadWatch& thread);

// By the time that was counted, else by looks. A place where it was blocked is known by the
// kernel's functions and the system call alone; what that was about, the looks that found the
// thread at the same place tell. Of several things that it did there, each gets its part of the
// looks.
[[nodiscard]] ClassShares class_shares(const facts::ThreadWatch& thread,
                                       const facts::Listener& listener);

// The share of waiting for connections, and for what else a server without work waits for.
[[nodiscard]] double idle_share(const ClassShares& shares);
// At locks, with a timer or without.
[[nodiscard]] double lock_share(const ClassShares& shares);

}  // namespace acceptq::diagnose
