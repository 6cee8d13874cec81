#pragma once
/// Parameters out of range, each with its key in the error.

#include "silica/core/error.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::generate {

/// One parameter at a time: InputError with its key and value where it is out of range; what is absent is in range.
struct Ranges {
    static constexpr std::int64_t most_of_any = std::numeric_limits<std::int32_t>::max();

    /// Unless `right`.
    template <class T, class Right>
    static void require(std::string_view key, const std::optional<T>& value, Right&& right, const char* remedy) {
        if (!value || right(*value)) return;
        std::ostringstream text;
        text << *value;
        throw InputError(std::string(key) + " is " + text.str() + ".", remedy);
    }
    /// From `least` to what 32 bits hold: larger numbers are damage, and would overflow where they are added up.
    static void whole(std::string_view key, const std::optional<std::int64_t>& value, std::int64_t least) {
        require(
            key, value, [&](auto v) { return v >= least; }, (std::to_string(least) + " or more is needed.").c_str());
        require(
            key, value, [](auto v) { return v <= most_of_any; },
            ("at most " + std::to_string(most_of_any) + " is possible.").c_str());
    }
    static void positive(std::string_view key, const std::optional<double>& value, const char* remedy) {
        require(key, value, [](double v) { return v > 0 && std::isfinite(v); }, remedy);
    }
    /// A penalty that scores are divided by.
    static void penalty(std::string_view key, const std::optional<double>& value) {
        positive(key, value, "a number over 0 is needed; 1 is no penalty.");
    }
    static void temperature(const std::optional<double>& value) {
        positive("temperature", value, "a number over 0 is needed; for the most likely token set do_sample to false.");
    }
    /// Those that are tried in turn, of which 0 takes the likeliest token: one at least.
    static void temperatures(const std::vector<double>& all) {
        if (all.empty())
            throw InputError("There is no temperature.", "give at least one; 0 takes the likeliest token.");
        for (const double t : all)
            require(
                "temperature", std::optional(t), [](double v) { return v >= 0 && std::isfinite(v); },
                "give 0 or more.");
    }
    /// From 0 to 1.
    static void share(std::string_view key, const std::optional<double>& value) {
        require(key, value, [](double v) { return v >= 0 && v <= 1; }, "a number from 0 to 1 is needed.");
    }
    /// The same without 0.
    static void part(std::string_view key, const std::optional<double>& value) {
        require(key, value, [](double v) { return v > 0 && v <= 1; }, "a number over 0, at most 1, is needed.");
    }
    /// The same without 1.
    static void cutoff(std::string_view key, const std::optional<double>& value) {
        require(key, value, [](double v) { return v >= 0 && v < 1; }, "a number from 0 to below 1 is needed.");
    }
    static void finite(std::string_view key, const std::optional<double>& value) {
        require(key, value, [](double v) { return std::isfinite(v); }, "a finite number is needed.");
    }
    static void number(std::string_view key, const std::optional<double>& value) {
        require(key, value, [](double v) { return !std::isnan(v); }, "a number is needed.");
    }
    /// How many tokens are kept at least.
    static void keep(std::int64_t tokens) { whole("keep", tokens, 1); }
};

}  // namespace silica::generate
