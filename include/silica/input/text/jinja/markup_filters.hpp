#pragma once
/// Filters for HTML: striptags, xmlattr, urlize, urlencode.

#include <silica/input/text/jinja/arguments.hpp>
#include <silica/input/text/jinja/html_entities.hpp>
#include <silica/input/text/jinja/markup.hpp>
#include <silica/input/text/jinja/text_parts.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

namespace detail {

/// The character of `&#...`, whose text is `digits`: Python's html.unescape. Nothing where it stands for nothing.
[[nodiscard]] inline std::string numbered_character(std::string_view digits, unsigned base) {
    constexpr std::array<char32_t, 32> windows = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                                  0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                                  0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                  0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};
    char32_t c = 0;
    for (const char d : digits) {
        c = c * base + static_cast<char32_t>(d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10);
        c = std::min<char32_t>(c, 0x110000);
    }
    if (c == 0 || (c >= 0xD800 && c < 0xE000) || c > 0x10FFFF) return "\xEF\xBF\xBD";
    if (c >= 0x80 && c < 0xA0) c = windows[c - 0x80];
    const bool invalid = (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || (c >= 0x7F && c < 0xA0) ||
                         (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
    const bool named = c == 0x81 || c == 0x8D || c == 0x8F || c == 0x90 || c == 0x9D;
    std::string out;
    if (!invalid || named) utf8::append(out, c);
    return out;
}
/// What stands for `&...` at text[at], and where it ends.
[[nodiscard]] inline std::pair<std::string, std::size_t> reference(std::string_view text, std::size_t at) {
    const auto run = [&](std::size_t from, std::string_view set) {
        std::size_t end = from;
        while (end < text.size() && set.find(text[end]) != std::string_view::npos) ++end;
        return end;
    };
    if (text.substr(at + 1, 1) == "#") {
        const bool hex = text.substr(at + 2, 1) == "x" || text.substr(at + 2, 1) == "X";
        const std::size_t start = at + (hex ? 3 : 2);
        const std::size_t end = run(start, hex ? "0123456789abcdefABCDEF" : "0123456789");
        if (end == start) return {"&", at + 1};
        return {numbered_character(text.substr(start, end - start), hex ? 16 : 10), end + (text.substr(end, 1) == ";")};
    }
    std::size_t end = at + 1;
    for (int count = 0; end < text.size() && count < 32; ++count) {
        if (std::string_view("\t\n\f <&#;").find(text[end]) != std::string_view::npos) break;
        end += utf8::length(text[end]);
    }
    if (end == at + 1) return {"&", at + 1};
    end += text.substr(end, 1) == ";";
    for (std::size_t n = end - at - 1; n > 1; --n) {
        const auto name = text.substr(at + 1, n);
        if (name == "NewLine;") return {"\n", at + 1 + n};
        const auto found = html_entity(name);
        if (!found.empty()) return {std::string(found), at + 1 + n};
    }
    return {std::string(text.substr(at, end - at)), end};
}
[[nodiscard]] inline std::string unescaped_html(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] != '&') {
            out += text[i++];
            continue;
        }
        auto [piece, end] = reference(text, i);
        out += piece;
        i = end;
    }
    return out;
}
[[nodiscard]] inline std::string url_encoded(std::string_view text, bool for_query = false) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && !for_query);
        if (plain)
            out += c;
        else if (for_query && c == ' ')
            out += '+';
        else
            (out += '%') += {"0123456789ABCDEF"[byte >> 4U], "0123456789ABCDEF"[byte & 15U]};
    }
    return out;
}
/// The filter urlencode: a text, or a dict or pairs as a query.
[[nodiscard]] inline std::string url_encode(Session& session, const Value& v) {
    if (v.is_text() || !iterable(v)) return url_encoded(text_of(session, v));
    std::string out;
    const auto put = [&](const Value& key, const Value& value) {
        if (!out.empty()) out += '&';
        out += url_encoded(text_of(session, key), true) + '=' + url_encoded(text_of(session, value), true);
    };
    if (v.is_dict()) {
        for (const auto& [key, value] : v.dict().items) put(key, value);
        return out;
    }
    for (const auto& item : iterate(session, v)) {
        const auto pair = iterate(session, item);
        if (pair.size() != 2) throw Problem("encodes for a URL something else than pairs");
        put(pair[0], pair[1]);
    }
    return out;
}
/// The filter xmlattr: a dict as attributes of a tag.
[[nodiscard]] inline Value xml_attributes(Session& session, const Value& v, const Args& args) {
    const Bound b("xmlattr", args, {"autospace"});
    if (!v.is_dict()) wrong_type("makes attributes of", v);
    std::string out;
    for (const auto& [key, value] : v.dict().items) {
        if (value.is_none() || value.is_undefined()) continue;
        if (!key.is_text()) wrong_type("names an attribute by", key);
        if (key.text().find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
            throw Problem("names an attribute " + quote(key.text()));
        }
        if (!out.empty()) out += ' ';
        out += escape(session, key).text() + "=\"" + escape(session, value).text() + '"';
    }
    if (b.flag(0, true) && !out.empty()) out.insert(0, 1, ' ');
    return session.text(std::move(out), session.autoescape);
}

}  // namespace detail

/// Markup.unescape: named and numbered characters become themselves.
[[nodiscard]] inline Value unescape(Session& session, const Value& v) {
    session.take(v.text().size());
    return session.text(detail::unescaped_html(v.text()));
}
/// Markup.striptags: without tags and comments, white space collapsed, unescaped.
[[nodiscard]] inline Value strip_tags(Session& session, const Value& v) {
    const std::string& text = v.text();
    std::string kept;
    std::size_t from = 0;
    for (std::size_t at = 0; (at = text.find('<', from)) != std::string::npos;) {
        const bool comment = text.compare(at, 4, "<!--") == 0;
        const auto end = comment ? text.find("-->", at + 4) : text.find('>', at);
        if (end == std::string::npos) break;
        kept += text.substr(from, at - from);
        from = end + (comment ? 3 : 1);
    }
    kept += text.substr(from);
    const Values words = iterate(session, detail::split(session, Value(kept), nullptr, -1, false));
    return unescape(session, detail::join(session, Value(" "), words));
}

}  // namespace silica::text::jinja
