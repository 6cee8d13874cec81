#pragma once
/// GPTQ: codes along the columns of a weight, (in, out) in the file. Frantar et al. 2022,
/// https://arxiv.org/abs/2210.17323; the layout is that of AutoGPTQ and GPTQModel.

#include "silica/checkpoint/packed.hpp"
#include "silica/checkpoint/scheme.hpp"

namespace silica::checkpoint {

/// The modules with `qweight` int32 (in * bits / 32, out), lowest first along the columns of W, `qzeros` int32 (groups,
/// out * bits / 32), `scales` (groups, out) and, where there is one, `g_idx` int32 (in): w = (code - zero) * scale of
/// the column's group. Bits and groups are those of the tensors. v1 stores zero - 1, in the same bits.
void find_gptq(Modules& modules, const Scheme& scheme, std::vector<PackedMatrix>& found);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/gptq.ipp"
#endif
