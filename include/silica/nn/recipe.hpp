#pragma once
/// Recipes: how places of a checkpoint become what a kernel packs. A place holds it as it is, or several are joined; a
/// norm is folded into the matrix before it, a length and a direction are multiplied (nn/conv.hpp).

#include "silica/checkpoint/weights.hpp"
#include "silica/core/allocate.hpp"
#include "silica/nn/coded_rows.hpp"
#include "silica/nn/place.hpp"
#include "silica/prepared.hpp"

#include <optional>
#include <type_traits>
#include <vector>

namespace silica::nn {
namespace detail {

template <class Op, class E>
op::Plain plain_rows(const std::vector<MatrixPart>& parts, std::int64_t in) {
    std::int64_t rows = 0;
    bool biased = false;
    for (const auto& part : parts) {
        part.place.require("weight", {part.out, in});
        rows += part.out, biased = biased || part.biased();
    }
    if (parts.size() == 1) {
        std::optional<Tensor> bias;
        if (biased) bias = take<Op, E>(parts[0].place, "bias", {rows});
        return {take<Op, E>(parts[0].place, "weight", {rows, in}), std::move(bias)};
    }
    const Tensor weight = allocate({rows, in}, E::precision::compute, device_of<Op, E>(parts.at(0).place));
    std::optional<Tensor> bias;
    if (biased) bias = at::zeros({rows}, weight.options());
    std::int64_t row = 0;
    for (const auto& part : parts) {  // one after another: the peak is the whole and one part
        const auto out = part.out;
        weight.narrow(0, row, out).copy_(take<Op, E>(part.place, "weight", {out, in}));
        if (part.biased()) bias->narrow(0, row, out).copy_(take<Op, E>(part.place, "bias", {out}));
        row += out;
    }
    return {weight, std::move(bias)};
}

}  // namespace detail

/// `weight` (out, in) and `bias` (out) at each place, one after another; a part that lacks its bias counts as zeros. On
/// the device of `Op`'s kernel, in the compute type or as codes.
template <class Op, class E>
typename Prepared<Op, E>::Source joined_rows(const std::vector<MatrixPart>& parts, std::int64_t in) {
    if constexpr (!std::is_same_v<typename Prepared<Op, E>::Source, op::Plain>) {
        return coded_rows(parts, in, E::precision::compute, device_of<Op, E>(parts.at(0).place));
    } else {
        return detail::plain_rows<Op, E>(parts, in);
    }
}

}  // namespace silica::nn
