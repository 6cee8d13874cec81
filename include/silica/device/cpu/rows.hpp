#pragma once
/// Ops on the CPU that work on each row by itself.

#include "silica/core/parallel.hpp"
#include "silica/core/tensor.hpp"

#include <c10/core/ScalarType.h>

#include <vector>

namespace silica::device::cpu {

/// Whether x is of a type that the loops of isa/ serve.
inline bool is_floating(const Tensor& x) {
    return x.scalar_type() == c10::ScalarType::Float || x.scalar_type() == c10::ScalarType::BFloat16 ||
           x.scalar_type() == c10::ScalarType::Half;
}

/// Calls f.operator()<T>() for the type of x, which `is_floating`.
template <class F>
auto with_type(const Tensor& x, const F& f) {
    switch (x.scalar_type()) {
        case c10::ScalarType::BFloat16:
            return f.template operator()<c10::BFloat16>();
        case c10::ScalarType::Half:
            return f.template operator()<c10::Half>();
        default:
            return f.template operator()<float>();
    }
}

/// Rows so small in all are not worth waking another thread for.
inline constexpr std::int64_t values_for_a_thread = 16384;

/// x (..., d) -> (..., n): f(row, out) for each row, in parallel where there is enough to do.
template <class F>
Tensor by_rows(const Tensor& x, std::int64_t n, const F& f) {
    std::vector<std::int64_t> shape(x.sizes().begin(), x.sizes().end());
    shape.back() = n;
    const Tensor y = at::empty(shape, x.options()), in = x.contiguous();
    const std::int64_t d = x.size(-1);
    if (y.numel() == 0) return y;
    with_type(x, [&]<class T>() {
        const T* from = in.template const_data_ptr<T>();
        T* to = y.template mutable_data_ptr<T>();
        parallel_for(0, y.numel() / n, (values_for_a_thread + d - 1) / d, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i) f(from + i * d, to + i * n);
        });
    });
    return y;
}

}  // namespace silica::device::cpu
