#pragma once
/// Places as a tensor, for networks to select by.

#include "silica/core/tensor.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace silica::arch {

using LlavaIndices = std::vector<std::int64_t>;

/// (indices) int64, on the host.
inline Tensor indices_tensor(const LlavaIndices& indices) {
    const Tensor t =
        at::empty({static_cast<std::int64_t>(indices.size())}, at::TensorOptions().dtype(c10::ScalarType::Long));
    std::copy(indices.begin(), indices.end(), t.mutable_data_ptr<std::int64_t>());
    return t;
}

}  // namespace silica::arch
