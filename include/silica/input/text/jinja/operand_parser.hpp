#pragma once
/// Reads what operators stand between: literals, names, parentheses, and what follows them directly.

#include <silica/input/text/jinja/known.hpp>
#include <silica/input/text/jinja/syntax.hpp>
#include <silica/input/text/jinja/token_cursor.hpp>

#include <cstdint>
#include <limits>
#include <locale>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// The part of the parser that knows operands.
class OperandParser : public TokenCursor {
protected:
    using Ex = Expression::Kind;
    static constexpr unsigned longest = 200;  ///< operators in a row

    explicit OperandParser(std::vector<Token> tokens) : TokenCursor(std::move(tokens)) {}
    OperandParser(const OperandParser&) = delete;
    OperandParser& operator=(const OperandParser&) = delete;
    virtual ~OperandParser() = default;

    /// An expression with any operators; without `x if y else z`.
    [[nodiscard]] virtual ExpressionPtr expression() = 0;
    [[nodiscard]] virtual ExpressionPtr either() = 0;

    /// a, b, ... as a tuple, or one expression. `choice` allows `x if y else z`.
    [[nodiscard]] ExpressionPtr tuple(bool choice = true, bool parenthesised = false) {
        const unsigned line = now().line;
        auto made = make(Ex::tuple, line);
        bool commas = false;
        while (!tuple_ends()) {
            made->add(choice ? expression() : either());
            if (!take_op(",")) break;
            commas = true;
        }
        if (!commas) {
            if (!made->items.empty()) return std::move(made->items[0]);
            if (!parenthesised) unexpected("an expression");
        }
        return made;
    }
    /// name(...) after a pipe, again and again.
    [[nodiscard]] ExpressionPtr filters(ExpressionPtr value, bool inline_first = false) {
        while (inline_first || take_op("|")) {
            inline_first = false;
            auto made = make(Ex::filter, now().line);
            made->name = expect_name("the name of a filter");
            if (!known_filter(made->name)) {
                throw Problem("uses the filter " + quote(made->name) + ", which Silica does not know");
            }
            made->add(std::move(value));
            if (at_op("(")) made->set_arguments(arguments());
            value = checked(std::move(made));
        }
        return value;
    }
    [[nodiscard]] ExpressionPtr primary() {
        const Token& t = now();
        auto made = make(Ex::constant, t.line);
        const auto constant = [&](Value value) {
            made->value = std::move(value);
            advance();
            return std::move(made);
        };
        switch (t.kind) {
            case Kind::name:
                if (t.text == "true" || t.text == "True") return constant(Value(true));
                if (t.text == "false" || t.text == "False") return constant(Value(false));
                if (t.text == "none" || t.text == "None") return constant(None{});
                made->kind = Ex::name;
                made->name = t.text;
                saw(t.text);
                advance();
                return made;
            case Kind::string: {
                std::string text;
                for (; now().kind == Kind::string; advance()) text += now().text;
                made->value = Value(std::move(text));
                return made;
            }
            case Kind::integer:
                return constant(Value(whole(t.text)));
            case Kind::real: {
                std::istringstream in(t.text);
                in.imbue(std::locale::classic());
                double value = 0;
                if (!(in >> value) && value != 0) value = std::numeric_limits<double>::infinity();
                return constant(Value(value));
            }
            default:
                break;
        }
        const Nested nested(*this);
        if (take_op("(")) {
            made = tuple(true, true);
            expect_op(")");
        } else if (take_op("[")) {
            made->kind = Ex::list;
            while (!at_op("]")) {
                if (!made->items.empty()) expect_op(",");
                if (at_op("]")) break;
                made->add(expression());
            }
            expect_op("]");
        } else if (take_op("{")) {
            made->kind = Ex::dict;
            while (!at_op("}")) {
                if (!made->items.empty()) expect_op(",");
                if (at_op("}")) break;
                made->add(expression());
                expect_op(":");
                made->add(expression());
            }
            expect_op("}");
        } else {
            unexpected("an expression");
        }
        return made;
    }
    /// .name, [item] and (arguments), again and again.
    [[nodiscard]] ExpressionPtr postfix(ExpressionPtr value) {
        for (;;) {
            const unsigned line = now().line;
            if (take_op(".")) {
                const bool number = now().kind == Kind::integer;
                auto made = make(number ? Ex::item : Ex::attribute, line);
                made->add(std::move(value));
                if (number) {
                    made->add(primary());
                } else {
                    made->name = expect_name("the name of an attribute");
                }
                value = checked(std::move(made));
            } else if (take_op("[")) {
                value = checked(subscript(std::move(value), line));
            } else if (at_op("(")) {
                auto made = make(Ex::call, line);
                made->add(std::move(value));
                made->set_arguments(arguments());
                value = checked(std::move(made));
            } else {
                return value;
            }
        }
    }
    [[nodiscard]] Arguments arguments() {
        Arguments made;
        expect_op("(");
        while (!at_op(")")) {
            if (!made.at.empty() || !made.named.empty() || made.all || made.all_named) {
                expect_op(",");
                if (at_op(")")) break;
            }
            const bool stars = made.all || made.all_named;
            if (take_op("*")) {
                if (stars) unexpected("an argument");
                made.all = expression();
            } else if (take_op("**")) {
                if (made.all_named) unexpected("an argument");
                made.all_named = expression();
            } else if (now().kind == Kind::name && next().kind == Kind::op && next().text == "=") {
                if (made.all_named) unexpected("an argument");
                std::string name = now().text;
                for (const auto& [other, ignored] : made.named) {
                    if (other == name) throw Problem("gives the argument " + quote(name) + " twice");
                }
                advance(), advance();
                made.named.emplace_back(std::move(name), expression());
            } else {
                if (stars || !made.named.empty()) unexpected("a named argument");
                made.at.push_back(expression());
            }
        }
        expect_op(")");
        return made;
    }

    [[nodiscard]] static ExpressionPtr make(Ex kind, unsigned line) { return std::make_unique<Expression>(kind, line); }

    [[nodiscard]] static ExpressionPtr checked(ExpressionPtr made) {
        if (made->depth > longest) {
            throw Problem("has an expression of more than " + std::to_string(longest) + " operators in a row");
        }
        return made;
    }
    /// Which of a macro's special names occurred since they were last cleared.
    bool saw_varargs_ = false, saw_kwargs_ = false, saw_caller_ = false;

private:
    void saw(std::string_view name) {
        saw_varargs_ = saw_varargs_ || name == "varargs";
        saw_kwargs_ = saw_kwargs_ || name == "kwargs";
        saw_caller_ = saw_caller_ || name == "caller";
    }
    [[nodiscard]] bool tuple_ends() const {
        return now().kind == Kind::block_end || now().kind == Kind::output_end || at_op(")") || at_name("recursive");
    }
    [[nodiscard]] static std::int64_t whole(const std::string& digits) {
        std::int64_t n = 0;
        for (const char c : digits) {
            if (n > (std::numeric_limits<std::int64_t>::max() - (c - '0')) / 10) {
                throw Problem("has a number of more than 64 bits");
            }
            n = n * 10 + (c - '0');
        }
        return n;
    }
    [[nodiscard]] ExpressionPtr subscript(ExpressionPtr value, unsigned line) {
        auto made = make(Ex::item, line);
        made->add(std::move(value));
        if (!at_op(":")) made->add(expression());
        if (at_op(":")) {
            made->kind = Ex::slice;
            if (made->items.size() == 1) made->add(nullptr);
            for (int i = 0; i < 2; ++i) made->add(take_op(":") && !at_op(":") && !at_op("]") ? expression() : nullptr);
        }
        if (at_op(",")) throw Problem("has several subscripts, which Silica does not know");
        expect_op("]");
        return made;
    }
};

}  // namespace silica::text::jinja
