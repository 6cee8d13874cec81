#pragma once
/// Masks and biases out of what attention was told.

#include "silica/op/attends.hpp"

#include <cstdint>
#include <limits>

namespace silica::op {
namespace detail {

/// What was made so far for these sizes on this device.
SILICA_INLINE Attends::Made& made_for(const Attends& a, std::int64_t queries, std::int64_t keys, c10::Device device) {
    const auto same = [](const std::optional<Tensor>& x, const std::optional<Tensor>& y) {
        return x.has_value() == y.has_value() && (!x || x->is_same(*y));
    };
    const auto* m = a.made.get();
    if (m == nullptr || m->queries != queries || m->keys != keys || m->device != device || !same(m->of_mask, a.mask) ||
        !same(m->of_bias, a.bias) || !same(m->of_lengths, a.lengths) || m->of_offset != a.offset ||
        m->of_window != a.window)
        a.made = std::make_shared<Attends::Made>(
            Attends::Made{queries, keys, device, a.mask, a.bias, a.lengths, a.offset, a.window});
    return *a.made;
}

/// `bias`, or zeros, where `shown`; -infinity elsewhere.
SILICA_INLINE std::optional<Tensor> hidden_by(const std::optional<Tensor>& shown, const std::optional<Tensor>& bias,
                                              c10::ScalarType type) {
    if (!shown) return bias ? std::optional(bias->to(type)) : std::nullopt;
    const auto options = shown->options().dtype(type);
    const Tensor never = at::full({}, -std::numeric_limits<double>::infinity(), options);
    return at::where(*shown, bias ? bias->to(type) : at::zeros({}, options), never);
}

}  // namespace detail

SILICA_INLINE std::optional<Tensor> Attends::shown(std::int64_t queries, std::int64_t keys, c10::Device device) const {
    const bool later = hides_later(keys), earlier = hides_earlier(queries);
    if (!later && !earlier && !lengths) return mask;
    auto& made_here = detail::made_for(*this, queries, keys, device);
    if (made_here.shown) return made_here.shown;
    const auto integers = at::TensorOptions().dtype(c10::ScalarType::Long).device(device);
    const Tensor key = at::arange(keys, integers).view({1, 1, 1, keys});
    std::optional<Tensor> all = mask;
    const auto also = [&](const Tensor& m) { all = all ? *all & m : m; };
    if (later || earlier) {
        const Tensor query = at::arange(*offset, *offset + queries, integers).view({1, 1, queries, 1});
        if (later) also(key <= query);
        if (earlier) also(key > query - *window);
    }
    if (lengths) also(key < lengths->to(device).view({-1, 1, 1, 1}));
    return made_here.shown = all;
}

SILICA_INLINE std::optional<Tensor> Attends::added(std::int64_t queries, std::int64_t keys, const Tensor& like) const {
    const auto where = shown(queries, keys, like.device());
    if (!where && (!bias || bias->scalar_type() == like.scalar_type())) return bias;
    auto& all = detail::made_for(*this, queries, keys, like.device()).added;
    if (!all || all->scalar_type() != like.scalar_type()) all = detail::hidden_by(where, bias, like.scalar_type());
    return all;
}

SILICA_INLINE std::optional<Tensor> Attends::masked_bias() const {
    if (!mask && (!bias || bias->scalar_type() == c10::ScalarType::Float)) return bias;
    const Tensor& any = mask ? *mask : *bias;
    auto& both = detail::made_for(*this, made ? made->queries : 0, made ? made->keys : 0, any.device()).masked_bias;
    if (!both) both = detail::hidden_by(mask, bias, c10::ScalarType::Float);
    return both;
}

}  // namespace silica::op
