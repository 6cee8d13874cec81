#pragma once
/// The index of the largest value on MPS: own kernels where they proved themselves, else LibTorch's on contiguous
/// input.

#include "silica/device/aten/argmax.hpp"
#include "silica/device/mps.hpp"
#include "silica/device/mps/metal/choose.hpp"

namespace silica {

template <>
struct Kernel<op::Argmax, device::Mps> {
    static bool failed(const Tensor& x) {
        return device::mps::metal::argmax_serves(x) == device::mps::metal::Serves::failed;
    }
    static Tensor run(const Tensor& x) {
        namespace metal = device::mps::metal;
        return metal::argmax_serves(x) == metal::Serves::yes ? metal::argmax(x)
                                                             : device::aten::Argmax::run(x.contiguous());
    }
};

}  // namespace silica
