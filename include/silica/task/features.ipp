#pragma once
/// Definitions of features.hpp.

#include "silica/core/compiled.hpp"
#include "silica/task/features.hpp"
#include "silica/task/tensor_over.hpp"

#include <cstdint>
#include <utility>

namespace silica::task {

SILICA_INLINE FeatureTensors tensors_of(audio::Features features) {
    detail::require_rank(features.name.c_str(), features.shape, 2);
    detail::require_count(features.name.c_str(), features.values.size(), features.shape);
    const auto batch = features.shape.front();
    FeatureTensors made{.name = std::move(features.name),
                        .features = detail::tensor_over(std::move(features.values), features.shape)};
    if (features.mask) {
        const auto last = features.shape.back();
        detail::require_count("attention_mask", features.mask->size(), {batch, last});
        made.attention_mask = detail::tensor_over(std::move(*features.mask), {batch, last});
    }
    if (features.is_longer) {
        detail::require_count("is_longer", features.is_longer->size(), {batch, 1});
        made.is_longer = detail::tensor_over(std::move(*features.is_longer), {batch, 1}, c10::ScalarType::Bool);
    }
    return made;
}

}  // namespace silica::task
