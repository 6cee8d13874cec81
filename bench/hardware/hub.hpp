#pragma once
/// The hub cache as it lies on disk (https://huggingface.co/docs/hub/local-cache), and what in it is broken.

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace silica::bench::hardware {

/// Repositories are named "org/name".
struct HubFacts {
    std::string directory;
    bool exists = false, readable = false;  ///< readable: a directory whose entries can be listed
    std::size_t models = 0;
    std::vector<std::string> no_snapshot;   ///< a ref names a snapshot that is not there
    std::vector<std::string> broken_links;  ///< a file of a snapshot leads to nothing
    std::vector<std::string> incomplete;    ///< a download was cut short
};

/// Reads directories and refs, no weights.
[[nodiscard]] HubFacts hub_facts(const std::filesystem::path& cache);

}  // namespace silica::bench::hardware
