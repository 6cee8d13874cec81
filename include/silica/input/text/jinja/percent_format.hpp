#pragma once
/// Python's `"..." % values`.

#include <silica/input/text/jinja/markup.hpp>
#include <silica/input/text/jinja/number_format.hpp>
#include <silica/input/text/jinja/operators.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// Goes through a format.
class PercentFormat {
public:
    PercentFormat(Session& session, std::string_view format, const Value& value, bool escapes)
        : session_(session), format_(format), value_(value), several_(value.is_tuple()), escapes_(escapes) {}

    [[nodiscard]] std::string run() {
        while (at_ < format_.size()) {
            if (format_[at_] != '%') {
                out_ += format_[at_++];
            } else {
                ++at_;
                item();
            }
        }
        // A value that can be asked for its items may be there in vain, as in Python.
        const bool mapping = value_.is_dict() || (value_.is_sequence() && !several_) || value_.holds<const Range>() ||
                             value_.is_undefined();
        if (several_ ? used_ < value_.list().items.size() : used_ == 0 && !mapping) {
            throw Problem("formats more values than it names");
        }
        return std::move(out_);
    }

private:
    [[nodiscard]] bool sees(std::string_view set) const {
        return at_ < format_.size() && set.find(format_[at_]) != std::string_view::npos;
    }
    const Value& next() {
        if (named_) return *named_;
        if (several_ ? used_ >= value_.list().items.size() : used_ > 0) {
            throw Problem("formats fewer values than it names");
        }
        ++used_;
        return several_ ? value_.list().items[used_ - 1] : value_;
    }
    void name() {
        std::size_t depth = 1;
        const std::size_t start = ++at_;
        for (; at_ < format_.size() && depth > 0; ++at_) {
            if (format_[at_] == '(') ++depth;
            if (format_[at_] == ')') --depth;
        }
        if (!value_.is_dict() || depth > 0) throw Problem("formats a name without a dict");
        named_ = find(session_, value_.dict(), format_.substr(start, at_ - 1 - start));
        if (!named_) throw Problem("formats a name that the dict does not have");
        used_ = 1;
    }
    /// A number of the format, or that of the next value for '*'.
    [[nodiscard]] std::int64_t number() {
        constexpr std::int64_t most = 0x7FFFFFFF;
        std::int64_t n = 0;
        if (sees("*")) {
            ++at_;
            const Value& v = next();
            if (!v.is_whole()) wrong_type("formats to a width of", v);
            n = v.whole();
        }
        for (; sees("0123456789") && n <= most; ++at_) n = n * 10 + (format_[at_] - '0');
        if (n > most || n < -most) throw Problem("formats to a width that is too large");
        return n;
    }
    void item() {
        if (sees("%")) {
            out_ += format_[at_++];
            return;
        }
        bool left = false, zero = false, plus = false, space = false, alternate = false;
        named_ = nullptr;
        if (sees("(")) name();
        for (; sees("-0+ #"); ++at_) {
            const char c = format_[at_];
            (c == '-' ? left : c == '0' ? zero : c == '+' ? plus : c == ' ' ? space : alternate) = true;
        }
        std::int64_t width = number(), precision = -1;
        if (width < 0) left = true, width = -width;
        if (sees(".")) {
            ++at_;
            precision = std::max<std::int64_t>(number(), 0);
        }
        if (sees("hlL")) ++at_;
        if (at_ >= format_.size()) throw Problem("has an incomplete format");
        const char kind = format_[at_++];
        std::string before, body;
        const auto sign = [&](bool negative) { before = negative ? "-" : plus ? "+" : space ? " " : ""; };
        if (kind == 's' || kind == 'r' || kind == 'a') {
            body = text(next(), kind);
            if (precision >= 0) {
                body = utf8_of(std::u32string_view(characters(body)).substr(0, static_cast<std::size_t>(precision)));
            }
            zero = false;
        } else if (kind == 'c') {
            const Value& v = next();
            if (v.is_text() ? utf8::count(v.text()) != 1 : !v.is_whole()) wrong_type("formats as a character", v);
            body = v.is_text() ? v.text() : character(v);
            zero = false;
        } else if (std::string_view("diuoxX").find(kind) != std::string_view::npos) {
            const Value v = whole(next(), kind);
            sign(v.is_negative());
            body = whole_digits(session_, v, kind);
            session_.take(static_cast<std::size_t>(std::max<std::int64_t>(precision, 0)));
            if (static_cast<std::int64_t>(body.size()) < precision) {
                body.insert(0, static_cast<std::size_t>(precision) - body.size(), '0');
            }
            if (alternate) before += base_prefix(kind);
        } else if (std::string_view("eEfFgG").find(kind) != std::string_view::npos) {
            const Value& v = next();
            if (!v.is_number()) wrong_type("formats as a number", v);
            const double x = v.number();
            sign(std::signbit(x) && !std::isnan(x));
            body = real_digits(session_, x,
                               {.type = static_cast<char>(kind | 0x20),
                                .precision = precision < 0 ? 6 : static_cast<std::size_t>(precision),
                                .alternate = alternate});
            if (kind < 'a') to_upper(body);
        } else {
            throw Problem(std::string("has the format %") + (static_cast<unsigned char>(kind) < 0x80 ? kind : '?') +
                          ", which Python does not know");
        }
        put(before, body, static_cast<std::size_t>(width), left, zero);
    }
    void put(const std::string& before, const std::string& body, std::size_t width, bool left, bool zero) {
        const std::size_t size = before.size() + utf8::count(body), gap = width > size ? width - size : 0;
        session_.take(before.size() + body.size() + gap);
        if (!left && !zero) out_.append(gap, ' ');
        out_ += before;
        if (!left && zero) out_.append(gap, '0');
        out_ += body;
        if (left) out_.append(gap, ' ');
    }
    [[nodiscard]] std::string text(const Value& v, char kind) const {
        std::string out;
        if (kind == 's') {
            if (escapes_) return escape(session_, v).text();
            return text_of(session_, v);
        }
        put_repr(session_, out, v);
        if (escapes_) return escaped(out);
        return kind == 'a' ? ascii(out) : out;
    }
    [[nodiscard]] Value whole(const Value& v, char kind) const {
        if (v.is_whole()) return v;
        if (!v.is_real() || std::string_view("diu").find(kind) == std::string_view::npos) {
            wrong_type("formats as a whole number", v);
        }
        if (!std::isfinite(v.number())) throw Problem("formats as a whole number what is not finite");
        return session_.integer(BigInteger::truncated(v.number()));
    }

    Session& session_;
    std::string_view format_;
    const Value& value_;
    bool several_, escapes_;
    std::size_t at_ = 0, used_ = 0;
    const Value* named_ = nullptr;
    std::string out_;
};

}  // namespace detail

/// `format % value`; a tuple gives several values, a dict named ones. A Markup escapes them.
[[nodiscard]] inline Value percent_format(Session& session, const Value& format, const Value& value) {
    const bool escapes = format.is_markup();
    return session.text(detail::PercentFormat(session, format.text(), value, escapes).run(), escapes);
}

}  // namespace silica::text::jinja
