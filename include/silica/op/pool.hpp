#pragma once
/// One vector for a sequence: Reimers and Gurevych 2019, section 3 (mean, first token, max), and its relatives.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

#include <array>
#include <utility>

namespace silica {

/// How the vectors of a text's tokens become one. Masked tokens do not count.
enum class Pooling {
    mean,           ///< sum / n
    cls,            ///< the first token's
    max,            ///< the largest of each coordinate
    mean_sqrt_len,  ///< sum / sqrt(n)
    weighted_mean,  ///< sum of (position + 1) h / sum of (position + 1)
    last,           ///< the last token's
};

/// Names as 1_Pooling/config.json of sentence-transformers spells them after "pooling_mode_", or as its value.
inline constexpr std::array<std::pair<std::string_view, Pooling>, 12> pooling_names{{
    {"mean", Pooling::mean},
    {"mean_tokens", Pooling::mean},
    {"cls", Pooling::cls},
    {"cls_token", Pooling::cls},
    {"max", Pooling::max},
    {"max_tokens", Pooling::max},
    {"mean_sqrt_len_tokens", Pooling::mean_sqrt_len},
    {"weightedmean", Pooling::weighted_mean},
    {"weightedmean_tokens", Pooling::weighted_mean},
    {"lasttoken", Pooling::last},
    {"last", Pooling::last},
    {"mean_sqrt_len", Pooling::mean_sqrt_len},
}};
constexpr const auto& enum_names(Pooling) { return pooling_names; }

namespace op {

/// h (batch, tokens, d) and mask (batch, tokens) bool, true = counts, at least one in each row -> (batch, d) float32.
struct Pool {
    static constexpr std::string_view name = "pool";
    using signature = Tensor(const Tensor& h, const Tensor& mask, Pooling how);
    static void check(const Tensor& h, const Tensor& mask, Pooling how) {
        law(h.dim() == 3 && computes(h.scalar_type()) && mask.dim() == 2 &&
                mask.scalar_type() == c10::ScalarType::Bool && mask.size(0) == h.size(0) && mask.size(1) == h.size(1) &&
                h.size(1) > 0,
            name, "h (batch, tokens, d) and mask (batch, tokens) bool", h, mask);
        law(how >= Pooling::mean && how <= Pooling::last, name, "a kind of pooling", h);
    }
};
static_assert(OpTag<Pool>);

}  // namespace op
}  // namespace silica
