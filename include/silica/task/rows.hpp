#pragma once
/// The rows of a tensor on the host.

#include "silica/core/error.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/tensor.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace silica::task {

/// The rows of (rows, columns), float32 on the CPU, one after another. They live as long as the tensor. InputError for
/// another tensor, and for one with gaps.
[[nodiscard]] inline std::vector<std::span<const float>> rows_of(const Tensor& t) {
    require_tensor("rows", t, 2, {c10::ScalarType::Float});
    if (!t.device().is_cpu() || !t.is_contiguous())
        throw InputError("Input rows is not on the CPU, or has gaps.", "call .cpu().contiguous() on it.");
    const auto columns = static_cast<std::size_t>(t.size(1));
    const auto* first = t.const_data_ptr<float>();
    std::vector<std::span<const float>> rows;
    for (std::int64_t i = 0; i < t.size(0); ++i)
        rows.emplace_back(first + static_cast<std::size_t>(i) * columns, columns);
    return rows;
}

}  // namespace silica::task
