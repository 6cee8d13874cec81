#pragma once
/// markupsafe: strings that are marked as safe for HTML, and how others become so.

#include <silica/input/text/jinja/operators.hpp>

#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

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

}  // namespace detail

/// A Markup: the value as it is where it is one, else its text, escaped.
[[nodiscard]] inline Value escape(Session& session, const Value& v) {
    return v.is_markup() ? v : session.text(detail::escaped(text_of(session, v)), true);
}
/// A str: a Markup stays one.
[[nodiscard]] inline Value soft_text(Session& session, const Value& v) {
    return v.is_text() ? v : session.text(text_of(session, v));
}
/// `a ~ b ~ ...`, and other places where texts are joined under {% autoescape true %}: a Markup where one of them is.
[[nodiscard]] inline Value concatenated(Session& session, const Values& parts, bool escapes) {
    bool markup = false;
    for (const auto& part : parts) markup = markup || (escapes && part.is_markup());
    std::string out;
    for (const auto& part : parts) {
        const std::string text = markup ? escape(session, part).text() : text_of(session, part);
        session.take(text.size());
        out += text;
    }
    return session.text(std::move(out), markup);
}

}  // namespace silica::text::jinja
