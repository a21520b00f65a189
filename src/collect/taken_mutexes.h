// Which threads wait for a mutex that another has, rather than for work: by the value that a futex
// is waited at, which tells for the C libraries and Rust. Nothing of a process's memory is read.
// Pure.
#pragma once

#include <span>

#include "collect/thread_look.h"

namespace acceptq::collect {

// Sets `contended` of each wait in futex(): false is perhaps.
void mark_taken_mutexes(std::span<ThreadLook> threads);

}  // namespace acceptq::collect
