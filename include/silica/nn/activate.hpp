#pragma once
/// An activation on its own; after a matrix it is fused with it: nn/linear.hpp.

#include "silica/op/activation.hpp"
#include "silica/op/gelu.hpp"
#include "silica/run.hpp"

namespace silica::nn {

using ActivationOps = OpList<op::Gelu, op::Activate>;

/// act(x), elementwise.
template <class E>
Tensor activate(const Tensor& x, Activation act) {
    return act == Activation::gelu ? run<op::Gelu, E>(x) : run<op::Activate, E>(x, act);
}

}  // namespace silica::nn
