#pragma once
/// Files that stand where weights should be and are something else.

#include "silica/checkpoint/file.hpp"

namespace silica::checkpoint {

/// Throws a CheckpointError when `file` is a Git LFS pointer or a web page.
void refuse_impostor(const File& file);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/impostor.ipp"
#endif
