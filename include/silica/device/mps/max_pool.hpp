#pragma once
/// Max pooling on MPS. Contiguous input: a slice of a channels-last image is read as if it were whole (pytorch#180984).

#include "silica/device/aten/max_pool.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::MaxPool, device::Mps> {
    static Tensor run(const Tensor& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
        return device::aten::MaxPool::run(x.contiguous(), kernel, stride, padding);
    }
};

}  // namespace silica
