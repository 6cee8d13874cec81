#pragma once
/// The recipe of matrices that are codes: one place in the checkpoint or several, joined by rows.

#include "silica/nn/place.hpp"
#include "silica/op/quantised.hpp"
#include "silica/prepared.hpp"

#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::nn {

/// A place that gives `out` rows of a matrix. `bias`: whether the layer has one; absent: if the checkpoint has it.
struct MatrixPart {
    Weights place;
    std::int64_t out;
    std::optional<bool> bias = {};
    [[nodiscard]] bool biased() const { return bias.value_or(place.has("bias")); }
};

/// Whether the kernel of `Op` packs codes.
template <class Op, class E>
inline constexpr bool takes_codes = std::is_same_v<typename Prepared<Op, E>::Source, op::Coded>;

/// Codes for a kernel: on `device`, with that bias, for inputs of `type`.
op::Coded coded(const checkpoint::Quantised& q, std::optional<Tensor> bias, c10::ScalarType type, c10::Device device);

/// The rows of `parts` (out, in), on `device`. Each part is quantised by itself, one after another, unless the
/// checkpoint has codes; parts in `type` where it keeps one of them plain.
op::Coded coded_rows(const std::vector<MatrixPart>& parts, std::int64_t in, c10::ScalarType type, c10::Device device);

/// The matrix `weight` (out, in) at `w` with that bias, for `Op`'s kernel.
template <class Op, class E>
op::Coded coded_matrix(const Weights& w, std::int64_t out, std::int64_t in, std::optional<Tensor> bias = std::nullopt) {
    op::Coded made = coded_rows({{w, out, false}}, in, E::precision::compute, device_of<Op, E>(w));
    made.bias = std::move(bias);
    return made;
}

}  // namespace silica::nn

#ifndef SILICA_COMPILED
#include "silica/nn/coded_rows.ipp"
#endif
