#pragma once
/// What our kernels use of metal_stdlib, on the host. Included by files that hold nothing but kernels: the address
/// spaces are macros here. Their rules are checked by clang instead (tests/apple/metal_check.py).

#include <cmath>
#include <cstdint>
#include <cstring>

#include "support/metal/half.hpp"
#include "support/metal/threadgroup.hpp"

namespace silica::test::metal::stdlib {

using uchar = std::uint8_t;
using ushort = std::uint16_t;
using uint = std::uint32_t;
using ulong = std::uint64_t;

struct uint3 {
    uint x = 0, y = 0, z = 0;
};

using std::exp;
using std::exp2;
using std::fabs;
using std::fma;
using std::sqrt;
using std::tanh;

enum class mem_flags { mem_none, mem_device, mem_threadgroup };

inline void threadgroup_barrier(mem_flags, int line = __builtin_LINE()) { barrier(line); }

/// What `lane` gave.
template <class V>
V of_lane(const std::uint64_t* all, unsigned lane) {
    V v;
    std::memcpy(&v, all + lane, sizeof v);
    return v;
}
template <class V>
const std::uint64_t* exchanged(V v, int line) {
    std::uint64_t given = 0;
    std::memcpy(&given, &v, sizeof v);
    return exchange(given, line);
}
template <class V, class F>
V reduced(V v, int line, F f) {
    const auto* all = exchanged(v, line);
    V r = of_lane<V>(all, 0);
    for (unsigned i = 1; i < lanes; ++i) r = f(r, of_lane<V>(all, i));
    return r;
}

template <class V>
V simd_sum(V v, int line = __builtin_LINE()) {
    return reduced(v, line, [](V a, V b) { return a + b; });
}
template <class V>
V simd_max(V v, int line = __builtin_LINE()) {
    return reduced(v, line, [](V a, V b) { return a > b ? a : b; });
}
template <class V>
V simd_min(V v, int line = __builtin_LINE()) {
    return reduced(v, line, [](V a, V b) { return a < b ? a : b; });
}
/// Metal: undefined where there is no such lane; here the value is turned into one that shows.
template <class V>
V shuffled(V v, unsigned lane, int line) {
    const auto* all = exchanged(v, line);
    return lane < lanes ? of_lane<V>(all, lane) : static_cast<V>(1e30);
}
template <class V>
V simd_shuffle_xor(V v, ushort mask, int line = __builtin_LINE()) {
    return shuffled(v, self() % lanes ^ mask, line);
}
template <class V>
V simd_shuffle_up(V v, ushort by, int line = __builtin_LINE()) {
    return shuffled(v, self() % lanes - by, line);
}

}  // namespace silica::test::metal::stdlib

#define kernel
#define device
#define constant const
#define threadgroup static __attribute__((section("silica_threadgroup")))
#define thread
