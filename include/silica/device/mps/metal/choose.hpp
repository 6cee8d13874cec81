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

/// One of each row, drawn with the probabilities softmax(scores / temperature): the first up to which they add up to
/// more than `uniform` (rows) float32 in [0, 1), which lies on the device. -> (rows) int64. `draw_serves` has said yes.
[[nodiscard]] Tensor draw(const Tensor& scores, const Tensor& uniform, double temperature);

}  // namespace silica::device::mps::metal

#ifndef SILICA_COMPILED
#include "silica/device/mps/metal/choose.ipp"
#endif
