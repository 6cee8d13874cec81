#pragma once
/// Files that stand where weights should be and are something else.

#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/origin.hpp"
#include "silica/core/error.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

namespace silica::checkpoint {

/// Throws a CheckpointError when `file` is a Git LFS pointer or a web page.
inline void refuse_impostor(const File& file) {
    const auto start = file.read_text(0, std::min<std::uint64_t>(file.size(), 24));
    if (start.starts_with("version https://git-lfs"))
        throw CheckpointError(file.path().string() + " is a Git LFS pointer, not the file of weights itself.",
                              "Run `git lfs pull` in " + file.path().parent_path().string() + ".");
    if (start.starts_with("<!DO") || start.starts_with("<!do") || start.starts_with("<htm") ||
        start.starts_with("<HTM"))
        throw CheckpointError(file.path().string() + " is a web page, not a file of weights.",
                              fetch_again(file.path()));
}

}  // namespace silica::checkpoint
