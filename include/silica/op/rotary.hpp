#pragma once
/// Rotary position embedding: y = x cos + rotate_half(x) sin, where rotate_half maps (a, b) to (-b, a).
/// Su et al. 2021, equation 34, with the halves paired as in transformers' apply_rotary_pos_emb.

#include "silica/op/concept.hpp"

namespace silica::op {

/// x (batch, heads, tokens, d), cos and sin (batch or 1, tokens, d / 2) in the type of x -> (batch, heads, tokens, d).
/// Both halves of d turn by the same angles.
struct Rotary {
    static constexpr std::string_view name = "rotary";
    using signature = Tensor(const Tensor& x, const Tensor& cos, const Tensor& sin);
};
static_assert(OpTag<Rotary>);

}  // namespace silica::op
