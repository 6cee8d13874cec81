#pragma once
/// Rotary position embedding: y = x cos + rotate_half(x) sin, where rotate_half maps (a, b) to (-b, a).
/// Su et al. 2021, equation 34, with the halves paired as in transformers' apply_rotary_pos_emb.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

#include <cstdint>

namespace silica::op {

/// x (batch, heads, tokens, d), cos and sin (batch or 1, tokens, d / 2) in the type of x -> (batch, heads, tokens, d).
/// Both halves of d turn by the same angles.
struct Rotary {
    static constexpr std::string_view name = "rotary";
    using signature = Tensor(const Tensor& x, const Tensor& cos, const Tensor& sin);
    static void check(const Tensor& x, const Tensor& cos, const Tensor& sin) {
        law(x.dim() == 4 && x.size(3) % 2 == 0 && computes(x.scalar_type()) && cos.sizes() == sin.sizes() &&
                turns(cos, x.size(0), x.size(2), x.size(3), x.scalar_type()) &&
                turns(sin, x.size(0), x.size(2), x.size(3), x.scalar_type()),
            name, "x (batch, heads, tokens, d), cos and sin (batch or 1, tokens, d / 2) of one type", x, cos, sin);
    }
    /// Whether `t` holds the angles of `tokens` tokens in heads of `d`.
    static bool turns(const Tensor& t, std::int64_t batch, std::int64_t tokens, std::int64_t d, c10::ScalarType type) {
        return t.dim() == 3 && (t.size(0) == 1 || t.size(0) == batch) && t.size(1) == tokens && t.size(2) == d / 2 &&
               t.scalar_type() == type;
    }
};
static_assert(OpTag<Rotary>);

}  // namespace silica::op
