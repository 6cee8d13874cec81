#pragma once
/// Filters on strings and numbers.

#include <silica/input/text/jinja/attributes.hpp>
#include <silica/input/text/jinja/json.hpp>
#include <silica/input/text/jinja/number_filters.hpp>
#include <silica/input/text/jinja/text_methods.hpp>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text::jinja::detail {

[[nodiscard]] inline Value indent(Session& session, const Value& v, const Args& args) {
    const Bound b("indent", args, {"width", "first", "blank"});
    std::string by;
    if (b[0] && b[0]->is_text()) {
        by = b.text(0);
    } else {
        const std::int64_t width = b.whole(0, 4);
        session.take(static_cast<std::size_t>(std::clamp<std::int64_t>(width, 0, std::int64_t{1} << 40)));
        by.assign(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
    }
    if (!v.is_text()) wrong_type("indents", v);
    std::string out;
    if (b.flag(1, false)) out += by;
    bool first = true;
    for (const auto& line : split_lines(v.text() + "\n")) {
        session.take(by.size() + line.size());
        if (!first) out += '\n';
        if (!first && (b.flag(2, false) || !line.empty())) out += by;
        first = false;
        out += line;
    }
    return session.text(std::move(out));
}
[[nodiscard]] inline Value to_json(Session& session, const Value& v, const Args& args) {
    const Bound b("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
    JsonStyle style{.ascii = b.flag(0, false), .sorted = b.flag(3, false)};
    if (!b.absent(1)) {
        style.indented = true;
        style.comma = ",";
        if (b[1]->is_text()) {
            style.indent = b.text(1);
        } else {
            style.indent.assign(static_cast<std::size_t>(std::clamp<std::int64_t>(b.whole(1, 0), 0, 1000)), ' ');
        }
    }
    if (!b.absent(2)) {
        const auto parts = iterate(session, *b[2]);
        if (parts.size() != 2 || !parts[0].is_text() || !parts[1].is_text()) b.refuse("takes two separators");
        style.comma = parts[0].text();
        style.colon = parts[1].text();
    }
    std::string out;
    put_json(session, out, v, style);
    return session.text(std::move(out));
}
/// The filter title: words begin after white space, a dash or an opening bracket.
[[nodiscard]] inline std::string filter_title(std::string_view text) {
    std::string out;
    std::u32string word;
    const auto flush = [&] {
        if (word.empty()) return;
        out += upper(utf8_of(word.substr(0, 1))) + lower(utf8_of(word.substr(1)));
        word.clear();
    };
    for (const char32_t c : characters(text)) {
        if (is_space(c) || c == U'-' || c == U'(' || c == U'{' || c == U'[' || c == U'<') {
            flush();
            utf8::append(out, c);
        } else {
            word.push_back(c);
        }
    }
    flush();
    return out;
}
[[nodiscard]] inline std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '&'    ? "&amp;"
               : c == '<'  ? "&lt;"
               : c == '>'  ? "&gt;"
               : c == '"'  ? "&#34;"
               : c == '\'' ? "&#39;"
                           : std::string(1, c);
    }
    return out;
}
[[nodiscard]] inline std::string url_encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           std::string_view("_.-~/").find(c) != std::string_view::npos;
        if (plain)
            out += c;
        else
            (out += '%') += {"0123456789ABCDEF"[byte >> 4U], "0123456789ABCDEF"[byte & 15U]};
    }
    return out;
}
[[nodiscard]] inline std::int64_t word_count(std::string_view text) {
    std::int64_t n = 0;
    bool inside = false;
    for (const char32_t c : characters(text)) {
        const bool word = letter(c) || unicode::Classes::get().is(c, unicode::is_numeric) || c == U'_';
        n += word && !inside ? 1 : 0;
        inside = word;
    }
    return n;
}

/// The filter, where it is one of these.
[[nodiscard]] inline std::optional<Value> text_filter(Session& session, const std::string& name, const Value& v,
                                                      const Args& args) {
    const auto plain = [&](std::string (*change)(std::string_view)) {
        static_cast<void>(Bound(name, args, {}));
        return session.text(change(text_of(session, v)));
    };
    if (name == "trim") {
        const Bound b(name, args, {"chars"});
        const auto set = b.absent(0) ? std::nullopt : std::optional(characters(b.text(0)));
        return session.text(std::string(strip(text_of(session, v), true, true, set)));
    }
    if (name == "tojson") return to_json(session, v, args);
    if (name == "string" || name == "safe") return v.is_text() ? v : session.text(text_of(session, v));
    if (name == "upper") return plain(upper);
    if (name == "lower") return plain(lower);
    if (name == "capitalize") return plain(capitalize);
    if (name == "title") return plain(filter_title);
    if (name == "escape" || name == "e") return plain(escaped);
    if (name == "urlencode") {
        if (!v.is_text() && iterable(v)) throw Problem("encodes a list for a URL, which Silica does not know");
        return plain(url_encoded);
    }
    if (name == "replace") {
        const Bound b(name, args, {"old", "new", "count"}, 2);
        Args inner{.at = {session.text(text_of(session, *b[0])), session.text(text_of(session, *b[1]))}};
        inner.at.push_back(b.absent(2) ? Value(std::int64_t{-1}) : *b[2]);
        return text_method(session, text_of(session, v), "replace", inner);
    }
    if (name == "indent") return indent(session, v, args);
    if (name == "wordcount") return Value(word_count(text_of(session, v)));
    if (name == "int") return to_whole(v, args);
    if (name == "float") return to_real(v, args);
    if (name == "round") return round(v, args);
    if (name == "abs") {
        if (!v.is_number()) wrong_type("takes the absolute value of", v);
        return v.is_real() ? Value(std::abs(v.number())) : signed_value(v, v.whole() < 0);
    }
    if (name == "format") {
        if (args.named.empty())
            return session.text(percent_format(session, text_of(session, v), session.tuple(args.at)));
        if (!args.at.empty()) throw Problem("formats by places and by names");
        Dict named;
        for (const auto& [key, value] : args.named) named.items.emplace_back(session.text(key), value);
        return session.text(percent_format(session, text_of(session, v), session.dict(std::move(named))));
    }
    return std::nullopt;
}

}  // namespace silica::text::jinja::detail
