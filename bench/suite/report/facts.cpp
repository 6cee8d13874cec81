#include "suite/report/facts.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "suite/report/escape.hpp"

namespace silica::bench::suite::report {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t most_facts = 60;

/// The fields of an object with their names: "name Performance, cores 8".
std::string object_text(const ordered_json& object) {
    std::string out;
    for (const auto& [name, value] : object.items())
        out += (out.empty() ? "" : ", ") + fact_name(name) + " " + fact_text(value);
    return out.empty() ? "-" : out;
}

std::string list_text(const ordered_json& list) {
    const bool objects = std::ranges::any_of(list, [](const ordered_json& item) { return item.is_structured(); });
    std::string out;
    for (const auto& item : list) out += (out.empty() ? "" : objects ? "; " : ", ") + fact_text(item);
    return out.empty() ? "-" : out;
}

void flatten(const ordered_json& value, const std::string& name, Facts& out) {
    if (out.size() >= most_facts) return;
    if (!value.is_object()) {
        if (!name.empty()) out.emplace_back(name, shortened(plain(fact_text(value)), 200));
        return;
    }
    for (const auto& [key, item] : value.items()) flatten(item, (name.empty() ? "" : name + " ") + fact_name(key), out);
}

}  // namespace

std::string fact_text(const ordered_json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_array()) return list_text(value);
    if (value.is_object()) return object_text(value);
    if (value.is_number_float()) {
        const auto x = value.get<double>();
        char text[32];
        std::snprintf(text, sizeof text, "%.10g", x);
        return std::isfinite(x) ? text : "-";
    }
    return value.is_number() ? value.dump() : "-";
}

std::string fact_name(std::string_view field) {
    if (field == "load") return "load, average of a minute";
    if (field == "mhz") return "clock, MHz";
    if (field == "celsius") return "temperature, °C";
    if (field == "pressure") return "thermal pressure";
    if (field == "throttled") return "times slowed down by heat";
    if (field == "cpu_capability") return "kernels of LibTorch";
    const bool memory = field.ends_with("_mb");
    std::string name(memory ? field.substr(0, field.size() - 3) : field);
    std::ranges::replace(name, '_', ' ');
    return memory ? name + ", MiB" : name;
}

Facts facts_of(const ordered_json& value) {
    Facts facts;
    flatten(value, "", facts);
    return facts;
}

}  // namespace silica::bench::suite::report
