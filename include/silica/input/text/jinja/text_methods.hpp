#pragma once
/// The methods of str that templates call.

#include <silica/input/text/jinja/text_parts.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// text.name(args).
[[nodiscard]] inline Value text_method(Session& session, const std::string& text, const std::string& name,
                                       const Args& args) {
    using namespace detail;
    session.spend(text.size() / 16);
    const auto set = [](const Bound& b) { return b.absent(0) ? std::nullopt : std::optional(characters(b.text(0))); };
    const auto plain = [&](std::string (*change)(std::string_view)) {
        static_cast<void>(Bound(name, args, {}));
        return session.text(change(text));
    };
    const auto whether = [&](const std::function<bool(char32_t)>& test) {
        static_cast<void>(Bound(name, args, {}));
        return Value(all_characters(text, test));
    };
    if (name == "strip" || name == "lstrip" || name == "rstrip") {
        const Bound b(name, args, {"chars"});
        return session.text(std::string(strip(text, name != "rstrip", name != "lstrip", set(b))));
    }
    if (name == "split" || name == "rsplit") {
        const Bound b(name, args, {"sep", "maxsplit"});
        return split(session, text, b.absent(0) ? nullptr : &b.text(0), b.whole(1, -1), name == "rsplit");
    }
    if (name == "startswith" || name == "endswith") {
        return Value(begins(text, Bound(name, args, {"prefix", "start", "end"}, 1), name == "endswith"));
    }
    if (name == "replace") {
        const Bound b(name, args, {"old", "new", "count"}, 2);
        const auto& now = b.text(1);
        const std::size_t places = b.text(0).empty() ? text.size() + 1 : text.size() / b.text(0).size();
        if (now.size() > 64 && places > 64)
            session.take(std::min<std::size_t>(places * now.size(), Session::most_bytes));
        return session.text(replace(text, b.text(0), now, b.whole(2, -1)));
    }
    if (name == "upper") return plain(upper);
    if (name == "lower" || name == "casefold") return plain(lower);
    if (name == "title") return plain(title);
    if (name == "capitalize") return plain(capitalize);
    if (name == "find" || name == "rfind" || name == "index" || name == "rindex") {
        const auto found = place_of(text, Bound(name, args, {"sub", "start", "end"}, 1), name[0] == 'r');
        if (found < 0 && name.ends_with("index")) throw Problem("looks by index for a string that is not there");
        return Value(found);
    }
    if (name == "count") {
        const Bound b(name, args, {"sub", "start", "end"}, 1);
        const auto [part, start, valid] = window(text, b, 1);
        if (!valid) return Value(std::int64_t{0});
        if (b.text(0).empty()) return Value(static_cast<std::int64_t>(utf8::count(part)) + 1);
        std::int64_t n = 0;
        for (std::size_t at = 0; (at = part.find(b.text(0), at)) != std::string_view::npos; at += b.text(0).size()) ++n;
        return Value(n);
    }
    if (name == "join") {
        return join(session, text, iterate(session, *Bound(name, args, {"iterable"}, 1)[0]), false);
    }
    if (name == "splitlines") {
        Values lines;
        for (auto& line : split_lines(text, Bound(name, args, {"keepends"}).flag(0, false))) {
            lines.push_back(session.text(std::move(line)));
        }
        return session.list(std::move(lines));
    }
    if (name == "partition" || name == "rpartition") {
        const Bound b(name, args, {"sep"}, 1);
        if (b.text(0).empty()) throw Problem("splits a string at an empty string");
        const bool last = name[0] == 'r';
        const auto found = last ? text.rfind(b.text(0)) : text.find(b.text(0));
        if (found == std::string::npos) {
            const Value none{std::string()};
            return session.tuple(last ? Values{none, none, Value(text)} : Values{Value(text), none, none});
        }
        return session.tuple({session.text(text.substr(0, found)), Value(b.text(0)),
                              session.text(text.substr(found + b.text(0).size()))});
    }
    if (name == "removeprefix" || name == "removesuffix") {
        const Bound b(name, args, {"affix"}, 1);
        const auto& affix = b.text(0);
        if (name == "removeprefix") return session.text(text.starts_with(affix) ? text.substr(affix.size()) : text);
        return session.text(text.ends_with(affix) ? text.substr(0, text.size() - affix.size()) : text);
    }
    if (name == "ljust" || name == "rjust" || name == "center") {
        const Bound b(name, args, {"width", "fillchar"}, 1);
        return session.text(padded(session, text, b, name == "ljust" ? -1 : name == "rjust" ? 1 : 0));
    }
    if (name == "zfill") {
        const Bound b(name, args, {"width"}, 1);
        const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
        Args inner{.at = {Value(b.whole(0, 0) - (sign ? 1 : 0)), Value("0")}};
        return session.text((sign ? text.substr(0, 1) : "") +
                            padded(session, sign ? text.substr(1) : text, Bound(name, inner, {"width", "fill"}), 1));
    }
    if (name == "format") return session.text(brace_format(session, text, args));
    if (name == "isspace") return whether(is_space);
    if (name == "isdecimal") return whether([](char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; });
    if (name == "isdigit") return whether(digit);
    if (name == "isnumeric") {
        return whether([](char32_t c) { return unicode::Classes::get().is(c, unicode::is_numeric); });
    }
    if (name == "isalpha") return whether(letter);
    if (name == "isalnum") {
        return whether([](char32_t c) { return letter(c) || unicode::Classes::get().is(c, unicode::is_numeric); });
    }
    if (name == "isascii")
        return Value(
            std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
    if (name == "isupper" || name == "islower") return Value(all_case(text, name == "isupper"));
    throw Problem("calls the string method " + quote(name) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
