#pragma once
/// Tables of rotary position embeddings. Su et al. 2021; the scalings as in transformers' modeling_rope_utils.py.

#include "silica/core/compiled.hpp"
#include "silica/core/tensor.hpp"
#include "silica/nn/rope_parameters.hpp"

#include <utility>

namespace silica::nn {

/// cos and sin of position times frequency: (positions, d / 2) float32 on the host.
struct RopeTable {
    Tensor cos, sin;
};

/// Turns positions into angles: position p turns pair i of a head by p theta^(-2 i / d), or by what a scaling makes of
/// that frequency.
class Rope {
public:
    /// `d` is the size of a head; parameters come from `rope_of`, checked.
    Rope(RopeParameters parameters, std::int64_t d, std::int64_t max_positions)
        : p_(std::move(parameters)), d_(d), max_positions_(max_positions) {}

    /// Texts with the same key have the same table: dynamic and longrope make it depend on how long a text is.
    [[nodiscard]] std::int64_t key(std::int64_t length) const;
    /// Whether all texts share one table.
    [[nodiscard]] bool fixed() const { return p_.type() != RopeType::dynamic && p_.type() != RopeType::longrope; }

    /// Rows for positions 0 to `positions` - 1, in a text of `length` tokens.
    [[nodiscard]] RopeTable table(std::int64_t positions, std::int64_t length) const;

private:
    /// theta^(2 i / d), (d / 2) float32.
    [[nodiscard]] Tensor powers(double theta) const;

    [[nodiscard]] Tensor frequencies(std::int64_t length) const;

    /// NTK scaling that grows with the text: theta (factor length / max - (factor - 1))^(d / (d - 2)), in float32.
    [[nodiscard]] double stretched_theta(std::int64_t length) const;

    /// Peng et al. 2023, section 3.2: slow pairs are interpolated, fast ones kept, a ramp between.
    [[nodiscard]] Tensor yarn(Tensor f) const;

    /// LLaMA 3.1: wavelengths above original / low are stretched, below original / high kept, a blend between.
    [[nodiscard]] Tensor llama3(Tensor f) const;

    /// What cos and sin are multiplied by: above 1 where a scaling makes attention flatter.
    [[nodiscard]] double attention_scale() const;

    RopeParameters p_;
    std::int64_t d_, max_positions_;
};

}  // namespace silica::nn

#ifndef SILICA_COMPILED
#include "silica/nn/rope.ipp"
#endif
