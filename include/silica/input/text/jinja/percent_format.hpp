#pragma once
/// Python's `"..." % values`: %s %r %d %i %f %x %% with width, precision and the flags - 0 +.

#include <silica/input/text/jinja/operators.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// A number with `precision` digits after the point, as Python's %f.
[[nodiscard]] inline std::string fixed(double x, int precision) {
    if (std::isnan(x) || std::isinf(x)) return real_text(x);
    std::string out(400 + static_cast<std::size_t>(precision), '\0');
    const auto end = std::to_chars(out.data(), out.data() + out.size(), x, std::chars_format::fixed, precision).ptr;
    out.resize(static_cast<std::size_t>(end - out.data()));
    return out;
}

}  // namespace detail

/// `format % value`; a tuple gives several values, a dict named ones.
[[nodiscard]] inline std::string percent_format(Session& session, std::string_view format, const Value& value) {
    std::string out;
    std::size_t used = 0;
    const bool several = value.is_sequence() && value.list().is_tuple;
    const Value* named = nullptr;
    const auto next = [&]() -> const Value& {
        if (named) return *named;
        if (several ? used >= value.list().items.size() : used > 0) throw Problem("formats fewer values than it names");
        ++used;
        return several ? value.list().items[used - 1] : value;
    };
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%') {
            out += format[i];
            continue;
        }
        bool left = false, zero = false, plus = false;
        std::size_t width = 0;
        int precision = -1;
        named = nullptr;
        if (++i < format.size() && format[i] == '(') {
            const auto end = format.find(')', i);
            if (!value.is_dict() || end == std::string_view::npos) throw Problem("formats a name without a dict");
            named = find(session, value.dict(), format.substr(i + 1, end - i - 1));
            if (!named) throw Problem("formats a name that the dict does not have");
            used = 1;
            i = end + 1;
        }
        for (; i < format.size(); ++i) {
            if (format[i] == '-')
                left = true;
            else if (format[i] == '0')
                zero = true;
            else if (format[i] == '+')
                plus = true;
            else
                break;
        }
        const auto number = [&] {
            std::size_t n = 0;
            for (; i < format.size() && format[i] >= '0' && format[i] <= '9' && n < 10000; ++i) {
                n = n * 10 + static_cast<std::size_t>(format[i] - '0');
            }
            if (n > 1000) throw Problem("formats to a width over 1000");
            return n;
        };
        width = number();
        if (i < format.size() && format[i] == '.') {
            ++i;
            precision = static_cast<int>(number());
        }
        if (i >= format.size()) throw Problem("has an incomplete format");
        const char kind = format[i];
        if (kind == '%') {
            out += '%';
            continue;
        }
        std::string item;
        if (kind == 's' || kind == 'r') {
            const Value& v = next();
            if (kind == 's')
                item = text_of(session, v);
            else
                put_repr(session, item, v);
            if (precision >= 0) {
                item = utf8_of(std::u32string_view(characters(item)).substr(0, static_cast<std::size_t>(precision)));
            }
            zero = false;
        } else if (kind == 'd' || kind == 'i' || kind == 'f' || kind == 'x') {
            const Value& v = next();
            if (!v.is_number() || (kind == 'x' && !v.is_whole())) wrong_type("formats as a number", v);
            if (kind == 'f')
                item = detail::fixed(v.number(), precision < 0 ? 6 : precision);
            else if (kind == 'x') {
                char buffer[24];
                const std::int64_t n = v.whole();
                std::snprintf(buffer, sizeof buffer, "%llx", static_cast<unsigned long long>(n < 0 ? -n : n));
                item = (n < 0 ? "-" : "") + std::string(buffer);
            } else if (v.is_whole())
                item = std::to_string(v.whole());
            else if (std::abs(v.number()) < 9e18)
                item = std::to_string(static_cast<std::int64_t>(v.number()));
            else
                throw Problem("formats a number that is too large");
            if (plus && item.front() != '-') item.insert(0, 1, '+');
        } else {
            throw Problem(std::string("has the format %") + kind + ", which Silica does not know");
        }
        const std::size_t size = utf8::count(item), gap = width > size ? width - size : 0;
        if (left)
            item.append(gap, ' ');
        else if (zero)
            item.insert(item.front() == '-' || item.front() == '+' ? 1 : 0, gap, '0');
        else
            item.insert(0, gap, ' ');
        session.take(item.size());
        out += item;
    }
    if (several ? used < value.list().items.size()
                : used == 0 && !value.is_dict() && !value.is_sequence() && !value.holds<const Range>()) {
        throw Problem("formats more values than it names");
    }
    return out;
}

}  // namespace silica::text::jinja
