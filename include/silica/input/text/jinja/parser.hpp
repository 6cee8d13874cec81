#pragma once
/// Reads a whole template into statements.

#include <silica/input/text/jinja/expression_parser.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Statements, by the tags that open them. What Silica does not know is refused by name.
class Parser : public ExpressionParser {
public:
    explicit Parser(std::vector<Token> tokens) : ExpressionParser(std::move(tokens)) {}

    [[nodiscard]] Body run() { return body({}); }

private:
    using St = Statement::Kind;
    using Ends = std::vector<std::string_view>;

    /// Statements up to a tag named in `ends`, whose name is then the token at hand.
    [[nodiscard]] Body body(const Ends& ends) {
        const Nested nested(*this);
        Body made;
        for (;;) {
            const auto& t = now();
            if (t.kind == Kind::end) {
                if (ends.empty()) return made;
                throw Problem("ends without " + quote(ends.back()));
            }
            if (t.kind == Kind::text) {
                made.emplace_back(St::text, t.line).text = t.text;
                advance();
            } else if (t.kind == Kind::output_begin) {
                auto& out = made.emplace_back(St::output, t.line);
                advance();
                out.value = tuple();
                if (now().kind != Kind::output_end) unexpected("'}}'");
                advance();
            } else {
                advance();
                for (const auto end : ends) {
                    if (at_name(end)) return made;
                }
                made.push_back(statement());
                close();
            }
        }
    }
    void close() {
        if (now().kind != Kind::block_end) unexpected("'%}'");
        advance();
    }
    /// The body after a tag, and its end tag up to "%}".
    [[nodiscard]] Body block(std::string_view end) {
        close();
        auto made = body({end});
        advance();
        return made;
    }

    [[nodiscard]] Statement statement() {
        const unsigned line = now().line;
        const std::string tag = expect_name("the name of a tag");
        if (tag == "if") return choice(line);
        if (tag == "for") return loop(line);
        if (tag == "set") return set(line);
        if (tag == "macro") return macro(line);
        if (tag == "call") return call_block(line);
        if (tag == "with") return with(line);
        if (tag == "filter") {
            Statement made(St::filter, line);
            made.value = filters(nullptr, true);
            made.body = block("endfilter");
            return made;
        }
        if (tag == "generation") {
            Statement made(St::scope, line);
            made.body = callable_body("endgeneration");
            return made;
        }
        if (tag == "break" || tag == "continue") {
            if (loops_ == 0) throw Problem("has " + quote(tag) + " outside a loop");
            return Statement(tag == "break" ? St::leave : St::again, line);
        }
        for (const std::string_view known :
             {"block", "extends", "include", "import", "from", "print", "do", "autoescape", "trans", "debug"}) {
            if (tag == known) throw Problem("uses the tag " + quote(tag) + ", which chat templates do without here");
        }
        throw Problem("uses the tag " + quote(tag) + ", which Silica does not know or which does not belong there");
    }

    [[nodiscard]] Statement choice(unsigned line) {
        Statement made(St::choice, line);
        for (;;) {
            auto condition = tuple(false);
            close();
            made.branches.push_back({std::move(condition), body({"elif", "else", "endif"})});
            if (!take_name("elif")) break;
        }
        if (take_name("else")) {
            close();
            made.branches.push_back({nullptr, body({"endif"})});
        }
        advance();
        return made;
    }
    [[nodiscard]] Statement loop(unsigned line) {
        Statement made(St::loop, line);
        made.target = target(false);
        forbid_loop(*made.target);
        if (!take_name("in")) unexpected("'in'");
        made.value = tuple(false);
        if (take_name("if")) made.condition = expression();
        if (at_name("recursive")) throw Problem("has a recursive loop, which Silica does not know");
        close();
        ++loops_;
        made.body = body({"else", "endfor"});
        --loops_;
        if (take_name("else")) {
            close();
            made.orelse = body({"endfor"});
        }
        advance();
        return made;
    }
    static void forbid_loop(const Expression& target) {
        if (target.kind == Ex::name && target.name == "loop") throw Problem("goes through a list by the name 'loop'");
        for (const auto& item : target.items) forbid_loop(*item);
    }
    [[nodiscard]] Statement set(unsigned line) {
        Statement made(St::set, line);
        made.target = target(true);
        if (take_op("=")) {
            made.value = tuple();
            return made;
        }
        made.kind = St::set_block;
        made.value = filters(nullptr);
        made.body = block("endset");
        return made;
    }
    /// A name, namespace.name, or several between commas.
    [[nodiscard]] ExpressionPtr target(bool members) {
        auto made = make(Ex::tuple, now().line);
        bool commas = false;
        while (!at_name("in") && !at_op("=") && now().kind != Kind::block_end) {
            made->add(target_part(members));
            if (!take_op(",")) break;
            commas = true;
        }
        if (made->items.empty()) unexpected("a name");
        return commas ? std::move(made) : std::move(made->items[0]);
    }
    [[nodiscard]] ExpressionPtr target_part(bool members) {
        auto part = primary();
        if (members && part->kind == Ex::name && take_op(".")) {
            part->kind = Ex::set_member;
            part->member = expect_name("the name of an attribute");
        }
        require_target(*part, true);
        return part;
    }
    static void require_target(const Expression& part, bool outermost) {
        if (part.kind == Ex::tuple) {
            for (const auto& item : part.items) require_target(*item, false);
        } else if (part.kind != Ex::name && !(outermost && part.kind == Ex::set_member)) {
            throw Problem("assigns to something that is no name");
        }
    }

    /// What a macro or a call block holds: no loop outside it can be left from inside.
    [[nodiscard]] Body callable_body(std::string_view end) {
        const unsigned loops = std::exchange(loops_, 0);
        auto made = block(end);
        loops_ = loops;
        return made;
    }
    void parameters(Statement& made) {
        expect_op("(");
        while (!at_op(")")) {
            if (!made.parameters.empty()) expect_op(",");
            auto name = make(Ex::name, now().line);
            name->name = expect_name("the name of a parameter");
            for (const auto& [other, ignored] : made.parameters) {
                if (other->name == name->name) throw Problem("has the parameter " + quote(name->name) + " twice");
            }
            ExpressionPtr value;
            if (take_op("=")) {
                value = expression();
            } else if (!made.parameters.empty() && made.parameters.back().second) {
                throw Problem("has a parameter without a default after one that has one");
            }
            made.parameters.emplace_back(std::move(name), std::move(value));
        }
        expect_op(")");
    }
    /// Parameters and body, by `read`; notes which special names occur.
    template <class Read>
    void callable(Statement& made, Read&& read) {
        const bool varargs = std::exchange(saw_varargs_, false), kwargs = std::exchange(saw_kwargs_, false),
                   caller = std::exchange(saw_caller_, false);
        read();
        made.uses_varargs = saw_varargs_;
        made.uses_kwargs = saw_kwargs_;
        made.uses_caller = saw_caller_;
        saw_varargs_ = saw_varargs_ || varargs;
        saw_kwargs_ = saw_kwargs_ || kwargs;
        saw_caller_ = saw_caller_ || caller;
    }
    [[nodiscard]] Statement macro(unsigned line) {
        Statement made(St::macro, line);
        made.name = expect_name("the name of a macro");
        callable(made, [&] {
            parameters(made);
            made.body = callable_body("endmacro");
        });
        return made;
    }
    [[nodiscard]] Statement call_block(unsigned line) {
        Statement made(St::call_block, line);
        made.name = "caller";
        if (at_op("(")) parameters(made);
        made.value = expression();
        if (made.value->kind != Ex::call) throw Problem("has a call block that calls nothing");
        callable(made, [&] { made.body = callable_body("endcall"); });
        return made;
    }
    [[nodiscard]] Statement with(unsigned line) {
        Statement made(St::with, line);
        while (now().kind != Kind::block_end) {
            if (!made.parameters.empty()) expect_op(",");
            auto name = target_part(false);
            expect_op("=");
            auto value = expression();
            made.parameters.emplace_back(std::move(name), std::move(value));
        }
        made.body = block("endwith");
        return made;
    }

    unsigned loops_ = 0;
};

}  // namespace silica::text::jinja
