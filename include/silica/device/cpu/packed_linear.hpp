#pragma once
/// The weights of Linear on the CPU, and the product with them: what the kernels of linear and its fused forms share.

#include "silica/device/cpu/multiply.hpp"
#include "silica/device/cpu/panels.hpp"
#include "silica/op/prepared.hpp"

#include <ATen/ops/linear.h>

#include <optional>
#include <utility>
#include <vector>

namespace silica::device::cpu {

/// What is done to x W^T + b before it is rounded.
struct After {
    Activation act = Activation::linear;
    bool gated = false;                ///< W holds the rows of the gate, then those of what it multiplies
    const Tensor* residual = nullptr;  ///< added last; (..., out)
};

/// W (out, in), contiguous: as it lies in the file where it was mapped, and one copy where two ops share it. Or, of
/// float32, in panels.
struct PackedLinear {
    Tensor weight;
    std::optional<Tensor> bias;
    std::int64_t out = weight.size(0);
    bool panels = false;

    [[nodiscard]] op::Plain unpack() const { return {panels ? unpack_panels(weight, out) : weight, bias}; }

    /// x W^T + b.
    [[nodiscard]] Tensor operator()(const Tensor& x) const {
        const Tensor y = product(x, {});
        return y.defined() ? y : at::linear(x, panels ? unpack().weight : weight, bias);
    }

    /// The product by our own kernels; undefined where they do not serve this type, layout or number of rows.
    [[nodiscard]] Tensor product(const Tensor& x, const After& after) const {
        if (x.scalar_type() != weight.scalar_type() || x.dim() == 0 || !isa::has(after.act)) return {};
        switch (x.scalar_type()) {
            case c10::ScalarType::Float:
                return product<float>(x, after);
            case c10::ScalarType::BFloat16:
                return product<c10::BFloat16>(x, after);
            case c10::ScalarType::Half:
                return product<c10::Half>(x, after);
            default:
                return {};
        }
    }

private:
    template <class T>
    [[nodiscard]] Tensor product(const Tensor& x, const After& after) const {
        const std::int64_t k = weight.size(1), n = out / (after.gated ? 2 : 1);
        if (x.size(-1) != k || k == 0 || !weight.is_contiguous()) return {};
        if (bias && (bias->scalar_type() != x.scalar_type() || !bias->is_contiguous())) return {};
        const std::int64_t m = x.numel() / k;
        const isa::Isa set = isa::best();
        if (panels ? !fits_panels(set, n, after.gated) : !computes<T>(set, m)) return {};
        std::vector<std::int64_t> shape(x.sizes().begin(), x.sizes().end());
        shape.back() = n;
        Tensor residual;
        if (after.residual) {
            if (after.residual->scalar_type() != x.scalar_type() || after.residual->sizes() != shape) return {};
            residual = after.residual->contiguous();
        }
        const Tensor rows = x.is_contiguous() ? x : x.dim() == 2 && x.stride(1) == 1 ? x : x.contiguous();
        const Tensor y = at::empty(shape, x.options());
        const Product<T> p{.x = rows.const_data_ptr<T>(),
                           .ldx = rows.is_contiguous() ? k : rows.stride(0),
                           .m = m,
                           .w = weight.const_data_ptr<T>(),
                           .k = k,
                           .n = n,
                           .gated = after.gated,
                           .bias = bias ? bias->const_data_ptr<T>() : nullptr,
                           .residual = residual.defined() ? residual.const_data_ptr<T>() : nullptr,
                           .act = after.act,
                           .y = y.mutable_data_ptr<T>()};
        if constexpr (std::is_same_v<T, float>) {
            if (panels) {
                multiply_panels(set, p);
                return y;
            }
        }
        multiply<T>(set, p);
        return y;
    }
};

}  // namespace silica::device::cpu
