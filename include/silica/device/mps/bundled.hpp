#pragma once
/// The attention kernels in LibTorch's builds for macOS.
///
/// By the names in their Metal libraries, read by tests/apple/wheel_facts.py, which compares this table with them. That
/// a kernel is called where its head size is asked for is inferred from LibTorch's sources; nothing of it was run.

#include "silica/device/mps/version.hpp"

#include <array>
#include <cstdint>

namespace silica::device::mps {

/// Head sizes, 0 after the last: of kernels that take a few queries (a decode step), and of those that take many.
struct BundledAttention {
    int major, minor;  ///< of LibTorch
    std::array<int, 8> few, many;
};
inline constexpr std::array bundled_attention{
    BundledAttention{2, 11, {64, 96, 128}, {}},
    BundledAttention{2, 12, {64, 96, 128}, {}},
    BundledAttention{2, 13, {64, 96, 128, 256}, {32, 64, 72, 80, 96, 128, 256}},
    BundledAttention{2, 14, {64, 96, 128, 256}, {32, 64, 72, 80, 96, 128, 256}},
};

/// The row of the LibTorch that this is compiled with, else of the nearest older one.
constexpr const BundledAttention& bundled() {
    const BundledAttention* found = &bundled_attention.front();
    for (const auto& row : bundled_attention) {
        if (!libtorch_before(row.major, row.minor)) found = &row;
    }
    return *found;
}

/// What computes attention: a Metal kernel for few queries, one for many, or a graph of MPSGraph, which writes the
/// whole score matrix.
enum class AttentionPath : std::uint8_t { few, many, graph };

/// For queries of `size` values, keys as large and values of `value_size`. Few are at most 8.
constexpr AttentionPath attention_path(std::int64_t queries, std::int64_t size, std::int64_t value_size) {
    if (size != value_size || size == 0) return AttentionPath::graph;
    const auto among = [size](const std::array<int, 8>& sizes) {
        for (const int each : sizes) {
            if (each == size) return true;
        }
        return false;
    };
    if (queries <= 8 && among(bundled().few)) return AttentionPath::few;
    return among(bundled().many) ? AttentionPath::many : AttentionPath::graph;
}

}  // namespace silica::device::mps
