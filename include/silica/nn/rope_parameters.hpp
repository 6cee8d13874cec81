#pragma once
/// How a configuration says at which frequencies rotary embeddings turn: `rope_parameters`, before that `rope_scaling`
/// and `rope_theta`.

#include "silica/core/compiled.hpp"
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
[[nodiscard]] RopeParameters rope_of(const std::string& file, const std::optional<RopeParameters>& parameters,
                                     const std::optional<RopeParameters>& scaling, std::optional<double> theta,
                                     std::optional<std::int64_t> original, std::int64_t max_positions, std::int64_t d);

}  // namespace silica::nn

#ifndef SILICA_COMPILED
#include "silica/nn/rope_parameters.ipp"
#endif
