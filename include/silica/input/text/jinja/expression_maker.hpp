#pragma once
/// What all parts of the parser make expressions with.

#include <silica/input/text/jinja/number.hpp>
#include <silica/input/text/jinja/syntax.hpp>
#include <silica/input/text/jinja/token_cursor.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Makes nodes of the syntax tree, and notes what is wrong with them.
class ExpressionMaker : public TokenCursor {
protected:
    using Ex = Expression::Kind;
    static constexpr unsigned longest = 200;  ///< operators in a row

    explicit ExpressionMaker(std::vector<Token> tokens) : TokenCursor(std::move(tokens)) {}

    [[nodiscard]] static ExpressionPtr make(Ex kind, unsigned line) { return std::make_unique<Expression>(kind, line); }

    [[nodiscard]] static ExpressionPtr checked(ExpressionPtr made) {
        if (made->depth > longest) {
            throw Problem("has an expression of more than " + std::to_string(longest) + " operators in a row");
        }
        return made;
    }
    /// More of a name with dots in it.
    [[nodiscard]] std::string dotted() {
        std::string out;
        while (take_op(".")) out += "." + expect_name("the rest of a name");
        return out;
    }
    /// A filter or test that does not exist is an error of the template where Jinja compiles the call as it is, and one
    /// of rendering in `if`.
    void unknown(const std::string& problem) {
        if (!soft_) unknown_.emplace_back(now().line, problem);
    }

    [[nodiscard]] static ExpressionPtr make_none(unsigned line) {
        auto made = make(Ex::constant, line);
        made->value = None{};
        return made;
    }
    [[nodiscard]] static Value whole(const std::string& digits) {
        const auto n = whole_of(digits, 0);
        if (!n || n->bits() > Session::most_bits) throw Problem("has a number that is too long");
        if (const auto small = n->small()) return Value(*small);
        return Value(std::make_shared<const BigInteger>(*n));
    }

    bool soft_ = false;                                      ///< what is read stands in `if`
    std::vector<std::pair<unsigned, std::string>> unknown_;  ///< line, problem
    /// Which of a macro's special names occurred since they were last cleared.
    bool saw_varargs_ = false, saw_kwargs_ = false, saw_caller_ = false;
};

}  // namespace silica::text::jinja
