#pragma once
/// Softmax on MPS. Contiguous input: some shapes with strides abort the process (pytorch#175190).

#include "silica/device/aten/softmax.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::Softmax, device::Mps> {
    static Tensor run(const Tensor& x) { return device::aten::Softmax::run(x.contiguous()); }
};

}  // namespace silica
