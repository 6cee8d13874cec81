#pragma once
/// The keys of a processor's file, read with the addresses that errors name.

#include "silica/input/image/extent.hpp"
#include "silica/input/image/filter.hpp"
#include "silica/input/image/size_rule.hpp"
#include "silica/input/text/json_place.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::image::detail {

using text::JsonPlace;

/// The largest side that a file may ask for.
inline constexpr std::int64_t largest_side = 1 << 20;
/// More tiles of a picture than this are refused.
inline constexpr std::int64_t most_tiles = 4096;

/// Reads the keys of a processor. A key that is absent leaves what stands there; one that is null does not.
class ProcessorKeys {
public:
    explicit ProcessorKeys(JsonPlace place) : place_(std::move(place)) {}

    [[nodiscard]] bool has(std::string_view key) const { return place_.raw().find(key) != nullptr; }
    [[nodiscard]] std::optional<JsonPlace> find(std::string_view key) const { return place_.find(key); }

    /// Null is false.
    void read(std::string_view key, bool& value) const {
        if (!has(key)) return;
        const auto place = find(key);
        value = place && (place->raw().is_integer() ? place->integer(0, 1) == 1 : place->boolean());
    }
    /// One number for all three, or three.
    void read(std::string_view key, std::array<double, 3>& values) const {
        const auto place = find(key);
        if (!place) return;
        if (!place->is_array()) return values.fill(finite(*place));
        if (place->size() != values.size())
            place->fail("has " + std::to_string(place->size()) + " numbers where 3 belong, or one without a list");
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = finite(place->at(i));
    }
    void read(std::string_view key, double& value) const {
        if (const auto place = find(key)) value = finite(*place);
    }
    void read(std::string_view key, Filter& filter) const {
        if (const auto place = find(key)) filter = static_cast<Filter>(place->integer(0, 5));
    }
    /// A list of [height, width]; leaves what stands there where the key is absent.
    void read(std::string_view key, std::vector<Extent>& extents) const {
        const auto place = find(key);
        if (!place) return;
        extents.clear();
        for (std::size_t i = 0; i < place->size(); ++i) {
            const auto pair = place->at(i);
            if (pair.size() != 2) pair.fail("has other than two numbers, a height and a width");
            extents.push_back({side(pair.at(std::size_t{0})), side(pair.at(std::size_t{1}))});
        }
    }
    /// Null where the key is absent or null.
    [[nodiscard]] std::optional<SizeRule> size(std::string_view key, bool square,
                                               std::optional<std::int64_t> longest = {}) const {
        const auto place = find(key);
        if (!place) return std::nullopt;
        SizeRule made;
        if (place->is_array()) {
            if (place->size() != 2) place->fail("has other than two numbers, a height and a width");
            made.height = side(place->at(std::size_t{0}));
            made.width = side(place->at(std::size_t{1}));
        } else if (!place->is_object()) {
            const auto n = side(*place);
            if (square)
                made.height = made.width = n;
            else
                made.shortest_edge = n, made.longest_edge = longest.value_or(0);
        } else if (is_form(*place, {"height", "width"})) {
            made.height = side(place->at("height"));
            made.width = side(place->at("width"));
        } else if (is_form(*place, {"shortest_edge"})) {
            made.shortest_edge = side(place->at("shortest_edge"));
        } else if (is_form(*place, {"shortest_edge", "longest_edge"})) {
            made.shortest_edge = side(place->at("shortest_edge"));
            made.longest_edge = side(place->at("longest_edge"));
        } else if (is_form(*place, {"longest_edge"})) {
            made.longest_edge = side(place->at("longest_edge"));
        } else if (is_form(*place, {"max_height", "max_width"})) {
            made.max_height = side(place->at("max_height"));
            made.max_width = side(place->at("max_width"));
        } else {
            place->fail(
                "has none of these sets of keys: height, width; shortest_edge; shortest_edge, longest_edge; "
                "max_height, max_width");
        }
        return made;
    }
    /// Throws where a step is to be done and the key that it needs is null.
    void require(bool step, std::string_view step_key, std::string_view key) const {
        if (!step || !has(key) || find(key)) return;
        place_.fail("has " + std::string(step_key) + " true and " + std::string(key) + " null");
    }
    [[nodiscard]] const JsonPlace& place() const noexcept { return place_; }

private:
    [[nodiscard]] static std::int64_t side(const JsonPlace& place) { return place.integer(1, largest_side); }
    [[nodiscard]] static double finite(const JsonPlace& place) {
        const double value = place.number();
        if (!std::isfinite(value)) place.fail("is no finite number");
        return value;
    }
    [[nodiscard]] static bool is_form(const JsonPlace& place, std::initializer_list<std::string_view> keys) {
        return place.raw().object().size() == keys.size() && place.has(keys);
    }

    JsonPlace place_;
};

}  // namespace silica::image::detail
