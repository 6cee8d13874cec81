#pragma once
/// Splitting, searching, padding, joining and formatting strings, as Python does.

#include <silica/input/text/jinja/arguments.hpp>
#include <silica/input/text/jinja/markup.hpp>
#include <silica/input/text/jinja/number_format.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

namespace detail {

/// str.split and str.rsplit: at `separator`, or at white space where there is none; at most `most` times.
[[nodiscard]] inline Value split(Session& session, const Value& self, const std::string* separator, std::int64_t most,
                                 bool from_right) {
    Values out;
    std::string_view text = self.text();
    const auto put = [&](std::string_view part) { out.push_back(session.text(std::string(part), self.is_markup())); };
    const auto enough = [&] { return most >= 0 && static_cast<std::int64_t>(out.size()) >= most; };
    if (separator && separator->empty()) throw Problem("splits a string at an empty string");
    if (separator) session.spend_search(self.text(), *separator);
    while (true) {
        if (!separator) {
            text = strip(text, !from_right, from_right);
            if (text.empty()) break;
            if (enough()) {
                put(text);
                break;
            }
            std::size_t end = from_right ? text.size() : 0;
            while (from_right ? end > 0 : end < text.size()) {
                const auto c = from_right ? utf8::decode_before(text, end) : utf8::decode(text.data() + end);
                if (is_space(c.value)) break;
                end = from_right ? end - c.length : end + c.length;
            }
            put(from_right ? text.substr(end) : text.substr(0, end));
            text = from_right ? text.substr(0, end) : text.substr(end);
            continue;
        }
        const auto found = enough()     ? std::string_view::npos
                           : from_right ? text.rfind(*separator)
                                        : text.find(*separator);
        if (found == std::string_view::npos) {
            put(text);
            break;
        }
        put(from_right ? text.substr(found + separator->size()) : text.substr(0, found));
        text = from_right ? text.substr(0, found) : text.substr(found + separator->size());
    }
    if (from_right) std::reverse(out.begin(), out.end());
    return session.list(std::move(out));
}

/// The part of a string between two places of characters, as Python's slices; nothing where start is beyond the end.
struct Window {
    std::string_view text;
    std::int64_t start;
    bool valid;
};
[[nodiscard]] inline Window window(std::string_view text, const Bound& args, std::size_t first) {
    const auto size = static_cast<std::int64_t>(utf8::count(text));
    const auto place = [&](std::size_t i, std::int64_t otherwise) {
        if (args.absent(i)) return otherwise;
        if (args[i]->is_big()) return args[i]->is_negative() ? std::int64_t{0} : std::int64_t{1} << 62;
        const std::int64_t n = args.whole(i, 0);
        return n < 0 ? std::max<std::int64_t>(n + size, 0) : n;
    };
    const std::int64_t start = place(first, 0), stop = std::min(place(first + 1, size), size);
    if (start > stop) return {{}, start, false};
    const auto offset = [&text](std::int64_t characters) {
        std::size_t at = 0;
        for (; characters > 0; --characters) at += utf8::length(text[at]);
        return at;
    };
    const auto from = offset(start);
    return {text.substr(from, offset(stop) - from), start, true};
}
/// str.find and its like: the place of a character, or -1.
[[nodiscard]] inline std::int64_t place_of(std::string_view text, const Bound& args, bool last) {
    const auto [part, start, valid] = window(text, args, 1);
    if (!valid) return -1;
    const auto found = last ? part.rfind(args.text(0)) : part.find(args.text(0));
    return found == std::string_view::npos ? -1 : start + static_cast<std::int64_t>(utf8::count(part.substr(0, found)));
}
/// str.startswith and str.endswith, of a string or a tuple.
[[nodiscard]] inline bool begins(std::string_view text, const Bound& args, bool ends) {
    const auto found = window(text, args, 1);
    const auto fits = [&found, ends](const Value& v) {
        if (!v.is_text()) wrong_type("compares the start or end of a string with", v);
        return found.valid && (ends ? found.text.ends_with(v.text()) : found.text.starts_with(v.text()));
    };
    if (!args[0]->is_sequence() || !args[0]->list().is_tuple) return fits(*args[0]);
    return std::any_of(args[0]->list().items.begin(), args[0]->list().items.end(), fits);
}
/// Whether there are characters and all are of a kind.
template <class Test>
[[nodiscard]] bool all_characters(std::string_view text, Test&& test) {
    const auto all = characters(text);
    return !all.empty() && std::all_of(all.begin(), all.end(), test);
}
[[nodiscard]] inline bool digit(char32_t c) {
    return category(c) == UTF8PROC_CATEGORY_ND || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
           (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468);
}
/// str.isupper (`wanted` upper) and str.islower: something has case, and nothing has the other.
[[nodiscard]] inline bool all_case(std::string_view text, bool wanted_upper) {
    bool some = false;
    for (const char32_t c : characters(text)) {
        if (category(c) == UTF8PROC_CATEGORY_LT || (wanted_upper ? lower_case(c) : upper_case(c))) return false;
        some = some || (wanted_upper ? upper_case(c) : lower_case(c));
    }
    return some;
}
[[nodiscard]] inline std::string padded(Session& session, const std::string& text, const Bound& args, int side) {
    const std::int64_t size = static_cast<std::int64_t>(utf8::count(text)), width = args.whole(0, 0);
    const std::string fill = args[1] ? args.text(1) : " ";
    if (utf8::count(fill) != 1) throw Problem("fills a string with something else than one character");
    if (width <= size) return text;
    session.take(static_cast<std::size_t>(std::min(width, std::int64_t{1} << 40)) * fill.size());
    const std::int64_t gap = width - size;
    std::int64_t left = side < 0 ? 0 : gap;
    if (side == 0) left = gap / 2 + (gap & width & 1);
    std::string out;
    for (std::int64_t i = 0; i < left; ++i) out += fill;
    out += text;
    for (std::int64_t i = left; i < gap; ++i) out += fill;
    return out;
}
/// str.join; that of a Markup escapes the parts.
[[nodiscard]] inline Value join(Session& session, const Value& glue, const Values& parts) {
    std::string out;
    bool first = true;
    for (const auto& part : parts) {
        if (!glue.is_markup() && !part.is_text()) wrong_type("joins", part);
        const std::string text = glue.is_markup() ? escape(session, part).text() : part.text();
        session.take(text.size() + glue.text().size());
        if (!first) out += glue.text();
        first = false;
        out += text;
    }
    return session.text(std::move(out), glue.is_markup());
}
/// str.expandtabs.
[[nodiscard]] inline std::string expanded_tabs(Session& session, std::string_view text, std::int64_t size) {
    std::string out;
    std::int64_t column = 0;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t n = utf8::length(text[i]);
        if (text[i] == '\t') {
            const std::int64_t gap = size > 0 ? size - column % size : 0;
            session.take(static_cast<std::size_t>(gap));
            out.append(static_cast<std::size_t>(gap), ' ');
            column += gap;
        } else {
            out.append(text.substr(i, n));
            column = text[i] == '\n' || text[i] == '\r' ? 0 : column + 1;
        }
        i += n;
    }
    return out;
}
/// str.maketrans: a dict from the numbers of characters.
[[nodiscard]] inline Value translation(Session& session, const Bound& args) {
    Dict made;
    const auto number = [](char32_t c) { return Value(static_cast<std::int64_t>(c)); };
    if (!args[1]) {
        if (!args[0]->is_dict()) args.refuse("takes one dict or two strings");
        for (const auto& [key, value] : args[0]->dict().items) {
            if (!key.is_text() && !key.is_whole()) args.refuse("takes characters and numbers for keys");
            const auto c = key.is_text() ? characters(key.text()) : std::u32string();
            if (key.is_text() && c.size() != 1) args.refuse("takes single characters for keys");
            assign(session, made, key.is_text() ? number(c[0]) : key, value);
        }
        return session.dict(std::move(made));
    }
    const auto from = characters(args.text(0)), to = characters(args.text(1));
    if (from.size() != to.size()) args.refuse("takes two strings of one length");
    for (std::size_t i = 0; i < from.size(); ++i) assign(session, made, number(from[i]), number(to[i]));
    if (args[2]) {
        for (const char32_t c : characters(args.text(2))) assign(session, made, number(c), None{});
    }
    return session.dict(std::move(made));
}
/// str.translate by a dict.
[[nodiscard]] inline std::string translated(Session& session, std::string_view text, const Value& table) {
    if (!table.is_dict()) wrong_type("translates a string by", table);
    std::string out;
    for (const char32_t c : characters(text)) {
        const Value* found = find(session, table.dict(), Value(static_cast<std::int64_t>(c)));
        if (!found) {
            utf8::append(out, c);
        } else if (found->is_text()) {
            session.take(found->text().size());
            out += found->text();
        } else if (found->is_whole()) {
            out += character(*found);
        } else if (!found->is_none()) {
            wrong_type("translates a character to", *found);
        }
    }
    return out;
}

}  // namespace detail

}  // namespace silica::text::jinja
