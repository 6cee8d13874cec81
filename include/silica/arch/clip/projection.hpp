#pragma once
/// From the space of one model to that of both, and from cosines there to logits.

#include "silica/nn/linear.hpp"

#include <cmath>

namespace silica::arch {

/// W x, without a bias.
template <class E>
nn::Linear<E> clip_projection(const Weights& w, std::int64_t hidden, std::int64_t projection_dim) {
    return nn::Linear<E>({{w, projection_dim, false}}, hidden);
}

/// exp(logit_scale), by which cosines become logits.
inline double clip_scale(const Weights& w) {
    return std::exp(w.get("logit_scale", {}, c10::ScalarType::Float, c10::Device(c10::DeviceType::CPU)).item<double>());
}

}  // namespace silica::arch
