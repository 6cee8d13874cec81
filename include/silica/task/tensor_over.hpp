#pragma once
/// Numbers of `input/` as tensors.

#include "silica/core/error.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/tensor.hpp"

#include <ATen/ops/from_blob.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::task::detail {

/// Throws InputError unless `n` is the product of `shape`, in which nothing is below 1.
inline void require_count(const char* what, std::size_t n, const std::vector<std::int64_t>& shape) {
    std::size_t left = n;
    bool fits = true;
    for (const auto d : shape) {
        fits = fits && d >= 1 && left % static_cast<std::uint64_t>(d) == 0;
        if (fits) left /= static_cast<std::size_t>(d);
    }
    if (fits && left == 1) return;
    throw InputError(std::string(what) + " has " + std::to_string(n) + " values, which is not what its shape " +
                         shape_text(shape) + " says.",
                     "give as many values as the product of the shape.");
}

/// Throws InputError unless `shape` has so many dimensions or more.
inline void require_rank(const char* what, const std::vector<std::int64_t>& shape, std::size_t least) {
    if (shape.size() >= least) return;
    throw InputError(std::string(what) + " has the shape " + shape_text(shape) + ".",
                     "give at least " + std::to_string(least) + " dimensions, the first being the batch.");
}

/// A tensor on memory that it takes over; `type` has as many bytes as T.
template <class T>
Tensor tensor_over(std::vector<T> values, const std::vector<std::int64_t>& shape,
                   c10::ScalarType type = c10::CppTypeToScalarType<T>::value) {
    const auto own = std::make_shared<std::vector<T>>(std::move(values));
    return at::from_blob(own->data(), shape, [own](void*) {}, type);
}

}  // namespace silica::task::detail
