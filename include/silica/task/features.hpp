#pragma once
/// What a feature extractor made, as the tensors that a model takes.

#include "silica/core/tensor.hpp"
#include "silica/input/audio/features.hpp"

#include <optional>
#include <string>

namespace silica::task {

/// Features as inputs of a model of sounds, on the CPU.
struct FeatureTensors {
    std::string name;  ///< transformers' name of `features`: input_features or input_values
    Tensor features;   ///< (batch, mels, frames), (batch, samples) or (batch, planes, frames, mels), float32
    std::optional<Tensor> attention_mask = {};  ///< (batch, frames) or (batch, samples), int64
    std::optional<Tensor> is_longer = {};       ///< (batch, 1), bool
};

/// The tensors of `features`, whose memory they take over. InputError where its values are not as many as its shape
/// says.
[[nodiscard]] FeatureTensors tensors_of(audio::Features features);

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/features.ipp"
#endif
