#pragma once
/// Cuts a template into text and tokens as Jinja does with trim_blocks and lstrip_blocks.

#include <silica/input/text/jinja/string_literal.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// A token. `text` is a name, an operator, a number as written, the value of a string, or literal text.
struct Token {
    enum class Kind { text, output_begin, output_end, block_begin, block_end, name, string, integer, real, op, end };
    Kind kind;
    std::string text;
    unsigned line;
};

/// Reads tokens from front to back. Problem on anything that is no Jinja. The source is valid UTF-8.
class Lexer {
public:
    explicit Lexer(std::string_view source) : source_(newlines(source)) {}

    [[nodiscard]] std::vector<Token> run() {
        while (at_ < source_.size()) text();
        put(Token::Kind::end, {});
        return std::move(tokens_);
    }
    /// Where it stands: for the error.
    [[nodiscard]] unsigned line() const noexcept { return line_; }

private:
    using Kind = Token::Kind;
    static constexpr auto npos = std::string_view::npos;

    /// One kind of newline; none at the end.
    [[nodiscard]] static std::string newlines(std::string_view source) {
        std::string out;
        for (std::size_t i = 0; i < source.size(); ++i) {
            out += source[i] == '\r' ? '\n' : source[i];
            if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') ++i;
        }
        if (!out.empty() && out.back() == '\n') out.pop_back();
        return out;
    }
    [[nodiscard]] std::string_view rest(std::size_t at) const { return std::string_view(source_).substr(at); }
    [[nodiscard]] bool sees(std::string_view what) const { return rest(at_).starts_with(what); }
    [[nodiscard]] std::size_t after_space(std::size_t at) const {
        return source_.size() - strip(rest(at), true, false).size();
    }
    void put(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
    void go_to(std::size_t end) {
        const auto from = source_.begin() + static_cast<std::ptrdiff_t>(at_);
        line_ += static_cast<unsigned>(std::count(from, source_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
        if (end > at_) line_starting_ = source_[end - 1] == '\n';
        at_ = end;
    }
    /// Literal text up to a tag at `end`, whose sign is '-', '+' or 0; white space before a block goes.
    void literal(std::size_t end, char sign, bool output) {
        auto data = rest(at_).substr(0, end - at_);
        const auto line = line_;
        if (sign == '-') {
            data = strip(data, false, true);
        } else if (sign != '+' && !output) {
            const auto newline = data.rfind('\n');
            const std::size_t start = newline == npos ? 0 : newline + 1;
            if ((start > 0 || line_starting_) && strip(data.substr(start), true, false).empty()) {
                data = data.substr(0, start);
            }
        }
        if (!data.empty()) tokens_.push_back({Kind::text, std::string(data), line});
        go_to(end);
    }
    [[nodiscard]] char sign_at(std::size_t at) const {
        return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0';
    }
    /// Where the tag that closes with "%}" or "#}" at `close` ends, with the newline or white space that goes with it.
    [[nodiscard]] std::size_t tag_end(std::size_t close, std::size_t start) const {
        const char sign = close > start ? source_[close - 1] : '\0';
        if (sign == '-') return after_space(close + 2);
        return close + (sign != '+' && close + 2 < source_.size() && source_[close + 2] == '\n' ? 3 : 2);
    }

    /// Text and the tag that follows it.
    void text() {
        std::size_t tag = at_;
        while ((tag = source_.find('{', tag)) != npos &&
               (tag + 1 >= source_.size() || std::string_view("{%#").find(source_[tag + 1]) == npos)) {
            ++tag;
        }
        if (tag == npos) return literal(source_.size(), '+', true);
        const char sign = sign_at(tag + 2);
        const std::size_t inside = tag + (sign ? 3 : 2);
        literal(tag, sign, source_[tag + 1] == '{');
        if (source_[tag + 1] == '#') {
            const auto close = source_.find("#}", inside);
            if (close == npos) throw Problem("has a comment without its end");
            return go_to(tag_end(close, inside));
        }
        if (source_[tag + 1] == '%') {
            if (const auto end = keyword(inside, "raw"); end != npos && source_[end - 3] != '+') {
                const bool strips = source_[end - 3] == '-';
                return raw(strips ? after_space(end) : end);
            }
        }
        go_to(inside);
        put(source_[tag + 1] == '{' ? Kind::output_begin : Kind::block_begin, {});
        source_[tag + 1] == '{' ? expression(Kind::output_end, "}}") : expression(Kind::block_end, "%}");
    }
    /// The end of `word` and "%}" at `at`, or npos.
    [[nodiscard]] std::size_t keyword(std::size_t at, std::string_view word) const {
        at = after_space(at);
        if (!rest(at).starts_with(word)) return npos;
        at = after_space(at + word.size());
        if (sign_at(at)) ++at;
        return rest(at).starts_with("%}") ? at + 2 : npos;
    }
    void raw(std::size_t start) {
        go_to(start);
        for (std::size_t tag = at_; (tag = source_.find("{%", tag)) != npos; ++tag) {
            const char sign = sign_at(tag + 2);
            const std::size_t inside = tag + (sign ? 3 : 2), end = keyword(inside, "endraw");
            if (end == npos) continue;
            literal(tag, sign, false);
            return go_to(tag_end(end - 2, inside));
        }
        throw Problem("has a raw block without its end");
    }

    void expression(Kind end_kind, std::string_view end) {
        std::string open;
        while (at_ < source_.size()) {
            if (open.empty()) {
                const bool signed_end = sees(std::string("-").append(end)) ||
                                        (end_kind == Kind::block_end && sees(std::string("+").append(end)));
                if (signed_end || sees(end)) {
                    put(end_kind, {});
                    const std::size_t close = at_ + (signed_end ? 1 : 0);
                    if (end_kind == Kind::block_end) return go_to(tag_end(close, at_));
                    return go_to(signed_end ? after_space(close + 2) : close + 2);
                }
            }
            token(open);
        }
        throw Problem("ends inside a tag");
    }
    void token(std::string& open) {
        if (const auto space = after_space(at_); space != at_) return go_to(space);
        const char c = source_[at_];
        if (c >= '0' && c <= '9') return number();
        if (unicode::Classes::get().is(utf8::decode(source_.data() + at_).value, unicode::is_word)) {
            std::size_t end = at_;
            while (end < source_.size()) {
                const auto next = utf8::decode(source_.data() + end);
                if (!unicode::Classes::get().is(next.value, unicode::is_word)) break;
                end += next.length;
            }
            put(Kind::name, source_.substr(at_, end - at_));
            return go_to(end);
        }
        if (c == '\'' || c == '"') {
            std::size_t end = at_ + 1;
            while (end < source_.size() && source_[end] != c) end += source_[end] == '\\' ? 2 : 1;
            if (end >= source_.size()) throw Problem("has a string without its end");
            put(Kind::string, unescaped(rest(at_ + 1).substr(0, end - at_ - 1)));
            return go_to(end + 1);
        }
        for (const std::string_view two : {"//", "**", "==", "!=", ">=", "<="}) {
            if (!sees(two)) continue;
            put(Kind::op, std::string(two));
            return go_to(at_ + 2);
        }
        if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == npos) {
            throw Problem("has an unexpected character in a tag");
        }
        if (c == '(' || c == '[' || c == '{') open += c;
        if (c == ')' || c == ']' || c == '}') {
            const char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
            if (open.empty() || open.back() != wanted) throw Problem(std::string("has an unexpected '") + c + "'");
            open.pop_back();
        }
        put(Kind::op, std::string(1, c));
        go_to(at_ + 1);
    }
    /// The end of a number like 0x1F, 0o17 or 0b11 at `at`; 0 where there is none.
    [[nodiscard]] std::size_t based(std::size_t at) const {
        const auto name = rest(at).substr(0, 2);
        const std::string_view known = name == "0x" || name == "0X"   ? "0123456789abcdefABCDEF"
                                       : name == "0o" || name == "0O" ? "01234567"
                                       : name == "0b" || name == "0B" ? "01"
                                                                      : "";
        const auto digit = [&](std::size_t i) { return i < source_.size() && known.find(source_[i]) != npos; };
        std::size_t end = at + 2;
        while (digit(end) || (end < source_.size() && source_[end] == '_' && digit(end + 1))) ++end;
        return known.empty() || end == at + 2 ? 0 : end;
    }
    void number() {
        const auto digits = [this](std::size_t at) {
            const auto digit = [this](std::size_t i) {
                return i < source_.size() && source_[i] >= '0' && source_[i] <= '9';
            };
            while (digit(at) || (at < source_.size() && source_[at] == '_' && digit(at + 1))) ++at;
            return at;
        };
        if (const auto end = based(at_)) {
            std::string text = source_.substr(at_, end - at_);
            std::erase(text, '_');
            put(Kind::integer, std::move(text));
            return go_to(end);
        }
        std::size_t end = digits(at_);
        const bool member = at_ > 0 && source_[at_ - 1] == '.';
        bool real = false;
        if (!member && end < source_.size()) {
            if (source_[end] == '.' && digits(end + 1) > end + 1 && source_[end + 1] != '_') {
                end = digits(end + 1);
                real = true;
            }
            if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
                const std::size_t power = end + 1 + (sign_at(end + 1) ? 1 : 0);
                if (digits(power) > power) {
                    end = digits(power);
                    real = true;
                }
            }
        }
        std::string text = source_.substr(at_, end - at_);
        std::erase(text, '_');
        if (!real && text.size() > 1 && text[0] == '0' && text.find_first_not_of('0') != npos) {
            throw Problem("has a number that begins with 0");
        }
        put(real ? Kind::real : Kind::integer, std::move(text));
        go_to(end);
    }

    std::string source_;
    std::size_t at_ = 0;
    unsigned line_ = 1;
    bool line_starting_ = true;
    std::vector<Token> tokens_;
};

}  // namespace silica::text::jinja
