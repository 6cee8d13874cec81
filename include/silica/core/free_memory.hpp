#pragma once
/// How much memory of the host can still be had, from the operating system. No LibTorch.

#include <cstdint>
#include <filesystem>

namespace silica {

/// Bytes; 0 where the system does not tell.
struct FreeMemory {
    std::uint64_t free = 0;   ///< what a program can take without pushing another out
    std::uint64_t total = 0;  ///< of the machine, or what this process may have of it
    bool limited = false;     ///< a control group of this process has less than the machine
};

/// Linux: MemAvailable, and the least of what the control groups of this process (version 1 or 2, all above it too)
/// leave, in which pages of files that were not used lately count as free. `root` is where proc and sys are. macOS:
/// free, inactive, speculative and purgeable pages. SILICA_FREE_MB in the environment, a whole number, is the most that
/// counts as free: for planning for a smaller machine.
[[nodiscard]] FreeMemory free_memory(const std::filesystem::path& root = "/");

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/core/free_memory.ipp"
#endif
