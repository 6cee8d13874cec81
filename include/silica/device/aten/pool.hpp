#pragma once
/// Pooling in ATen's terms, summed in float32.

#include "silica/op/pool.hpp"

#include <ATen/ops/amax.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/sum.h>

#include <limits>

namespace silica::device::aten {

struct Pool {
    static Tensor run(const Tensor& h, const Tensor& mask, Pooling how) {
        const Tensor x = h.to(at::kFloat);
        const Tensor weight = mask.to(at::kFloat).unsqueeze(-1);  // (batch, tokens, 1)
        const auto sum = [](const Tensor& t) { return at::sum(t, 1); };
        switch (how) {
            case Pooling::mean:
                return sum(x * weight) / sum(weight);
            case Pooling::mean_sqrt_len:
                return sum(x * weight) / at::sqrt(sum(weight));
            case Pooling::weighted_mean: {
                const Tensor w = weight * at::arange(1, x.size(1) + 1, weight.options()).view({1, -1, 1});
                return sum(x * w) / sum(w);
            }
            case Pooling::max:
                return at::amax(at::where(mask.unsqueeze(-1), x, -std::numeric_limits<float>::infinity()), 1);
            case Pooling::cls:
                return at_token(x, at::argmax(mask.to(at::kFloat), 1));
            case Pooling::last: {
                const Tensor position = at::arange(1, x.size(1) + 1, weight.options()).unsqueeze(0);
                return at_token(x, at::argmax(mask.to(at::kFloat) * position, 1));
            }
        }
        return x;
    }

private:
    /// The vector of one token per row: index (batch) -> (batch, d).
    static Tensor at_token(const Tensor& x, const Tensor& index) {
        return at::gather(x, 1, index.view({-1, 1, 1}).expand({-1, 1, x.size(2)})).squeeze(1);
    }
};

}  // namespace silica::device::aten
