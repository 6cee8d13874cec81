#pragma once
/// Filters on strings and numbers.

#include <silica/input/text/jinja/attributes.hpp>
#include <silica/input/text/jinja/json.hpp>
#include <silica/input/text/jinja/markup_filters.hpp>
#include <silica/input/text/jinja/number_filters.hpp>
#include <silica/input/text/jinja/pretty.hpp>
#include <silica/input/text/jinja/text_methods.hpp>
#include <silica/input/text/jinja/urlize.hpp>
#include <silica/input/text/jinja/wrap.hpp>

#include <algorithm>
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
    const bool all = b.flag(1, false), blank = b.flag(2, false);
    std::string out;
    if (all) out += by;
    bool first = true;
    for (const auto& line : split_lines(v.text() + "\n")) {
        session.take(by.size() + line.size());
        if (!first) out += '\n';
        if (!first && (blank || !line.empty())) out += by;
        first = false;
        out += line;
    }
    return session.text(std::move(out), v.is_markup());
}
/// The filter truncate.
[[nodiscard]] inline Value truncate(Session& session, const Value& v, const Args& args) {
    const Bound b("truncate", args, {"length", "killwords", "end", "leeway"});
    const std::int64_t most = b.whole(0, 255), leeway = b.absent(3) ? 5 : b.whole(3, 5);
    const Value end = b[2] ? *b[2] : Value("...");
    const auto end_size = length(end), size = length(v);
    if (!end_size) wrong_type("ends a text by", end);
    if (most < *end_size) b.refuse("takes a length that has room for its end");
    if (leeway < 0) b.refuse("takes no negative leeway");
    if (!size) wrong_type("truncates", v);
    if (*size <= most || *size - most <= leeway) return v;
    if (!v.is_text()) wrong_type("truncates", v);
    const auto all = characters(v.text());
    auto kept = utf8_of(std::u32string_view(all).substr(0, static_cast<std::size_t>(most - *end_size)));
    if (!b.flag(1, false)) {
        if (const auto space = kept.rfind(' '); space != std::string::npos) kept.erase(space);
    }
    return arithmetic(session, "+", session.text(std::move(kept), v.is_markup()), end);
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

/// The filter replace.
[[nodiscard]] inline Value replaced(Session& session, const Value& v, const Args& args) {
    const Bound b("replace", args, {"old", "new", "count"}, 2);
    const Value count = b.absent(2) ? Value(Int{-1}) : *b[2];
    if (!session.autoescape) {
        const auto plain = [&session](const Value& of) { return session.text(text_of(session, of)); };
        return text_method(session, plain(v), "replace", {.at = {plain(*b[0]), plain(*b[1]), count}});
    }
    const bool escapes = b[0]->is_markup() || (b[1]->is_markup() && !v.is_markup());
    return text_method(session, escapes ? escape(session, v) : soft_text(session, v), "replace",
                       {.at = {soft_text(session, *b[0]), soft_text(session, *b[1]), count}});
}
/// The filter, where it is one of these.
[[nodiscard]] inline std::optional<Value> text_filter(Session& session, const std::string& name, const Value& v,
                                                      const Args& args) {
    const auto alone = [&] { static_cast<void>(Bound(name, args, {})); };
    if (name == "upper" || name == "lower" || name == "capitalize") {
        alone();
        return text_method(session, soft_text(session, v), name, {});
    }
    if (name == "trim") {
        const Bound b(name, args, {"chars"});
        Args inner;
        if (b[0]) inner.at.push_back(*b[0]);
        return text_method(session, soft_text(session, v), "strip", inner);
    }
    if (name == "center") {
        const Bound b(name, args, {"width"});
        return text_method(session, soft_text(session, v), "center", {.at = {b[0] ? *b[0] : Value(Int{80})}});
    }
    if (name == "tojson") return to_json(session, v, args);
    if (name == "replace") return replaced(session, v, args);
    if (name == "indent") return indent(session, v, args);
    if (name == "truncate") return truncate(session, v, args);
    if (name == "wordwrap") return word_wrap(session, v, args);
    if (name == "xmlattr") return xml_attributes(session, v, args);
    if (name == "urlize") return session.text(Linker(session, args).run(v), session.autoescape);
    if (name == "filesizeformat") return session.text(file_size(session, v, args));
    if (name == "int") return to_whole(session, v, args);
    if (name == "float") return to_real(v, args);
    if (name == "round") return round(session, v, args);
    if (name == "format") {
        if (args.named.empty()) return percent_format(session, soft_text(session, v), session.tuple(args.at));
        if (!args.at.empty()) throw Problem("formats by places and by names");
        Dict named;
        for (const auto& [key, value] : args.named) named.items.emplace_back(session.text(key), value);
        return percent_format(session, soft_text(session, v), session.dict(std::move(named)));
    }
    constexpr std::string_view without_arguments =
        "string safe escape e forceescape title striptags urlencode wordcount abs pprint";
    if (!listed(without_arguments, name)) return std::nullopt;
    alone();
    if (name == "string") return soft_text(session, v);
    if (name == "safe") return session.text(text_of(session, v), true);
    if (name == "escape" || name == "e") return escape(session, v);
    if (name == "forceescape") return session.text(escaped(text_of(session, v)), true);
    if (name == "title") return session.text(filter_title(text_of(session, v)));
    if (name == "striptags") return strip_tags(session, soft_text(session, v));
    if (name == "urlencode") return session.text(url_encode(session, v));
    if (name == "wordcount") return Value(word_count(text_of(session, v)));
    if (name == "pprint") return session.text(PrettyPrinter(session).run(v));
    if (!v.is_number()) wrong_type("takes the absolute value of", v);
    return v.is_real() ? Value(std::abs(v.number())) : signed_value(session, v, v.is_negative());
}

}  // namespace silica::text::jinja::detail
