#pragma once
/// compressed-tensors (vLLM's llm-compressor): integer weights, packed into words or a byte each.
/// https://github.com/vllm-project/compressed-tensors

#include "silica/checkpoint/packed.hpp"
#include "silica/checkpoint/scheme.hpp"

namespace silica::checkpoint {

/// `pack-quantized`: `weight_packed` int32 (out, ceil(in * bits / 32)), lowest first, codes + 2^(bits - 1);
/// `weight_shape` (2); `weight_zero_point`, packed down the rows, or int8 as it is. `int-quantized`: `weight` int8
/// (out, in) and `weight_zero_point` int8. Both: `weight_scale` (out, groups), or of one element, and `weight_g_idx`
/// int32 (in). w = (code - zero) * scale. Scales of activations and of the cache are taken, and have no effect.
void find_compressed_tensors(Modules& modules, const Scheme& scheme, std::vector<PackedMatrix>& found);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/compressed_tensors.ipp"
#endif
