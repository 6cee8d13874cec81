#pragma once
/// AWQ in AutoAWQ's `gemm` layout: four-bit codes along the rows of a weight, (in, out) in the file, in an order of
/// their own. Lin et al. 2023, https://arxiv.org/abs/2306.00978.

#include "silica/checkpoint/packed.hpp"

namespace silica::checkpoint {

/// The modules with `qweight` int32 (in, out / 8), whose nibble i holds output [0, 2, 4, 6, 1, 3, 5, 7][i] of eight,
/// `qzeros` int32 (groups, out / 8), packed alike (absent: all are 8), and `scales` (groups, out):
/// w = (code - zero) * scale.
void find_awq(Modules& modules, std::vector<PackedMatrix>& found);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/awq.ipp"
#endif
