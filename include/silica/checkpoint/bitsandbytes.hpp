#pragma once
/// bitsandbytes: int8 by rows (Dettmers et al. 2022, https://arxiv.org/abs/2208.07339) and NF4, sixteen levels by
/// blocks (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314).

#include "silica/checkpoint/packed.hpp"
#include "silica/checkpoint/scheme.hpp"

namespace silica::checkpoint {

/// int8: `weight` int8 (out, in) and `SCB` float32 (out): w = code * (SCB / 127).
///
/// NF4: `weight`, whose bytes hold two codes each, the first in the HIGH half, `weight.quant_map` float32 (16),
/// `weight.absmax`, a number for each block of codes, and `weight.quant_state.bitsandbytes__nf4`, JSON with the shape
/// and the size of a block: w = quant_map[code] * absmax[i / block]. Where absmax is uint8 it is quantised itself:
/// nested_quant_map[absmax] * nested_absmax[block / nested_blocksize] + nested_offset.
void find_bitsandbytes(Modules& modules, std::vector<PackedMatrix>& found);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/bitsandbytes.ipp"
#endif
