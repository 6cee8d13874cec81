#pragma once
/// What this machine said of own kernels and of the known faults of MPS, kept from run to run.

#include "silica/core/compiled.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::device::mps::metal {

/// What a kernel's check showed.
struct Verdict {
    std::string kernel;  ///< "rows TYPE=1 BITS=4 ..., groups of 64"
    std::string text;    ///< a hash of the text that was checked
    bool proven = false;
    double error = 0;    ///< the largest difference from LibTorch's ops, in units of what is allowed
    double seconds = 0;  ///< compiling and comparing
    std::string reason;  ///< why it is off; empty when it is proven
};

/// What a test of a known fault showed (faults.hpp).
struct Found {
    std::string fault;
    bool present = false;
    std::string detail;
};

/// For what machine verdicts hold: all of it must be the same.
struct Machine {
    std::string chip, system, libtorch;
    std::string simulated;  ///< by what; empty on a real device

    bool operator==(const Machine&) const = default;
    [[nodiscard]] static Machine here();
};

/// What was found on this machine, by this program and earlier ones.
struct Verdicts {
    std::vector<Verdict> kernels;
    std::vector<Found> faults;
};

/// The file of them: $SILICA_MPS_VERDICTS, else mps.json in silica/ of the user's cache directory (~/Library/Caches on
/// a Mac, else $XDG_CACHE_HOME or ~/.cache); empty where there is no such directory.
[[nodiscard]] std::filesystem::path verdicts_file();

/// What the file says of `machine`; nothing where it is not there, damaged, or another machine's.
[[nodiscard]] Verdicts read_verdicts(const std::filesystem::path& file, const Machine& machine);

/// Adds to the file, in place of what it said of the same kernels and faults. The file is written whole or not at all;
/// where it cannot be written the next program checks again.
void keep_verdicts(const std::filesystem::path& file, const Machine& machine, const Verdicts& more);

/// A hash of a text (FNV-1a, 64 bits), in hexadecimal digits.
[[nodiscard]] std::string hash_of(std::string_view text);

}  // namespace silica::device::mps::metal

#ifndef SILICA_COMPILED
#include "silica/device/mps/metal/verdicts.ipp"
#endif
