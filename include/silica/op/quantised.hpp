#pragma once
/// A matrix as kernels of quantised precisions get it to pack.

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
    /// Throws InputError unless a matrix is there and the bias fits it.
    void check(std::string_view op) const {
        law(plain() ? weight.dim() == 2 && computes(type) : codes.defined() && scales.defined() && biases.defined(), op,
            "a weight");
        law(!bias || is_vector(*bias, rows, type), op, "weights W (out, in) and b (out) of one type", weight, bias);
    }
    [[nodiscard]] WeightShape shape() const { return {{rows, columns}, type}; }
};

}  // namespace silica::op

BOOST_HANA_ADAPT_STRUCT(silica::op::Coded, weight, codes, scales, biases, bias);
