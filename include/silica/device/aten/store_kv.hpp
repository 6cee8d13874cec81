#pragma once
/// Writing to a cache by ATen's index_copy_.

#include "silica/op/store_kv.hpp"

#include <ATen/ops/index_copy.h>

namespace silica::device::aten {

struct StoreKv {
    static op::Written run(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                           const Tensor& slots) {
        keys.value.index_copy_(2, slots, k);
        values.value.index_copy_(2, slots, v);
        return {};
    }
};

}  // namespace silica::device::aten
