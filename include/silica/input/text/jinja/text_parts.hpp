#pragma once
/// Splitting, searching, padding, joining and formatting strings, as Python does.

#include <silica/input/text/jinja/arguments.hpp>

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
[[nodiscard]] inline Value split(Session& session, std::string_view text, const std::string* separator,
                                 std::int64_t most, bool from_right) {
    Values out;
    const auto put = [&](std::string_view part) { out.push_back(session.text(std::string(part))); };
    const auto enough = [&] { return most >= 0 && static_cast<std::int64_t>(out.size()) >= most; };
    if (separator && separator->empty()) throw Problem("splits a string at an empty string");
    while (true) {
        if (!separator) {
            text = strip(text, !from_right, from_right);
            if (text.empty()) break;
            if (enough()) {
                put(strip(text, from_right, !from_right));
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
/// str.join, and the filter.
[[nodiscard]] inline Value join(Session& session, const std::string& glue, const Values& parts, bool convert) {
    std::string out;
    bool first = true;
    for (const auto& part : parts) {
        if (!convert && !part.is_text()) wrong_type("joins", part);
        const std::string text = text_of(session, part);
        session.take(text.size() + glue.size());
        if (!first) out += glue;
        first = false;
        out += text;
    }
    return session.text(std::move(out));
}
/// str.format with {}, {0} and {name}, without conversions.
[[nodiscard]] inline std::string brace_format(Session& session, const std::string& text, const Args& args) {
    std::string out;
    std::size_t next = 0;
    bool numbered = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '{' && text[i] != '}') {
            out += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == text[i]) {
            out += text[i++];
        } else {
            const auto end = text.find('}', i);
            if (text[i] == '}' || end == std::string::npos) throw Problem("formats a string with a single brace");
            const std::string name = text.substr(i + 1, end - i - 1);
            const Value* value = nullptr;
            if (name.find_first_not_of("0123456789") == std::string::npos && name.size() < 6) {
                numbered = numbered || !name.empty();
                const std::size_t at = name.empty() ? next++ : std::stoul(name);
                if (numbered && next > 0) throw Problem("formats a string by {} and by numbers");
                if (at < args.at.size()) value = &args.at[at];
            } else if (name.find_first_of(".[!:{") != std::string::npos) {
                throw Problem("formats a string by {" + name + "}, which Silica does not know");
            } else {
                for (const auto& [key, held] : args.named) value = key == name ? &held : value;
            }
            if (!value) throw Problem("formats a string with too few values");
            const std::string piece = text_of(session, *value);
            session.take(piece.size());
            out += piece;
            i = end;
        }
    }
    return out;
}

}  // namespace detail

}  // namespace silica::text::jinja
