#pragma once
/// Weights as codes on a GPU: as the checkpoint has them, with scale and bias of a group side by side; and back to
/// numbers by LibTorch's ops.

#include "silica/op/quantised.hpp"

#include <ATen/ops/bitwise_and.h>
#include <ATen/ops/bitwise_right_shift.h>
#include <ATen/ops/stack.h>

#include <cstdint>
#include <utility>

namespace silica::device::aten {

/// The `Packed` of kernels with codes. A matrix that stays plain has its weight in `matrix` and no codes.
struct Codes {
    op::Coded matrix = {};  ///< all but the codes, their scales and biases
    Tensor codes = {};      ///< (rows, words) int32
    Tensor scales = {};     ///< (rows, groups, 2) scale and bias, bfloat16 where that loses nothing, else float32

    [[nodiscard]] static Codes pack(op::Coded s) {
        Codes c;
        if (!s.plain()) {
            c.codes = s.codes.contiguous();
            c.scales = at::stack({s.scales, s.biases}, 2);
            const Tensor less = c.scales.to(at::kBFloat16);
            if (less.to(at::kFloat).equal(c.scales)) c.scales = less;
            s.codes = s.scales = s.biases = Tensor();
        }
        c.matrix = std::move(s);
        return c;
    }
    [[nodiscard]] op::Coded unpack() const {
        op::Coded s = matrix;
        if (s.plain()) return s;
        const Tensor both = scales.to(at::kFloat);
        s.codes = codes;
        s.scales = both.select(2, 0).contiguous();
        s.biases = both.select(2, 1).contiguous();
        return s;
    }
    [[nodiscard]] op::Plain plain() const { return {matrix.weight, matrix.bias}; }

    /// Rows [first, first + count) of W as numbers of `type`, for any group and number of columns.
    [[nodiscard]] Tensor decoded(std::int64_t first, std::int64_t count, at::ScalarType type) const {
        return numbers(matrix, codes.narrow(0, first, count), scales.narrow(0, first, count), type);
    }
    /// Codes of some rows of `m`, with their scales and biases, as numbers of `type`.
    [[nodiscard]] static Tensor numbers(const op::Coded& m, const Tensor& codes, const Tensor& scales,
                                        at::ScalarType type) {
        const Tensor shifts = at::arange(32 / m.bits, codes.options()) * m.bits;
        const Tensor each =
            at::bitwise_and(at::bitwise_right_shift(codes.unsqueeze(2), shifts), m.bits == 4 ? 15 : 255);
        const Tensor values = each.flatten(1).narrow(1, 0, m.columns).to(at::kFloat);
        const Tensor groups = at::arange(m.columns, codes.options().dtype(at::kLong)).div(m.group, "floor");
        const Tensor both = scales.to(at::kFloat).index_select(1, groups);
        return (values * both.select(2, 0) + both.select(2, 1)).to(type);
    }
};

}  // namespace silica::device::aten
