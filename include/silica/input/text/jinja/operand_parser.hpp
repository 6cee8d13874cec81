#pragma once
/// Reads what operators stand between: literals, names, parentheses, and what follows them directly.

#include <silica/core/real.hpp>
#include <silica/input/text/jinja/expression_maker.hpp>
#include <silica/input/text/jinja/known.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// The part of the parser that knows operands.
class OperandParser : public ExpressionMaker {
protected:
    explicit OperandParser(std::vector<Token> tokens) : ExpressionMaker(std::move(tokens)) {}
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
            made->name += dotted();
            if (!known_filter(made->name)) unknown("uses the filter " + quote(made->name) + ", which does not exist");
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
                return constant(whole(t.text));
            case Kind::real:
                return constant(Value(read_real(t.text)));
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

private:
    void saw(std::string_view name) {
        saw_varargs_ = saw_varargs_ || name == "varargs";
        saw_kwargs_ = saw_kwargs_ || name == "kwargs";
        saw_caller_ = saw_caller_ || name == "caller";
    }
    [[nodiscard]] bool tuple_ends() const {
        return now().kind == Kind::block_end || now().kind == Kind::output_end || at_op(")") || at_name("recursive");
    }
    [[nodiscard]] ExpressionPtr subscript(ExpressionPtr value, unsigned line) {
        auto made = make(Ex::item, line);
        made->add(std::move(value));
        if (!at_op(":")) made->add(expression());
        if (at_op(":")) slice_bounds(*made);
        if (at_op(",")) {
            auto keys = make(Ex::tuple, line);
            // A slice among several subscripts finds nothing, as a None there does.
            keys->add(made->kind == Ex::slice ? make_none(line) : std::move(made->items[1]));
            while (take_op(",")) {
                auto part = make(Ex::item, line);
                part->add(nullptr);
                if (!at_op(":")) part->add(expression());
                if (at_op(":")) slice_bounds(*part);
                keys->add(part->kind == Ex::slice ? make_none(line) : std::move(part->items[1]));
            }
            auto several = make(Ex::item, line);
            several->add(std::move(made->items[0]));
            several->add(std::move(keys));
            made = std::move(several);
        }
        expect_op("]");
        return made;
    }
    /// start:stop:step, after start.
    void slice_bounds(Expression& made) {
        made.kind = Ex::slice;
        if (made.items.size() == 1) made.add(nullptr);
        for (int i = 0; i < 2; ++i) {
            const bool there = take_op(":") && !at_op(":") && !at_op("]") && !at_op(",");
            made.add(there ? expression() : nullptr);
        }
    }
};

}  // namespace silica::text::jinja
