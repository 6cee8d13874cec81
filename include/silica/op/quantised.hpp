#pragma once
/// A matrix as kernels of quantised precisions get it to pack.

#include "silica/core/inventory.hpp"
#include "silica/op/prepared.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <cstdint>
#include <string_view>
#include <utility>

namespace silica::op {

/// What kernels of Linear under a quantised precision pack, their `Source`: codes with their scales and biases (see
/// checkpoint/quantised.hpp), on the kernel's device, or a matrix that stays plain.
struct Coded {
    Tensor weight = {};                           ///< defined: the matrix is plain
    Tensor codes = {}, scales = {}, biases = {};  ///< of a matrix (rows, columns)
    std::optional<Tensor> bias = {};              ///< (rows), in `type`
    int bits = 0;
    bool integers = false;  ///< whether inputs may be taken in 8 bits
    std::int64_t rows = 0, columns = 0, group = 0;
    c10::ScalarType type = c10::ScalarType::Undefined;  ///< of inputs, bias and results

    Coded() = default;
    /// A matrix that stays plain.
    Coded(Plain plain)  // NOLINT(google-explicit-constructor): who has a plain matrix need not know
        : weight(std::move(plain.weight)), bias(std::move(plain.bias)) {
        if (!weight.defined() || weight.dim() != 2) return;
        rows = weight.size(0), columns = weight.size(1), type = weight.scalar_type();
    }
    [[nodiscard]] bool plain() const { return weight.defined(); }
    /// Whether codes, scales and biases are of the matrix that the numbers say, as checkpoint::check wants them.
    [[nodiscard]] bool fits() const {
        if ((bits != 4 && bits != 8) || rows < 0 || columns < 1 || group < 1 || group > columns || !computes(type))
            return false;
        const std::int64_t words = columns / 32 * bits + (columns % 32 * bits + 31) / 32;
        const std::int64_t groups = (columns - 1) / group + 1;
        const auto is = [&](const Tensor& t, std::int64_t n, c10::ScalarType of) {
            return t.defined() && t.dim() == 2 && t.size(0) == rows && t.size(1) == n && t.scalar_type() == of &&
                   t.is_contiguous();
        };
        // An inventory counts scales as they are kept: in bfloat16 where that loses nothing.
        const bool small =
            Inventory::current() != nullptr && scales.defined() && scales.scalar_type() == c10::ScalarType::BFloat16;
        const auto kept = small ? c10::ScalarType::BFloat16 : c10::ScalarType::Float;
        return is(codes, words, c10::ScalarType::Int) && is(scales, groups, kept) && is(biases, groups, kept);
    }
    /// Throws InputError unless a matrix is there, its codes, scales and biases fit each other, and the bias fits it.
    void check(std::string_view op) const {
        if (plain())
            law(weight.dim() == 2 && computes(type), op, "a weight", weight);
        else
            law(fits(), op,
                "a weight in codes (rows, words) Int without gaps, of 4 or 8 bits, with scales and biases (rows, "
                "groups) Float",
                codes, scales, biases);
        law(!bias || is_vector(*bias, rows, type), op, "weights W (out, in) and b (out) of one type", weight, bias);
    }
    [[nodiscard]] WeightShape shape() const { return {{rows, columns}, type}; }
};

}  // namespace silica::op

BOOST_HANA_ADAPT_STRUCT(silica::op::Coded, weight, codes, scales, biases, bias);
