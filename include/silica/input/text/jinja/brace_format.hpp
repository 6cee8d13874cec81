#pragma once
/// Python's str.format and str.format_map, as Jinja's sandbox runs them.

#include <silica/input/text/jinja/attributes.hpp>
#include <silica/input/text/jinja/format_spec.hpp>
#include <silica/input/text/jinja/markup.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// Goes through a format; `by_name` holds what is named.
class BraceFormat {
public:
    BraceFormat(Session& session, const Values& by_place, const Value& by_name, bool escapes)
        : session_(session), by_place_(by_place), by_name_(by_name), escapes_(escapes) {}

    /// The text of a format, whose specifications may hold formats again.
    [[nodiscard]] std::string run(std::string_view format, int deepest = 2) {
        if (deepest < 0) throw Problem("formats by specifications in specifications");
        std::string out;
        for (std::size_t i = 0; i < format.size(); ++i) {
            if (format[i] != '{' && format[i] != '}') {
                out += format[i];
            } else if (i + 1 < format.size() && format[i + 1] == format[i]) {
                out += format[i++];
            } else if (format[i] == '}') {
                throw Problem("formats a string with a single brace");
            } else {
                const std::size_t end = end_of(format, ++i);
                const std::string piece = field(format.substr(i, end - i), deepest);
                session_.take(piece.size());
                out += piece;
                i = end;
            }
        }
        return out;
    }

private:
    static std::size_t end_of(std::string_view format, std::size_t at) {
        bool bracket = false, spec = false;
        for (std::size_t depth = 1; at < format.size(); ++at) {
            const char c = format[at];
            if (!spec && c == '[') bracket = true;
            if (c == ']') bracket = false;
            if (bracket) continue;
            if (!spec && (c == ':' || c == '!')) spec = true;
            if (c == '{') ++depth;
            if (c == '}' && --depth == 0) return at;
        }
        throw Problem("formats a string with a single brace");
    }
    [[nodiscard]] std::string field(std::string_view all, int deepest) {
        std::size_t end = 0;
        for (bool bracket = false; end < all.size(); ++end) {
            if (all[end] == '[') bracket = true;
            if (all[end] == ']') bracket = false;
            if (!bracket && (all[end] == '!' || all[end] == ':')) break;
            if (!bracket && all[end] == '{') throw Problem("formats a string with a brace in a name");
        }
        const auto name = all.substr(0, end);
        Value value = name.empty() || number(name) ? placed(place_of_field(name)) : look_up(name);
        char conversion = 0;
        if (end < all.size() && all[end] == '!') {
            if (end + 1 >= all.size()) throw Problem("formats with an incomplete conversion");
            conversion = all[end + 1];
            end += 2;
            if (end < all.size() && all[end] != ':') throw Problem("formats with a conversion of several characters");
            value = converted(value, conversion);
        }
        std::string spec;
        if (end < all.size()) spec = run(all.substr(end + 1), deepest - 1);
        if (!escapes_) return format_value(session_, value, spec);
        if (!value.is_markup()) return escaped(format_value(session_, value, spec));
        if (!spec.empty()) throw Problem("formats a Markup by a specification");
        return value.text();
    }
    [[nodiscard]] Value converted(const Value& v, char conversion) const {
        if (conversion == 's') return session_.text(text_of(session_, v));
        std::string out;
        put_repr(session_, out, v);
        if (conversion == 'r') return session_.text(std::move(out));
        if (conversion == 'a') return session_.text(ascii(out));
        throw Problem("formats with a conversion that Python does not know");
    }
    /// name.attribute[item]...
    [[nodiscard]] Value look_up(std::string_view name) {
        const std::size_t first = std::min(name.find_first_of(".["), name.size());
        Value at = start(name.substr(0, first));
        for (std::size_t i = first; i < name.size();) {
            if (name[i] == '.') {
                const std::size_t end = std::min(name.find_first_of(".[", i + 1), name.size());
                if (end == i + 1) throw Problem("formats an attribute without a name");
                at = attribute(session_, at, std::string(name.substr(i + 1, end - i - 1)));
                i = end;
            } else if (name[i] == '[') {
                const std::size_t end = name.find(']', i);
                if (end == std::string_view::npos || end == i + 1) throw Problem("formats an item without a key");
                const auto key = name.substr(i + 1, end - i - 1);
                const auto place = number(key);
                at = item(session_, at, place ? Value(*place) : Value(std::string(key)));
                i = end + 1;
            } else {
                throw Problem("formats a name with something after ']'");
            }
        }
        return at;
    }
    /// Where the value of {} or {2} is: a format has the one kind or the other.
    [[nodiscard]] std::int64_t place_of_field(std::string_view name) {
        (name.empty() ? automatic_ : numbered_) = true;
        if (automatic_ && numbered_) throw Problem("formats a string by {} and by numbers");
        return name.empty() ? next_++ : *number(name);
    }
    [[nodiscard]] Value start(std::string_view name) const {
        if (const auto place = number(name)) return placed(*place);
        const auto found = by_name_.is_dict() ? find(session_, by_name_.dict(), name) : nullptr;
        if (!found) throw Problem("formats a string by the name " + quote(name) + ", which is not given");
        return *found;
    }
    [[nodiscard]] const Value& placed(std::int64_t at) const {
        if (at >= static_cast<std::int64_t>(by_place_.size())) throw Problem("formats a string with too few values");
        return by_place_[static_cast<std::size_t>(at)];
    }
    [[nodiscard]] static std::optional<std::int64_t> number(std::string_view text) {
        if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
        if (text.size() > 18) throw Problem("formats by a number that is too large");
        std::int64_t n = 0;
        for (const char c : text) n = n * 10 + (c - '0');
        return n;
    }

    Session& session_;
    const Values& by_place_;
    const Value& by_name_;
    bool escapes_, automatic_ = false, numbered_ = false;
    std::int64_t next_ = 0;
};

}  // namespace detail

/// format.format(*by_place, **by_name), or format_map with the dict `by_name`. A Markup escapes what is put in.
[[nodiscard]] inline Value brace_format(Session& session, const Value& format, const Values& by_place,
                                        const Value& by_name) {
    const bool escapes = format.is_markup();
    return session.text(detail::BraceFormat(session, by_place, by_name, escapes).run(format.text()), escapes);
}

}  // namespace silica::text::jinja
