#pragma once
/// Between JSON and values: json.dumps for the filter tojson, and Silica's documents as values.

#include <silica/core/json.hpp>
#include <silica/input/text/jinja/iteration.hpp>
#include <silica/input/text/jinja/merge_sort.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// A document as Python's json.loads makes it.
[[nodiscard]] inline Value from_json(Session& session, const Json& json) {
    if (json.is_null()) return None{};
    if (json.is_bool()) return Value(json.boolean());
    if (json.is_integer()) return Value(json.integer());
    if (json.is_long_integer()) {
        const bool negative = json.digits()[0] == '-';
        const auto digits = std::string_view(json.digits()).substr(negative ? 1 : 0);
        session.spend(digits.size() * digits.size() / 64);
        return session.integer(BigInteger::of_digits(digits, 10, negative));
    }
    if (json.is_number()) return Value(json.number());
    if (json.is_string()) return session.text(json.string());
    if (json.is_array()) {
        Values items;
        for (const auto& item : json.array()) items.push_back(from_json(session, item));
        return session.list(std::move(items));
    }
    Dict dict;
    for (const auto& [name, value] : json.object()) {
        dict.items.emplace_back(session.text(name), from_json(session, value));
    }
    return session.dict(std::move(dict));
}

/// What json.dumps is told.
struct JsonStyle {
    bool ascii = false, sorted = false, indented = false;
    std::string indent = {}, comma = ", ", colon = ": ";
};

namespace detail {

inline void put_json_text(std::string& out, std::string_view text, bool ascii) {
    const auto escape = [&out](char32_t unit) {
        out += "\\u";
        for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[unit >> shift & 15U];
    };
    out += '"';
    for (std::size_t i = 0; i < text.size();) {
        const auto [c, n] = utf8::decode(text.data() + i);
        constexpr std::string_view plain = "\"\\\n\r\t\f\b", names = "\"\\nrtfb";
        if (const auto known = c < 0x80 ? plain.find(static_cast<char>(c)) : std::string_view::npos;
            known != std::string_view::npos) {
            out += '\\';
            out += names[known];
        } else if (c < 0x20 || (ascii && c > 0x7E && c < 0x10000)) {
            escape(c);
        } else if (ascii && c >= 0x10000) {
            escape(0xD7C0 + (c >> 10U));
            escape(0xDC00 + (c & 0x3FFU));
        } else {
            out.append(text.substr(i, n));
        }
        i += n;
    }
    out += '"';
}
[[nodiscard]] inline std::string json_real(double x) {
    return std::isnan(x) ? "NaN" : std::isinf(x) ? (x < 0 ? "-Infinity" : "Infinity") : real_text(x);
}
[[nodiscard]] inline std::string json_key(Session& session, const Value& key) {
    if (key.is_text()) return key.text();
    if (key.is_none()) return "null";
    if (key.is_bool()) return key.boolean() ? "true" : "false";
    if (key.is_integer()) return whole_text(session, key);
    if (key.is_real()) return json_real(key.number());
    wrong_type("writes JSON with the key", key);
}

}  // namespace detail

/// Appends json.dumps(v).
inline void put_json(Session& session, std::string& out, const Value& v, const JsonStyle& style, std::size_t deep = 0) {
    session.spend(1);
    const Level level(session);
    const std::size_t before = out.size();
    const auto line = [&](std::size_t depth) {
        if (!style.indented) return;
        session.take(depth * style.indent.size());
        out += '\n';
        for (std::size_t i = 0; i < depth; ++i) out += style.indent;
    };
    const auto members = [&](char open, char close, const auto& items, const auto& put) {
        out += open;
        bool first = true;
        for (const auto& item : items) {
            if (!first) out += style.comma;
            first = false;
            line(deep + 1);
            put(item);
        }
        if (!first) line(deep);
        out += close;
    };
    if (v.is_none()) {
        out += "null";
    } else if (v.is_bool()) {
        out += v.boolean() ? "true" : "false";
    } else if (v.is_integer()) {
        out += whole_text(session, v);
    } else if (v.is_real()) {
        out += detail::json_real(v.number());
    } else if (v.is_text()) {
        detail::put_json_text(out, v.text(), style.ascii);
    } else if (v.is_sequence()) {
        return members('[', ']', v.list().items,
                       [&](const Value& item) { put_json(session, out, item, style, deep + 1); });
    } else if (v.is_dict()) {
        auto items = v.dict().items;
        session.take(items.size() * 2 * sizeof(Value));
        if (style.sorted) {
            detail::stable_sort(items, [&](const auto& a, const auto& b) { return less(session, a.first, b.first); });
        }
        return members('{', '}', items, [&](const auto& item) {
            const std::size_t start = out.size();
            detail::put_json_text(out, detail::json_key(session, item.first), style.ascii);
            out += style.colon;
            session.take(out.size() - start);
            put_json(session, out, item.second, style, deep + 1);
        });
    } else {
        wrong_type("writes as JSON", v);
    }
    session.take(out.size() - before);
}

}  // namespace silica::text::jinja
