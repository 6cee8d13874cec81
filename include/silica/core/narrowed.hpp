#pragma once
/// A float as a number of another type.

#include <c10/util/Half.h>

#include <type_traits>

namespace silica {

/// `value` as T, rounded to the nearest. On arm64 a c10::Half is made of a float16_t, to which a float narrows unasked,
/// so it is asked here.
template <class T>
[[gnu::always_inline]] inline T narrowed(float value) {
#if defined(__aarch64__)
    if constexpr (std::is_same_v<T, c10::Half>)
        return c10::Half(static_cast<float16_t>(value));
    else
        return static_cast<T>(value);
#else
    return static_cast<T>(value);
#endif
}

}  // namespace silica
