#pragma once
/// Definitions of json.hpp.

#include "silica/core/error.hpp"
#include "silica/core/json.hpp"
#include "silica/core/json_reader.hpp"
#include "silica/core/quote.hpp"
#include "silica/core/real.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <functional>
#include <limits>
#include <locale>
#include <sstream>
#include <system_error>

namespace silica {

SILICA_INLINE double Json::number() const {
    if (is_integer()) return static_cast<double>(integer());
    return is_long_integer() ? read_real(digits()) : std::get<double>(value_);
}

SILICA_INLINE const Json* Json::find(std::string_view name) const {
    if (!is_object()) return nullptr;
    for (const auto& [key, value] : object()) {
        if (key == name) return &value;
    }
    return nullptr;
}

SILICA_INLINE std::string Json::brief() const {
    if (is_null()) return "null";
    if (is_bool()) return boolean() ? "true" : "false";
    if (is_integer()) return std::to_string(integer());
    if (is_long_integer()) return digits().size() > 40 ? digits().substr(0, 37) + "..." : digits();
    if (is_string()) return quote(string());
    if (is_array()) return "a list";
    if (is_object()) return "an object";
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << number();
    return text.str();
}

namespace detail {

/// Reads one document.
class JsonBuilder {
public:
    JsonBuilder(std::string_view text, const std::string& source)
        : in_(text, source, "Correct the file, or download it again.") {}

    [[nodiscard]] Json run() {
        Json made = value();
        in_.end();
        return made;
    }

private:
    /// A value takes some fifty bytes whatever its text: `[[],[],` of a gigabyte would take twenty.
    static constexpr std::size_t most_values = std::size_t{1} << 24;
    static constexpr std::size_t most_digits = 4300;  ///< of an integer: Python's limit

    [[nodiscard]] Json value() {
        if (++values_ > most_values) in_.fail("has more than " + std::to_string(most_values) + " values");
        switch (in_.peek()) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return Json(in_.string());
            case 't':
                in_.literal("true");
                return Json(true);
            case 'f':
                in_.literal("false");
                return Json(false);
            case 'n':
                in_.literal("null");
                return {};
            default:
                return number();
        }
    }
    [[nodiscard]] Json object() {
        Json::Object members;
        in_.object([&](std::string name) { members.emplace_back(std::move(name), value()); });
        keep_last(members);
        return Json(std::move(members));
    }
    [[nodiscard]] Json array() {
        Json::Array items;
        in_.array([&] { items.push_back(value()); });
        return Json(std::move(items));
    }
    /// An integer where it is one, else the nearest double.
    [[nodiscard]] Json number() {
        const std::string_view literal = in_.number_literal();
        if (literal.ends_with('N')) return Json(std::numeric_limits<double>::quiet_NaN());
        if (literal.ends_with('y')) {
            const double infinity = std::numeric_limits<double>::infinity();
            return Json(literal.starts_with('-') ? -infinity : infinity);
        }
        if (literal.find_first_of(".eE") != std::string_view::npos) return Json(read_real(literal));
        std::int64_t whole = 0;
        if (std::from_chars(literal.data(), literal.data() + literal.size(), whole).ec == std::errc())
            return Json(whole);
        if (literal.size() > most_digits)
            in_.fail("has an integer of more than " + std::to_string(most_digits) + " digits");
        return Json(LongInteger{std::string(literal)});
    }
    /// Python's rule for a name that stands twice: the first place, the last value.
    static void keep_last(Json::Object& members) {
        std::vector<std::pair<std::size_t, std::size_t>> order;  // hash of the name, place
        order.reserve(members.size());
        for (const auto& member : members) order.emplace_back(std::hash<std::string>{}(member.first), order.size());
        const auto name = [&](const auto& entry) -> const std::string& { return members[entry.second].first; };
        std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
            if (a.first != b.first) return a.first < b.first;
            const int names = name(a).compare(name(b));
            return names != 0 ? names < 0 : a.second < b.second;
        });
        std::vector<bool> gone;
        std::size_t first = 0;
        for (std::size_t i = 1; i < order.size(); ++i) {
            if (order[i].first != order[first].first || name(order[i]) != name(order[first])) {
                first = i;
                continue;
            }
            members[order[first].second].second = std::move(members[order[i].second].second);
            gone.resize(members.size());
            gone[order[i].second] = true;
        }
        if (gone.empty()) return;
        std::size_t place = 0;
        std::erase_if(members, [&](const auto&) { return gone[place++]; });
    }

    JsonReader in_;
    std::size_t values_ = 0;
};

}  // namespace detail

SILICA_INLINE Json Json::parse(std::string_view text, const std::string& source) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    try {
        return detail::JsonBuilder(text, source).run();
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
}

}  // namespace silica
