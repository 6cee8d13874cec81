#pragma once
/// Python's str() and repr() of values.

#include <silica/input/text/jinja/number.hpp>
#include <silica/input/text/jinja/session.hpp>
#include <silica/input/text/jinja/strings.hpp>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::text::jinja {

/// The name of a value's type in Python.
[[nodiscard]] inline const char* type_name(const Value& v) {
    if (v.is_undefined()) return "Undefined";
    if (v.is_none()) return "NoneType";
    if (v.is_bool()) return "bool";
    if (v.is_integer()) return "int";
    if (v.is_real()) return "float";
    if (v.is_text()) return v.is_markup() ? "Markup" : "str";
    if (v.is_sequence()) return v.list().is_tuple ? "tuple" : "list";
    if (v.is_dict()) return "dict";
    if (v.holds<const Range>()) return "range";
    if (v.holds<Iterator>()) return "generator";
    if (v.holds<const View>()) return "dict view";
    if (v.holds<Namespace>()) return "Namespace";
    if (v.holds<Loop>()) return "LoopContext";
    if (v.holds<Cycler>()) return "Cycler";
    if (v.holds<Joiner>()) return "Joiner";
    return "function";
}

/// repr of a float: the shortest digits that read back as the same number.
[[nodiscard]] inline std::string real_text(double x) {
    if (std::isnan(x)) return "nan";
    if (std::isinf(x)) return x < 0 ? "-inf" : "inf";
    char buffer[40];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, x, std::chars_format::scientific).ptr;
    std::string_view all(buffer, static_cast<std::size_t>(end - buffer));
    std::string out;
    if (all.front() == '-') {
        out = "-";
        all.remove_prefix(1);
    }
    const auto e = all.find('e');
    std::string digits(all.substr(0, 1));
    if (e > 1) digits += all.substr(2, e - 2);
    int exponent = 0;
    const auto* first = all.data() + e + (all[e + 1] == '+' ? 2 : 1);
    std::from_chars(first, all.data() + all.size(), exponent);
    const int count = static_cast<int>(digits.size());
    if (exponent < -4 || exponent >= 16) {
        out += digits.substr(0, 1);
        if (count > 1) out += "." + digits.substr(1);
        out += exponent < 0 ? "e-" : "e+";
        const int size = std::abs(exponent);
        return out + (size < 10 ? "0" : "") + std::to_string(size);
    }
    if (exponent < 0) return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    if (count <= exponent + 1)
        return out + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
    const auto point = static_cast<std::size_t>(exponent + 1);
    return out + digits.substr(0, point) + "." + digits.substr(point);
}

namespace detail {

/// Appends \\x, \\u or \\U and the number of a character.
inline void put_escape(std::string& out, char32_t c) {
    const int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
    out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += "0123456789abcdef"[c >> shift & 15U];
}
/// str.isprintable of one character.
[[nodiscard]] inline bool printable(char32_t c) {
    if (c < 0x7F) return c >= 0x20;
    const auto kind = category(c);
    return kind != UTF8PROC_CATEGORY_CC && kind != UTF8PROC_CATEGORY_CF && kind != UTF8PROC_CATEGORY_CS &&
           kind != UTF8PROC_CATEGORY_CO && kind != UTF8PROC_CATEGORY_CN && kind != UTF8PROC_CATEGORY_ZL &&
           kind != UTF8PROC_CATEGORY_ZP && kind != UTF8PROC_CATEGORY_ZS;
}

}  // namespace detail

/// repr of a str.
[[nodiscard]] inline std::string python_quoted(std::string_view text) {
    const bool twice = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
    const char quote = twice ? '"' : '\'';
    std::string out(1, quote);
    for (const char32_t c : characters(text)) {
        if (c == U'\\' || c == static_cast<char32_t>(quote)) {
            out += '\\';
            out += static_cast<char>(c);
        } else if (c == U'\n' || c == U'\r' || c == U'\t') {
            out += c == U'\n' ? "\\n" : c == U'\r' ? "\\r" : "\\t";
        } else if (detail::printable(c)) {
            utf8::append(out, c);
        } else {
            detail::put_escape(out, c);
        }
    }
    return out + quote;
}

/// str of a loop.
[[nodiscard]] std::string loop_text(Loop& loop);

/// Appends repr(v).
inline void put_repr(Session& session, std::string& out, const Value& v);

namespace detail {

template <class Items, class Put>
void put_joined(Session& session, std::string& out, const Items& items, const char* open, const char* close,
                Put&& put) {
    const Level level(session);
    out += open;
    bool first = true;
    for (const auto& item : items) {
        if (!first) out += ", ";
        first = false;
        put(item);
    }
    out += close;
}
inline void put_dict(Session& session, std::string& out, const Dict& dict) {
    put_joined(session, out, dict.items, "{", "}", [&](const auto& item) {
        put_repr(session, out, item.first);
        out += ": ";
        put_repr(session, out, item.second);
    });
}

}  // namespace detail

inline void put_repr(Session& session, std::string& out, const Value& v) {
    session.spend(1);
    const std::size_t before = out.size();
    if (v.is_undefined()) {
        out += "Undefined";
    } else if (v.is_none()) {
        out += "None";
    } else if (v.is_bool()) {
        out += v.boolean() ? "True" : "False";
    } else if (v.is_integer()) {
        out += whole_text(session, v);
    } else if (v.is_real()) {
        out += real_text(v.number());
    } else if (v.is_text()) {
        out += v.is_markup() ? "Markup(" + python_quoted(v.text()) + ")" : python_quoted(v.text());
    } else if (v.is_sequence()) {
        const auto& list = v.list();
        const char* close = !list.is_tuple ? "]" : list.items.size() == 1 ? ",)" : ")";
        detail::put_joined(session, out, list.items, list.is_tuple ? "(" : "[", close,
                           [&](const Value& item) { put_repr(session, out, item); });
        return;
    } else if (v.is_dict()) {
        return detail::put_dict(session, out, v.dict());
    } else if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        out += "range(" + std::to_string(r.start) + ", " + std::to_string(r.stop);
        out += r.step == 1 ? ")" : ", " + std::to_string(r.step) + ")";
    } else if (v.holds<const View>()) {
        const auto& view = *v.ref<const View>();
        out += "dict_" + view.name + "(";
        detail::put_joined(session, out, view.of->items, "[", "]", [&](const auto& item) {
            if (view.name != "items") return put_repr(session, out, view.name == "keys" ? item.first : item.second);
            out += "(";
            put_repr(session, out, item.first);
            out += ", ";
            put_repr(session, out, item.second);
            out += ")";
        });
        out += ")";
        return;
    } else if (v.holds<Namespace>()) {
        out += "<Namespace ";
        detail::put_dict(session, out, v.ref<Namespace>()->attributes);
        out += ">";
        return;
    } else if (v.holds<const Callable>() && v.ref<const Callable>()->macro) {
        const std::string& name = v.ref<const Callable>()->name;
        out += "<Macro " + (name.empty() ? "anonymous" : python_quoted(name)) + ">";
    } else if (v.holds<Loop>()) {
        out += loop_text(*v.ref<Loop>());
    } else {
        throw Problem(std::string("prints a ") + type_name(v) + ", which has no text of its own");
    }
    session.take(out.size() - before);
}

/// str(v).
[[nodiscard]] inline std::string text_of(Session& session, const Value& v) {
    if (v.is_text()) return v.text();
    if (v.is_undefined()) return {};
    std::string out;
    put_repr(session, out, v);
    return out;
}

}  // namespace silica::text::jinja
