#pragma once
/// How an op refuses arguments that do not fit each other: own kernels trust what passes here.

#include "silica/core/compiled.hpp"
#include "silica/core/tensor.hpp"

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace silica::op {

/// What the host knows of packed weights: the shape and type of the weight they were packed from.
struct WeightShape {
    std::vector<std::int64_t> sizes;
    c10::ScalarType type = c10::ScalarType::Undefined;

    [[nodiscard]] std::int64_t size(std::size_t dim) const { return sizes[dim]; }
};

namespace detail {

/// An argument as an error names it.
struct Shown {
    c10::IntArrayRef sizes;
    c10::ScalarType type = c10::ScalarType::Undefined;

    Shown(const Tensor& t)  // NOLINT(google-explicit-constructor)
        : sizes(t.defined() ? t.sizes() : c10::IntArrayRef{}),
          type(t.defined() ? t.scalar_type() : c10::ScalarType::Undefined) {}
    Shown(const std::optional<Tensor>& t) : Shown(t ? *t : Tensor()) {}  // NOLINT(google-explicit-constructor)
    Shown(const WeightShape& w) : sizes(w.sizes), type(w.type) {}        // NOLINT(google-explicit-constructor)
};

/// Throws InputError: the op, what it takes, what it was given.
[[noreturn]] void break_law(std::string_view op, std::string_view takes, std::initializer_list<Shown> given);

}  // namespace detail

/// Throws InputError unless `fits`: op `name` takes what `takes` says, and was given `args` (tensors, weights).
template <class... Args>
void law(bool fits, std::string_view name, std::string_view takes, const Args&... args) {
    if (!fits) [[unlikely]]
        detail::break_law(name, takes, {detail::Shown(args)...});
}

/// Whether ops compute with numbers of this type.
constexpr bool computes(c10::ScalarType type) {
    return type == c10::ScalarType::Float || type == c10::ScalarType::BFloat16 || type == c10::ScalarType::Half ||
           type == c10::ScalarType::Double;
}

/// Whether `value` is a number that float32 holds: neither NaN nor infinite.
constexpr bool is_finite(double value) {
    constexpr double most = std::numeric_limits<float>::max();
    return value >= -most && value <= most;
}

/// More numbers than this no tensor has: 64 bits count their bytes.
inline constexpr double most_numbers = 1e18;

/// Whether `eps` may be added to a variance.
constexpr bool is_eps(double eps) { return eps >= 0 && is_finite(eps); }

/// Whether `t` is a vector of `n` values of `type`.
inline bool is_vector(const Tensor& t, std::int64_t n, c10::ScalarType type) {
    return t.defined() && t.dim() == 1 && t.size(0) == n && t.scalar_type() == type;
}

/// Whether x (..., in) meets weights (out, in).
inline bool meets(const Tensor& x, const WeightShape& w) {
    return x.dim() >= 1 && w.sizes.size() == 2 && x.size(-1) == w.size(1) && x.scalar_type() == w.type;
}

/// Whether `t` broadcasts to `shape`.
inline bool broadcasts(const Tensor& t, c10::IntArrayRef shape) {
    const auto sizes = t.sizes();
    if (sizes.size() > shape.size()) return false;
    const auto last = shape.slice(shape.size() - sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        if (sizes[i] != last[i] && sizes[i] != 1) return false;
    }
    return true;
}

}  // namespace silica::op

#ifndef SILICA_COMPILED
#include "silica/op/law.ipp"
#endif
