#pragma once
/// Reads expressions, with Jinja's precedence.

#include <silica/input/text/jinja/operand_parser.hpp>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// The part of the parser that knows operators, from the loosest to the tightest.
class ExpressionParser : public OperandParser {
protected:
    explicit ExpressionParser(std::vector<Token> tokens) : OperandParser(std::move(tokens)) {}

    [[nodiscard]] ExpressionPtr expression() override {
        const Nested nested(*this);
        const std::size_t before = unknown_.size();
        auto left = either();
        while (at_name("if")) {
            auto made = make(Ex::choice, now().line);
            advance();
            made->add(std::move(left));
            made->add(either());
            made->add(take_name("else") ? expression() : nullptr);
            left = checked(std::move(made));
            unknown_.resize(before);
        }
        return left;
    }
    [[nodiscard]] static ExpressionPtr two(Ex kind, unsigned line, ExpressionPtr a, ExpressionPtr b) {
        auto made = make(kind, line);
        made->add(std::move(a));
        made->add(std::move(b));
        return checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr either() override {
        auto left = both();
        for (unsigned line = now().line; take_name("or"); line = now().line) {
            left = two(Ex::either, line, std::move(left), both());
        }
        return left;
    }
    [[nodiscard]] ExpressionPtr both() {
        auto left = negation();
        for (unsigned line = now().line; take_name("and"); line = now().line) {
            left = two(Ex::both, line, std::move(left), negation());
        }
        return left;
    }
    [[nodiscard]] ExpressionPtr negation() {
        if (!at_name("not")) return comparison();
        const Nested nested(*this);
        auto made = make(Ex::negation, now().line);
        advance();
        made->add(negation());
        return checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr comparison() {
        auto made = make(Ex::comparison, now().line);
        made->add(sum());
        for (;;) {
            std::string op;
            for (const std::string_view known : {"==", "!=", "<", "<=", ">", ">="}) {
                if (at_op(known)) op = known;
            }
            if (!op.empty() || at_name("in")) {
                if (op.empty()) op = "in";
                advance();
            } else if (at_name("not") && next().kind == Kind::name && next().text == "in") {
                op = "not in";
                advance(), advance();
            } else {
                break;
            }
            made->operators.push_back(std::move(op));
            made->add(sum());
        }
        if (made->operators.empty()) return std::move(made->items[0]);
        return checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr chain(std::initializer_list<std::string_view> ops,
                                      ExpressionPtr (ExpressionParser::*operand)()) {
        auto left = (this->*operand)();
        for (;;) {
            std::string op;
            for (const auto known : ops) {
                if (at_op(known)) op = known;
            }
            if (op.empty()) return left;
            const unsigned line = now().line;
            advance();
            left = two(Ex::arithmetic, line, std::move(left), (this->*operand)());
            left->name = std::move(op);
        }
    }
    [[nodiscard]] ExpressionPtr sum() { return chain({"+", "-"}, &ExpressionParser::concat); }
    [[nodiscard]] ExpressionPtr concat() {
        auto made = make(Ex::concat, now().line);
        made->add(product());
        while (take_op("~")) made->add(product());
        return made->items.size() == 1 ? std::move(made->items[0]) : checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr product() { return chain({"*", "/", "//", "%"}, &ExpressionParser::power); }
    [[nodiscard]] ExpressionPtr power() { return chain({"**"}, &ExpressionParser::filtered); }
    [[nodiscard]] ExpressionPtr filtered() { return unary(true); }
    [[nodiscard]] ExpressionPtr unary(bool with_filters) {
        ExpressionPtr made;
        if (at_op("-") || at_op("+")) {
            const Nested nested(*this);
            made = make(Ex::sign, now().line);
            made->name = now().text;
            advance();
            made->add(unary(false));
        } else {
            made = primary();
        }
        made = postfix(std::move(made));
        return with_filters ? filters_and_tests(std::move(made)) : std::move(made);
    }
    [[nodiscard]] ExpressionPtr filters_and_tests(ExpressionPtr value) {
        for (;;) {
            if (at_op("|")) {
                value = filters(std::move(value));
            } else if (at_name("is")) {
                value = test(std::move(value));
            } else if (at_op("(")) {
                auto made = make(Ex::call, now().line);
                made->add(std::move(value));
                made->set_arguments(arguments());
                value = checked(std::move(made));
            } else {
                return value;
            }
        }
    }
    [[nodiscard]] ExpressionPtr test(ExpressionPtr value) {
        auto made = make(Ex::test, now().line);
        advance();
        const bool negated = take_name("not");
        made->name = expect_name("the name of a test");
        made->name += dotted();
        if (!known_test(made->name)) unknown("uses the test " + quote(made->name) + ", which does not exist");
        made->add(std::move(value));
        const auto& t = now();
        if (at_op("(")) {
            made->set_arguments(arguments());
        } else if ((t.kind == Kind::name && t.text != "else" && t.text != "or" && t.text != "and") ||
                   t.kind == Kind::string || t.kind == Kind::integer || t.kind == Kind::real || at_op("[") ||
                   at_op("{")) {
            if (t.text == "is" && t.kind == Kind::name) throw Problem("chains tests with 'is'");
            Arguments one;
            one.at.push_back(postfix(primary()));
            made->set_arguments(std::move(one));
        }
        made = checked(std::move(made));
        if (!negated) return made;
        auto outer = make(Ex::negation, made->line);
        outer->add(std::move(made));
        return checked(std::move(outer));
    }
};

}  // namespace silica::text::jinja
