#pragma once
/// What JSON says of a machine, a build or its conditions, as lines that people read.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace silica::bench::suite::report {

/// {name, text}.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// A value without JSON's signs: "yes", "24152.1", "avx2, fma", "name Performance, cores 8; name Efficiency, cores 4".
[[nodiscard]] std::string fact_text(const nlohmann::ordered_json& value);

/// A field's name in words, with its unit: "memory_mb" is "memory, MiB", "celsius" is "temperature, °C".
[[nodiscard]] std::string fact_name(std::string_view field);

/// {"start": {"load": 1}} as {"start load, average of a minute", "1"}. The first 60 lines; long texts are cut.
[[nodiscard]] Facts facts_of(const nlohmann::ordered_json& value);

}  // namespace silica::bench::suite::report
