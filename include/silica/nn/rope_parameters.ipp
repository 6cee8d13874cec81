#pragma once
/// One configuration's rotary embeddings, out of its old and new keys.

#include "silica/nn/rope_parameters.hpp"

#include <string>

namespace silica::nn {

SILICA_INLINE RopeParameters rope_of(const std::string& file, const std::optional<RopeParameters>& parameters,
                                     const std::optional<RopeParameters>& scaling, std::optional<double> theta,
                                     std::optional<std::int64_t> original, std::int64_t max_positions, std::int64_t d) {
    RopeParameters r = scaling ? *scaling : parameters.value_or(RopeParameters{});
    if (!r.rope_theta) r.rope_theta = theta.value_or(10000.0);
    if (original) r.original_max_position_embeddings = original;
    if (!r.original_max_position_embeddings) r.original_max_position_embeddings = max_positions;
    const std::string key = file + ": rope_" + (scaling ? "scaling" : "parameters");
    const auto refuse = [&](const std::string& what) {
        throw ConfigError(key + ": " + what, "correct the key, or download the file again.");
    };
    const auto need = [&](const std::optional<double>& value, std::string_view name) {
        if (!value) refuse(std::string(name) + " is missing, which this rope type needs.");
        if (!(*value > 0)) refuse(std::string(name) + " is not above 0.");
    };
    if (d % 2 != 0) refuse("rotary embeddings turn pairs, but head_dim " + std::to_string(d) + " is odd.");
    need(r.rope_theta, "rope_theta");
    if (r.partial_rotary_factor.value_or(1.0) != 1.0) refuse("partial_rotary_factor other than 1 is not supported.");
    if (*r.original_max_position_embeddings < 1) refuse("original_max_position_embeddings is not above 0.");
    switch (r.type()) {
        case RopeType::plain:
            break;
        case RopeType::dynamic:
            if (d <= 2) refuse("type dynamic needs a head_dim above 2.");
            [[fallthrough]];
        case RopeType::linear:
            need(r.factor, "factor");
            break;
        case RopeType::yarn:
            if (!r.factor) {
                r.factor =
                    static_cast<double>(max_positions) / static_cast<double>(*r.original_max_position_embeddings);
            }
            need(r.factor, "factor");
            if (*r.rope_theta == 1.0) refuse("rope_theta 1 gives every pair one frequency, which yarn cannot scale.");
            break;
        case RopeType::llama3:
            need(r.factor, "factor");
            need(r.low_freq_factor, "low_freq_factor");
            need(r.high_freq_factor, "high_freq_factor");
            if (*r.low_freq_factor == *r.high_freq_factor) refuse("low_freq_factor and high_freq_factor are equal.");
            break;
        case RopeType::longrope: {
            const auto pairs = static_cast<std::size_t>(d / 2);
            const auto check = [&](const std::vector<double>& factors, const std::string& name) {
                if (factors.size() == pairs) return;
                refuse(name + " has " + std::to_string(factors.size()) +
                       " numbers, head_dim / 2 = " + std::to_string(pairs) + " are needed.");
            };
            check(r.short_factor, "short_factor");
            check(r.long_factor, "long_factor");
            break;
        }
    }
    return r;
}

}  // namespace silica::nn
