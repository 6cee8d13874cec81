#pragma once
/// The mean of some vectors.

#include "silica/op/pool.hpp"
#include "silica/run.hpp"

namespace silica::nn {

/// Mean over dimension 1, summed in float32: x (batch, n, d) -> (batch, d).
template <class E>
Tensor mean(const Tensor& x) {
    const Tensor all = at::ones({1, 1}, x.options().dtype(c10::ScalarType::Bool)).expand({x.size(0), x.size(1)});
    return run<op::Pool, E>(x, all, Pooling::mean).to(x.scalar_type());
}

}  // namespace silica::nn
