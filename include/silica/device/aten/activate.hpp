#pragma once
/// The activation functions in ATen's terms, for every device whose LibTorch has them.

#include "silica/op/activation.hpp"

#include <ATen/ops/clamp.h>
#include <ATen/ops/erf.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/mish.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tanh.h>

#include <cmath>

namespace silica::device::aten {

struct Activate {
    static Tensor run(const Tensor& x, Activation act) {
        switch (act) {
            case Activation::linear:
                return x;
            case Activation::gelu:
                return at::gelu(x);
            case Activation::gelu_tanh:
                return at::gelu(x, "tanh");
            case Activation::gelu_10:
                return at::clamp(at::gelu(x), -10, 10);
            case Activation::quick_gelu:
                return x * at::sigmoid(1.702 * x);
            case Activation::relu:
                return at::relu(x);
            case Activation::relu2: {
                const Tensor y = at::relu(x);
                return y * y;
            }
            case Activation::relu6:
                return at::clamp(x, 0, 6);
            case Activation::leaky_relu:
                return at::leaky_relu(x);
            case Activation::silu:
                return at::silu(x);
            case Activation::sigmoid:
                return at::sigmoid(x);
            case Activation::tanh:
                return at::tanh(x);
            case Activation::mish:
                return at::mish(x);
            case Activation::laplace:
                return 0.5 * (1.0 + at::erf((x - 0.707107) / (0.282095 * std::sqrt(2.0))));
        }
        return x;
    }
};

}  // namespace silica::device::aten
