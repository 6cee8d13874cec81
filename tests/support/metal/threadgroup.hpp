#pragma once
/// A threadgroup of Metal on one thread of the host: its threads are fibers, barriers and simd operations switch
/// between them, and what Metal leaves undefined is an error.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>

namespace silica::test::metal {

/// Threads of a group that wait at different places for each other: undefined behaviour in Metal.
struct Divergence : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Lanes of a simdgroup; Apple's GPUs have 32. Tests set another number to see that it shows.
inline unsigned lanes = 32;

/// Whether the first simdgroup goes ahead; else the last. Each hides some missing barriers.
inline bool ascending = false;

/// The thread that runs: its number in the group.
unsigned self();

/// Waits for all threads of the group. `line` is the place, and the same for all.
void barrier(int line);

/// Gives `value` to the simdgroup, waits for it, and returns what all its lanes gave: `lanes` values of 8 bytes.
const std::uint64_t* exchange(std::uint64_t value, int line);

/// Runs `thread` for each of `count` threads of one group, a simdgroup as far as it can before the next.
/// Before it, the memory of the group (`threadgroup` variables) is filled with NaN. Throws Divergence.
void run_group(unsigned count, const std::function<void()>& thread);

}  // namespace silica::test::metal
