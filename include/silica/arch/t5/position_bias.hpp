#pragma once
/// T5's relative positions: a learned number for each head and each bucket of distances, added to the scores. Raffel et
/// al. 2020, section 2.1.

#include "silica/arch/t5/config.hpp"
#include "silica/core/limits.hpp"
#include "silica/nn/place.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace silica::arch {

/// The bucket of `relative` = position of the key - position of the query. Half of the buckets are for single
/// distances, the others grow with the logarithm up to `max_distance`; all beyond fall in the last. In both directions,
/// keys after the query have buckets of their own; else they count as distance 0. In float32, as transformers computes
/// it.
inline std::int64_t t5_bucket(std::int64_t relative, bool both_directions, std::int64_t buckets,
                              std::int64_t max_distance) {
    if (both_directions) buckets /= 2;
    const std::int64_t first = both_directions && relative > 0 ? buckets : 0;
    const std::int64_t distance = both_directions ? std::abs(relative) : std::max<std::int64_t>(-relative, 0);
    const std::int64_t exact = buckets / 2;
    if (distance < exact) return first + distance;
    const auto growth = static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
    const float steps = std::log(static_cast<float>(distance) / static_cast<float>(exact)) / growth *
                        static_cast<float>(buckets - exact);
    return first + std::min(exact + static_cast<std::int64_t>(steps), buckets - 1);
}

/// What each head adds to the score of a key for a query: b[bucket(key - query)], by distance.
template <class E>
class T5PositionBias {
public:
    T5PositionBias(const T5Config& c, const Weights& w, bool both_directions)  // block.0.layer.0.SelfAttention
        : farthest_(c.relative_attention_max_distance), last_(both_directions ? farthest_ : 0) {
        const auto buckets = c.relative_attention_num_buckets;
        const Tensor ids = at::empty({farthest_ + last_ + 1}, at::TensorOptions().dtype(c10::ScalarType::Long));
        for (std::int64_t i = 0; i < ids.numel(); ++i)
            ids.mutable_data_ptr<std::int64_t>()[i] = t5_bucket(i - farthest_, both_directions, buckets, farthest_);
        const Tensor bias = nn::take_home<E>(w, "relative_attention_bias.weight", {buckets, c.num_heads});
        by_distance_ = nn::picked(bias, 0, ids.to(bias.device())).t().contiguous();
    }

    /// For relative positions (n) int64 on the device -> (heads, n).
    Tensor operator()(const Tensor& relative) const {
        if (relative.is_meta()) return at::empty({by_distance_.size(0), relative.numel()}, by_distance_.options());
        const auto ids = relative.options();
        const Tensor near = at::where(relative < -farthest_, at::full({}, -farthest_, ids), relative);
        return by_distance_.index_select(1, at::where(near > last_, at::full({}, last_, ids), near) + farthest_);
    }

    /// For `queries` positions from `first` on and the keys 0 to `keys` - 1 -> (1, heads, queries, keys).
    Tensor operator()(std::int64_t first, std::int64_t queries, std::int64_t keys) const {
        return (*this)(relative(first, queries, keys).view({-1})).view({1, -1, queries, keys});
    }

    /// Position of the key - position of the query, (queries, keys) int64 on the device.
    [[nodiscard]] Tensor relative(std::int64_t first, std::int64_t queries, std::int64_t keys) const {
        const auto ids = by_distance_.options().dtype(c10::ScalarType::Long);
        return at::arange(keys, ids) - at::arange(first, first + queries, ids).unsqueeze(1);
    }

private:
    std::int64_t farthest_, last_;  // beyond these distances, to the left and to the right, nothing changes
    Tensor by_distance_;            // (heads, farthest_ + 1 + last_)
};

/// `bias` where `attend` (bool, broadcasts) is true, elsewhere the least number there is: a query that may attend to
/// nothing attends to all alike, as in transformers.
template <class E>
Tensor t5_masked(const Tensor& bias, const Tensor& attend) {
    return at::where(attend, bias, at::full({}, least_of(E::precision::compute), bias.options()));
}

}  // namespace silica::arch
