#pragma once
/// The account of a load: what was taken from a checkpoint and what was not.

#include <cstdint>
#include <string>
#include <vector>

namespace silica {

/// Names are canonical (the family's), unless they are unexpected: then as in the file.
struct LoadingAccount {
    std::uint64_t tensors = 0;                 ///< taken
    std::uint64_t parameters = 0;              ///< elements of the tensors taken, tied ones once
    std::uint64_t bytes = 0;                   ///< of these tensors as they are stored on the device
    std::vector<std::string> unexpected = {};  ///< in the checkpoint, not used by this architecture
    std::vector<std::string> ignored = {};     ///< known to be without use (buffers, copies of tied weights)
    std::vector<std::string> notes = {};       ///< what a loader has to say: "mapped failed: ...; streamed was used"
    std::string loader = {};                   ///< the loader that did it
    double seconds = 0;
};

}  // namespace silica
