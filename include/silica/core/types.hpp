#pragma once
/// Small helpers for code that computes with types.

namespace silica {

/// False, but only once `T` is known: for a `static_assert` that fires on instantiation.
template <class...>
inline constexpr bool always_false = false;

/// True when `T` has a definition where it is first asked for. Ask after everything that may define it.
template <class T>
concept Complete = requires { sizeof(T); };

/// Carries a type as a value.
template <class T>
struct type_tag {
    using type = T;
};

}  // namespace silica
