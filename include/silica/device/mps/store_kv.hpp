#pragma once
/// Writing to a cache on MPS. index_copy_ checks no index there (pytorch#189968), so the caller's slots must be right;
/// k and v contiguous, as everywhere on MPS.

#include "silica/device/aten/store_kv.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::StoreKv, device::Mps> {
    static op::Written run(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                           const Tensor& slots) {
        return device::aten::StoreKv::run(keys, values, k.contiguous(), v.contiguous(), slots);
    }
};

}  // namespace silica
