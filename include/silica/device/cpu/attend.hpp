#pragma once
/// Attention of one query per row and head: what the kernels of decode_attention and attention share.
///
/// Each key and value is read once for all its query heads. Scores, softmax and sums are in float32, over blocks of
/// keys with a running maximum (Dao et al. 2022).

#include "silica/core/compiled.hpp"
#include "silica/core/tensor.hpp"

#include <cstdint>
#include <optional>

namespace silica::device::cpu {

struct AttendOne {
    /// Attention to the slots 0..filled-1, of one type, each key and value contiguous.
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, std::int64_t filled,
                      const std::optional<Tensor>& mask, double scale);
};

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/attend.ipp"
#endif
