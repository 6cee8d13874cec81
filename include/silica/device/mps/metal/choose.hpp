#pragma once
/// A token from scores by own Metal kernels (choose.metal.hpp): the most likely, or one drawn.

#include "silica/core/compiled.hpp"
#include "silica/device/mps/metal/own.hpp"
#include "silica/device/mps/metal/rows.hpp"

namespace silica::device::mps::metal {

/// Whether the kernels serve for scores (rows, n): of `argmax` and of `draw`.
[[nodiscard]] Serves argmax_serves(const Tensor& scores);
[[nodiscard]] Serves draw_serves(const Tensor& scores);

/// op::Argmax. `argmax_serves` has said yes.
[[nodiscard]] Tensor argmax(const Tensor& scores);

/// op::Draw. `draw_serves` has said yes.
[[nodiscard]] Tensor draw(const Tensor& scores, const Tensor& uniform, double temperature);

}  // namespace silica::device::mps::metal

#ifndef SILICA_COMPILED
#include "silica/device/mps/metal/choose.ipp"
#endif
