#pragma once
/// A place in the tokens of a template, and what may stand there.

#include <silica/core/quote.hpp>
#include <silica/input/text/jinja/lexer.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Goes through tokens. Throws Problem; `line()` says where.
class TokenCursor {
public:
    [[nodiscard]] unsigned line() const { return now().line; }

protected:
    using Kind = Token::Kind;
    static constexpr unsigned deepest = 100;  ///< parentheses, blocks

    explicit TokenCursor(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

    [[nodiscard]] const Token& now() const { return tokens_[at_]; }
    [[nodiscard]] const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
    void advance() { at_ += at_ + 1 < tokens_.size(); }
    [[nodiscard]] bool at_op(std::string_view text) const { return now().kind == Kind::op && now().text == text; }
    [[nodiscard]] bool at_name(std::string_view text) const { return now().kind == Kind::name && now().text == text; }
    bool take_op(std::string_view text) {
        const bool found = at_op(text);
        if (found) advance();
        return found;
    }
    bool take_name(std::string_view text) {
        const bool found = at_name(text);
        if (found) advance();
        return found;
    }
    [[noreturn]] void unexpected(const std::string& wanted) const {
        const auto& t = now();
        const std::string got = t.kind == Kind::end                                       ? "the end of the template"
                                : t.kind == Kind::block_end || t.kind == Kind::output_end ? "the end of the tag"
                                : t.kind == Kind::text || t.kind == Kind::output_begin || t.kind == Kind::block_begin
                                    ? "text"
                                    : quote(t.text);
        throw Problem("has " + got + " where " + wanted + " belongs");
    }
    void expect_op(std::string_view text) {
        if (!take_op(text)) unexpected(quote(text));
    }
    std::string expect_name(const std::string& wanted) {
        if (now().kind != Kind::name) unexpected(wanted);
        std::string name = now().text;
        advance();
        return name;
    }

    /// Counts nesting while it lives.
    class Nested {
    public:
        explicit Nested(TokenCursor& parser) : parser_(parser) {
            if (++parser_.nesting_ > deepest) {
                --parser_.nesting_;
                throw Problem("nests more than " + std::to_string(deepest) + " deep");
            }
        }
        Nested(const Nested&) = delete;
        Nested& operator=(const Nested&) = delete;
        ~Nested() { --parser_.nesting_; }

    private:
        TokenCursor& parser_;
    };

private:
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    unsigned nesting_ = 0;
};

}  // namespace silica::text::jinja
