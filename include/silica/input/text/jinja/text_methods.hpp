#pragma once
/// The methods of str, and of markupsafe's Markup, whose results are Markups and which escapes what it is given.

#include <silica/input/text/jinja/brace_format.hpp>
#include <silica/input/text/jinja/text_parts.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

[[nodiscard]] Value strip_tags(Session& session, const Value& v);
[[nodiscard]] Value unescape(Session& session, const Value& v);

namespace detail {

/// Methods that ask; nothing where it is none of them.
[[nodiscard]] inline std::optional<Value> text_question(Session& session, const std::string& text,
                                                        const std::string& name, const Args& args) {
    const auto whether = [&](const std::function<bool(char32_t)>& test) {
        static_cast<void>(Bound(name, args, {}));
        return Value(all_characters(text, test));
    };
    const auto numeric = [](char32_t c) { return unicode::Classes::get().is(c, unicode::is_numeric); };
    if (name == "startswith" || name == "endswith") {
        return Value(begins(text, Bound(name, args, {"", "", ""}, 1), name == "endswith"));
    }
    if (name == "find" || name == "rfind" || name == "index" || name == "rindex") {
        const Bound b(name, args, {"", "", ""}, 1);
        session.spend_search(text, b.text(0));
        const auto found = place_of(text, b, name[0] == 'r');
        if (found < 0 && name.ends_with("index")) throw Problem("looks by index for a string that is not there");
        return Value(found);
    }
    if (name == "count") {
        const Bound b(name, args, {"", "", ""}, 1);
        const auto [part, start, valid] = window(text, b, 1);
        if (!valid) return Value(std::int64_t{0});
        if (b.text(0).empty()) return Value(static_cast<std::int64_t>(utf8::count(part)) + 1);
        session.spend_search(text, b.text(0));
        std::int64_t n = 0;
        for (std::size_t at = 0; (at = part.find(b.text(0), at)) != std::string_view::npos; at += b.text(0).size()) ++n;
        return Value(n);
    }
    if (name == "isspace") return whether(is_space);
    if (name == "isdecimal") return whether([](char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; });
    if (name == "isdigit") return whether(digit);
    if (name == "isnumeric") return whether(numeric);
    if (name == "isalpha") return whether(letter);
    if (name == "isalnum") return whether([&](char32_t c) { return letter(c) || numeric(c); });
    if (name.starts_with("is")) static_cast<void>(Bound(name, args, {}));
    if (name == "isascii") {
        const auto beyond = [](char c) { return static_cast<unsigned char>(c) > 0x7F; };
        return Value(std::none_of(text.begin(), text.end(), beyond));
    }
    if (name == "isprintable") {
        const auto all = characters(text);
        return Value(std::all_of(all.begin(), all.end(), printable));
    }
    if (name == "isidentifier") return Value(identifier(text));
    if (name == "istitle") return Value(title_case(text));
    if (name == "isupper" || name == "islower") return Value(all_case(text, name == "isupper"));
    return std::nullopt;
}

/// str.partition and str.rpartition.
[[nodiscard]] inline Value partition(Session& session, const Value& self, const Bound& b, bool last) {
    const std::string& text = self.text();
    const std::string& at = b.text(0);
    if (at.empty()) throw Problem("splits a string at an empty string");
    session.spend_search(text, at);
    const auto found = last ? text.rfind(at) : text.find(at);
    const auto part = [&](std::string piece) { return session.text(std::move(piece), self.is_markup()); };
    if (found == std::string::npos) {
        return session.tuple(last ? Values{part({}), part({}), self} : Values{self, part({}), part({})});
    }
    return session.tuple({part(text.substr(0, found)), part(at), part(text.substr(found + at.size()))});
}

/// Methods that change the text; nothing where it is none of them.
[[nodiscard]] inline std::optional<std::string> changed_text(Session& session, const Value& self,
                                                             const std::string& name, const Args& args) {
    const std::string& text = self.text();
    const auto put_in = [&](const std::string& piece) { return self.is_markup() ? escaped(piece) : piece; };
    const auto plain = [&](std::string (*change)(std::string_view)) {
        static_cast<void>(Bound(name, args, {}));
        return change(text);
    };
    if (name == "strip" || name == "lstrip" || name == "rstrip") {
        const Bound b(name, args, {self.is_markup() ? "chars" : ""});
        const auto set = b.absent(0) ? std::nullopt : std::optional(characters(b.text(0)));
        return std::string(strip(text, name != "rstrip", name != "lstrip", set));
    }
    if (name == "replace") {
        const Bound b(name, args, {"", "", ""}, 2);
        const std::string now = b[1]->is_markup() ? b.text(1) : put_in(b.text(1));
        session.spend_search(text, b.text(0));
        const std::size_t places = b.text(0).empty() ? text.size() + 1 : text.size() / b.text(0).size();
        if (now.size() > 64 && places > 64) {
            session.take(std::min<std::size_t>(places * now.size(), Session::most_bytes));
        }
        return replace(text, b.text(0), now, b.whole(2, -1));
    }
    if (name == "upper") return plain(upper);
    if (name == "lower") return plain(lower);
    if (name == "casefold") return plain(case_fold);
    if (name == "swapcase") return plain(swap_case);
    if (name == "title") return plain(title);
    if (name == "capitalize") return plain(capitalize);
    if (name == "removeprefix" || name == "removesuffix") {
        const std::string affix = Bound(name, args, {""}, 1).text(0);
        if (name == "removeprefix") return text.starts_with(affix) ? text.substr(affix.size()) : text;
        return text.ends_with(affix) ? text.substr(0, text.size() - affix.size()) : text;
    }
    if (name == "ljust" || name == "rjust" || name == "center") {
        Args inner = args;
        if (inner.at.size() > 1 && self.is_markup()) inner.at[1] = escape(session, inner.at[1]);
        return padded(session, text, Bound(name, inner, {"", ""}, 1), name == "ljust" ? -1 : name == "rjust" ? 1 : 0);
    }
    if (name == "zfill") {
        const Bound b(name, args, {""}, 1);
        const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
        const Args inner{.at = {Value(std::max<std::int64_t>(b.whole(0, 0), 0) - (sign ? 1 : 0)), Value("0")}};
        return (sign ? text.substr(0, 1) : "") +
               padded(session, sign ? text.substr(1) : text, Bound(name, inner, {"", ""}), 1);
    }
    if (name == "expandtabs") return expanded_tabs(session, text, Bound(name, args, {"tabsize"}).whole(0, 8));
    if (name == "translate") return translated(session, text, *Bound(name, args, {""}, 1)[0]);
    return std::nullopt;
}

}  // namespace detail

/// self.name(args) of a string.
[[nodiscard]] inline Value text_method(Session& session, const Value& self, const std::string& name, const Args& args) {
    using namespace detail;
    const std::string& text = self.text();
    session.spend(text.size() / 16);
    if (auto answer = text_question(session, text, name, args)) return *std::move(answer);
    if (auto changed = changed_text(session, self, name, args)) {
        return session.text(*std::move(changed), self.is_markup());
    }
    if (name == "split" || name == "rsplit") {
        const Bound b(name, args, {"sep", "maxsplit"});
        return split(session, self, b.absent(0) ? nullptr : &b.text(0), b.whole(1, -1), name == "rsplit");
    }
    if (name == "join") return join(session, self, iterate(session, *Bound(name, args, {""}, 1)[0]));
    if (name == "splitlines") {
        Values lines;
        for (auto& line : split_lines(text, Bound(name, args, {"keepends"}).flag(0, false))) {
            lines.push_back(session.text(std::move(line), self.is_markup()));
        }
        return session.list(std::move(lines));
    }
    if (name == "partition" || name == "rpartition") {
        return partition(session, self, Bound(name, args, {""}, 1), name[0] == 'r');
    }
    if (name == "format") {
        Dict named;
        for (const auto& [key, value] : args.named) named.items.emplace_back(session.text(key), value);
        return brace_format(session, self, args.at, session.dict(std::move(named)));
    }
    if (name == "format_map") return brace_format(session, self, {}, *Bound(name, args, {""}, 1)[0]);
    if (name == "maketrans") return translation(session, Bound(name, args, {"", "", ""}, 1));
    if (self.is_markup() && (name == "striptags" || name == "unescape")) {
        static_cast<void>(Bound(name, args, {}));
        return name == "striptags" ? strip_tags(session, self) : unescape(session, self);
    }
    throw Problem("calls the string method " + quote(name) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
