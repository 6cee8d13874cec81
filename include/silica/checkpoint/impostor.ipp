#pragma once
/// Definitions of impostor.hpp.

#include "silica/checkpoint/impostor.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/impostor.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace silica::checkpoint {

SILICA_INLINE void refuse_impostor(const File& file) {
    const auto found = impostor(file.read_text(0, std::min<std::uint64_t>(file.size(), impostor_bytes)));
    if (!found) return;
    std::string problem = file.path().string();
    problem.append(" is ").append(found->what).append(", not the file itself.");
    throw CheckpointError(std::move(problem), std::string(found->remedy));
}

}  // namespace silica::checkpoint
