#pragma once
/// MLX's affine quantisation: `mlx_lm.convert -q`, and what `silica quantize` writes.
/// https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.quantize.html

#include "silica/checkpoint/packed.hpp"
#include "silica/checkpoint/scheme.hpp"

namespace silica::checkpoint {

/// The modules with `weight` uint32 (out, in * bits / 32), lowest first, `scales` and `biases` (out, groups):
/// w = code * scale + bias. Embeddings too. Bits and group of a module are those under its name, else those of all; the
/// number of scales goes before the group.
void find_mlx(Modules& modules, const Scheme& scheme, std::vector<PackedMatrix>& found);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/mlx_modules.ipp"
#endif
