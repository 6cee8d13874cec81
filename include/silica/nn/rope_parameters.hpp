#pragma once
/// How a configuration says at which frequencies rotary embeddings turn: `rope_parameters`, before that `rope_scaling`
/// and `rope_theta`.

#include "silica/core/reflect.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::nn {

/// The kinds of transformers' ROPE_INIT_FUNCTIONS that these families use.
enum class RopeType { plain, linear, dynamic, yarn, longrope, llama3 };

inline constexpr std::array<std::pair<std::string_view, RopeType>, 6> rope_type_names{{
    {"default", RopeType::plain},
    {"linear", RopeType::linear},
    {"dynamic", RopeType::dynamic},
    {"yarn", RopeType::yarn},
    {"longrope", RopeType::longrope},
    {"llama3", RopeType::llama3},
}};
constexpr const auto& enum_names(RopeType) { return rope_type_names; }

/// Keys of `rope_parameters` or `rope_scaling`; which of them count depends on the type.
struct RopeParameters {
    std::optional<RopeType> rope_type = {};
    std::optional<double> rope_theta = {}, factor = {}, low_freq_factor = {}, high_freq_factor = {},
                          attention_factor = {}, beta_fast = {}, beta_slow = {}, mscale = {}, mscale_all_dim = {},
                          partial_rotary_factor = {};
    std::optional<std::int64_t> original_max_position_embeddings = {};
    std::optional<bool> truncate = {};
    std::vector<double> short_factor = {}, long_factor = {};

    static constexpr std::array<std::pair<std::string_view, std::string_view>, 1> aliases() {
        return {{{"rope_type", "type"}}};
    }
    [[nodiscard]] RopeType type() const { return rope_type.value_or(RopeType::plain); }
};

}  // namespace silica::nn

BOOST_HANA_ADAPT_STRUCT(silica::nn::RopeParameters, rope_type, rope_theta, factor, low_freq_factor, high_freq_factor,
                        attention_factor, beta_fast, beta_slow, mscale, mscale_all_dim, partial_rotary_factor,
                        original_max_position_embeddings, truncate, short_factor, long_factor);

namespace silica::nn {

/// What the keys of one configuration say together, with transformers' defaults for what they leave out.
/// `parameters` is `rope_parameters`, `scaling` is `rope_scaling`, `theta` the older key beside it.
/// ConfigError for parameters that the type needs and that are missing or impossible.
inline RopeParameters rope_of(const std::string& file, const std::optional<RopeParameters>& parameters,
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
