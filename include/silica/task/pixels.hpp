#pragma once
/// What an image processor made, as the tensors that a model takes.

#include "silica/core/tensor.hpp"
#include "silica/input/image/pixels.hpp"

#include <optional>
#include <span>

namespace silica::task {

/// Pixels as inputs of a vision model, on the CPU, under transformers' names.
struct PixelTensors {
    Tensor pixel_values;  ///< (batch, 3, height, width) or (1, frames, 3, height, width), float32 or uint8
    std::optional<Tensor> pixel_mask = {};  ///< (batch, height, width), int64: 1 where there is image, 0 where padding
};

/// The tensors of `pixels`, whose memory they take over. InputError where its values are not as many as its shape says.
[[nodiscard]] PixelTensors tensors_of(image::Pixels pixels);

/// Batches that were processed apart as one, in their order. Those with a mask may differ in height and width: zeros
/// are added on the right and below up to the largest, as the processor pads a batch. InputError where there are none,
/// or shapes or types differ otherwise.
[[nodiscard]] image::Pixels joined(std::span<const image::Pixels> parts);

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/pixels.ipp"
#endif
