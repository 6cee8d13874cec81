#pragma once
/// Max pooling by ATen.

#include "silica/op/max_pool.hpp"

#include <ATen/ops/max_pool2d.h>

#include <cstdint>

namespace silica::device::aten {

struct MaxPool {
    static Tensor run(const Tensor& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
        return at::max_pool2d(x, {kernel, kernel}, {stride, stride}, {padding, padding});
    }
};

}  // namespace silica::device::aten
