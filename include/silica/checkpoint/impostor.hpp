#pragma once
/// Files that stand where weights should be and are something else.

#include "silica/checkpoint/file.hpp"
#include "silica/core/error.hpp"
#include "silica/core/impostor.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

namespace silica::checkpoint {

/// Throws a CheckpointError when `file` is a Git LFS pointer or a web page.
inline void refuse_impostor(const File& file) {
    const auto found = impostor(file.read_text(0, std::min<std::uint64_t>(file.size(), impostor_bytes)));
    if (!found) return;
    std::string problem = file.path().string();
    problem.append(" is ").append(found->what).append(", not the file itself.");
    throw CheckpointError(std::move(problem), std::string(found->remedy));
}

}  // namespace silica::checkpoint
