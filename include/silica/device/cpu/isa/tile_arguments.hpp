#pragma once
/// What a tile of a product is asked for, and the steps that all tiles take.

#include "silica/device/cpu/isa/dots.hpp"

#include <cstdint>
#include <utility>

namespace silica::device::cpu::isa {

/// c[r][m] (+)= sum over u of w[r][u] x[u][m], where x has `vectors` vectors of lanes for each unit u, c as many for
/// each row. On the way, `lines` lines of cache from `ahead` on are fetched.
struct TileArguments {
    const std::uint32_t* x;
    const char* const* w;  ///< the rows, `Tiling::rows` of them (with full panels of floats also 1, 2 or 4)
    std::int64_t rows;
    std::int64_t skip;  ///< units of each row that come before the first one
    std::int64_t units, vectors;
    float* c;
    bool first;  ///< whether c is written, else added to
    const char* ahead;
    std::int64_t lines;
};

namespace detail {

template <int W, class V, int... C>
[[gnu::always_inline]] inline void units_of(V* v, const std::uint32_t* x, std::integer_sequence<int, C...>) {
    ((v[C] = (V) * reinterpret_cast<const typename Lanes<W>::UAnywhere*>(x + C * W)), ...);
}
template <int... R>
[[gnu::always_inline]] inline void rows_of(const char** w, const TileArguments& a, std::integer_sequence<int, R...>) {
    ((w[R] = a.w[R] + 4 * a.skip), ...);
}
template <int W>
[[gnu::always_inline]] inline void add_to(float* c, const Floats<W>& v) {
    Floats<W> old;
    load<W>(old, c);
    store<W>(c, old + v);
}
/// Sums of some units meet those of others when they are done: a sum of few terms, then one of few sums, is more exact
/// than one chain.
template <int W, int... I>
[[gnu::always_inline]] inline void write_tile(float* c, bool first, const Floats<W>* v,
                                              std::integer_sequence<int, I...>) {
    if (first)
        (store<W>(c + I * W, v[I]), ...);
    else
        (add_to<W>(c + I * W, v[I]), ...);
}
[[gnu::always_inline]] inline void fetch(const char*& ahead, std::int64_t& lines) {
    if (lines <= 0) return;
    __builtin_prefetch(ahead, 0, 2);
    ahead += 64;
    --lines;
}
/// Bytes from one of `times` fetches to the next, the first at `ahead`, for those lines: fewer than 64 where there are
/// fewer lines; 0, at what is read anyway, where there are none.
[[gnu::always_inline]] inline std::int64_t fetch_evenly(const char*& ahead, const TileArguments& a,
                                                        std::int64_t times) {
    if (a.lines <= 0 || times <= 0) {
        ahead = reinterpret_cast<const char*>(a.x);
        return 0;
    }
    return (64 * a.lines + times - 1) / times;
}

}  // namespace detail

}  // namespace silica::device::cpu::isa
