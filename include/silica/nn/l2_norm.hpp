#pragma once
/// Vectors of length 1.

#include "silica/op/rms_norm.hpp"
#include "silica/run.hpp"

#include <cmath>
#include <cstdint>

namespace silica::nn {

/// y = x / |x| over the last dimension: an RMS norm without eps whose scale is 1 / sqrt(d). A vector of zeros gives
/// NaN.
template <class E>
class L2Norm {
public:
    using Ops = OpList<op::RmsNorm>;

    L2Norm(std::int64_t d, c10::Device home)
        : scale_(at::full({d}, 1 / std::sqrt(static_cast<double>(d)),
                          at::TensorOptions().dtype(E::precision::compute).device(home))) {}

    Tensor operator()(const Tensor& x) const { return run<op::RmsNorm, E>(x, scale_, 0.0); }

private:
    Tensor scale_;
};

}  // namespace silica::nn
