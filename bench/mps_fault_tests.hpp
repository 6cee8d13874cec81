#pragma once
/// The tests of known faults of MPS: inputs that are the same each time, and the comparison with what the host
/// computes.

#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

#include "mps_faults.hpp"
#include "silica/device/mps.hpp"
#include "silica/device/mps/metal/own.hpp"

namespace silica::bench::faults {

inline c10::Device there() { return {c10::DeviceType::MPS, 0}; }

inline Tensor numbers(at::IntArrayRef shape, int seed, at::ScalarType type = at::kFloat) {
    return device::mps::metal::noise(shape, seed, type, at::kCPU);
}

/// Present where `got` is further from `want` than roundings of `type` explain.
inline Seen compared(std::string& detail, const Tensor& got, const Tensor& want, at::ScalarType type, double size = 1) {
    const double e = 16 * device::mps::metal::rounding(type) * size + 1e-4 * size;
    const double by = device::mps::metal::difference(got, want, e, e);
    detail = "the largest difference is " + std::to_string(by) + " times what is allowed";
    return by > 1 ? Seen::present : Seen::absent;
}

Seen causal_leaks(std::string& detail);
Seen long_decode(std::string& detail);
Seen permuted(std::string& detail);
Seen value_head_size(std::string& detail);
Seen masked(std::string& detail, bool added);
Seen large_scores(std::string& detail);
Seen long_bfloat16(std::string& detail);
Seen linear_not_stable(std::string& detail);
Seen linear_loses_bias(std::string& detail);
Seen long_products(std::string& detail);
Seen strided_weight(std::string& detail);
Seen conv_strided_weight(std::string& detail);
Seen channels_last_slice(std::string& detail);
Seen conv_large_kernel(std::string& detail);
Seen conv_long(std::string& detail);
Seen conv_3d(std::string& detail);
Seen freed_source(std::string& detail);
Seen graphs_grow(std::string& detail);
Seen sorting(std::string& detail);
Seen boolean_index(std::string& detail);
Seen strided_isfinite(std::string& detail);
Seen index_beyond(std::string& detail);
Seen float64(std::string& detail);

}  // namespace silica::bench::faults
