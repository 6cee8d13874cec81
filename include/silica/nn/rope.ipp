#pragma once
/// The frequencies of each kind of rotary embedding, and their tables.

#include "silica/core/host_math.hpp"
#include "silica/nn/rope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace silica::nn {

SILICA_INLINE std::int64_t Rope::key(std::int64_t length) const {
    if (p_.type() == RopeType::dynamic) return std::max(length, max_positions_);
    if (p_.type() == RopeType::longrope) return length > *p_.original_max_position_embeddings ? 1 : 0;
    return 0;
}

SILICA_INLINE RopeTable Rope::table(std::int64_t positions, std::int64_t length) const {
    const Tensor at_position = at::arange(positions, at::TensorOptions().dtype(c10::ScalarType::Float));
    const Tensor angles = at_position.unsqueeze(1) * frequencies(length).unsqueeze(0);
    const double scale = attention_scale();
    return {host::cos(angles) * scale, host::sin(angles) * scale};
}

SILICA_INLINE Tensor Rope::powers(double theta) const {
    const Tensor even = at::arange(0, d_, 2, at::TensorOptions().dtype(c10::ScalarType::Float));
    return host::power(theta, even / static_cast<double>(d_));
}

SILICA_INLINE Tensor Rope::frequencies(std::int64_t length) const {
    switch (p_.type()) {
        case RopeType::linear:
            return 1.0 / powers(*p_.rope_theta) / *p_.factor;
        case RopeType::dynamic:
            return 1.0 / powers(stretched_theta(std::max(length, max_positions_)));
        case RopeType::yarn:
            return yarn(powers(*p_.rope_theta));
        case RopeType::llama3:
            return llama3(1.0 / powers(*p_.rope_theta));
        case RopeType::longrope: {
            Tensor f = powers(*p_.rope_theta);
            const auto& factors = key(length) == 1 ? p_.long_factor : p_.short_factor;
            auto* at = f.mutable_data_ptr<float>();
            for (std::size_t i = 0; i < factors.size(); ++i) at[i] = 1.0F / (static_cast<float>(factors[i]) * at[i]);
            return f;
        }
        case RopeType::plain:
            break;
    }
    return 1.0 / powers(*p_.rope_theta);
}

SILICA_INLINE double Rope::stretched_theta(std::int64_t length) const {
    const auto factor = static_cast<float>(*p_.factor);
    const float ratio = factor * static_cast<float>(length) / static_cast<float>(max_positions_);
    const auto exponent = static_cast<float>(static_cast<double>(d_) / static_cast<double>(d_ - 2));
    const float stretch = std::pow(ratio - static_cast<float>(*p_.factor - 1), exponent);
    return static_cast<double>(static_cast<float>(*p_.rope_theta) * stretch);
}

SILICA_INLINE Tensor Rope::yarn(Tensor f) const {
    const auto d = static_cast<double>(d_);
    const auto pair_that_turns = [&](double times) {
        const double longest = static_cast<double>(*p_.original_max_position_embeddings);
        return d * std::log(longest / (times * 2 * std::numbers::pi)) / (2 * std::log(*p_.rope_theta));
    };
    const auto or_usual = [](const std::optional<double>& value, double usual) {
        return value.value_or(0) != 0 ? *value : usual;
    };
    double low = pair_that_turns(or_usual(p_.beta_fast, 32)), high = pair_that_turns(or_usual(p_.beta_slow, 1));
    if (p_.truncate.value_or(true)) low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0), high = std::min(high, d - 1);
    if (low == high) high += 0.001;
    auto* at = f.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < f.numel(); ++i) {
        const float ramp = (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low);
        const float kept = 1 - std::clamp(ramp, 0.0F, 1.0F);
        const float slow = 1.0F / (static_cast<float>(*p_.factor) * at[i]), fast = 1.0F / at[i];
        at[i] = slow * (1 - kept) + fast * kept;
    }
    return f;
}

SILICA_INLINE Tensor Rope::llama3(Tensor f) const {
    const auto original = static_cast<double>(*p_.original_max_position_embeddings);
    const double low = *p_.low_freq_factor, high = *p_.high_freq_factor;
    const auto longest = static_cast<float>(original / low), shortest = static_cast<float>(original / high);
    const auto factor = static_cast<float>(*p_.factor);
    auto* at = f.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < f.numel(); ++i) {
        const float wave = static_cast<float>(2 * std::numbers::pi) / at[i];
        const float stretched = wave > longest ? at[i] / factor : at[i];
        const float smooth =
            (static_cast<float>(original) / wave - static_cast<float>(low)) / static_cast<float>(high - low);
        const bool between = !(wave < shortest) && !(wave > longest);
        at[i] = between ? (1 - smooth) * stretched / factor + smooth * stretched : stretched;
    }
    return f;
}

SILICA_INLINE double Rope::attention_scale() const {
    const auto flattening = [](double factor, double m) { return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1; };
    if (p_.type() == RopeType::yarn) {
        if (p_.attention_factor) return *p_.attention_factor;
        const double m = p_.mscale.value_or(0), all = p_.mscale_all_dim.value_or(0);
        if (m != 0 && all != 0) return flattening(*p_.factor, m) / flattening(*p_.factor, all);
        return flattening(*p_.factor, 1);
    }
    if (p_.type() == RopeType::longrope) {
        if (p_.attention_factor) return *p_.attention_factor;
        const auto original = static_cast<double>(*p_.original_max_position_embeddings);
        const double factor = p_.factor.value_or(static_cast<double>(max_positions_) / original);
        return factor <= 1 ? 1.0 : std::sqrt(1 + std::log(factor) / std::log(original));
    }
    return 1.0;
}

}  // namespace silica::nn
