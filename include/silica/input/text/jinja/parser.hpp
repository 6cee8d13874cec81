#pragma once
/// Reads a whole template into statements.

#include <silica/input/text/jinja/target_parser.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Statements, by the tags that open them. What Silica does not know is refused by name.
class Parser : public TargetParser {
public:
    explicit Parser(std::vector<Token> tokens) : TargetParser(std::move(tokens)) {}

    [[nodiscard]] Body run() {
        auto made = body({});
        if (unknown_.empty()) return made;
        failed_line_ = unknown_.front().first;
        throw Problem(unknown_.front().second);
    }
    /// Where it stands, or what is wrong.
    [[nodiscard]] unsigned line() const { return failed_line_ != 0 ? failed_line_ : TokenCursor::line(); }

private:
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
                out.parameters.emplace_back(tuple(), nullptr);
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
        auto made = inner({end});
        advance();
        return made;
    }
    /// A body with variables of its own.
    [[nodiscard]] Body inner(const Ends& ends) {
        const bool soft = std::exchange(soft_, false);
        auto made = body(ends);
        soft_ = soft;
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
        if (tag == "print") {
            Statement made(St::output, line);
            while (now().kind != Kind::block_end) {
                if (!made.parameters.empty()) expect_op(",");
                made.parameters.emplace_back(expression(), nullptr);
            }
            return made;
        }
        if (tag == "autoescape") {
            Statement made(St::autoescape, line);
            made.value = expression();
            made.body = block("endautoescape");
            return made;
        }
        if (tag == "block") return named_block(line);
        for (const std::string_view known : {"extends", "include", "import", "from"}) {
            if (tag == known) return loader(tag, line);
        }
        throw Problem("uses the tag " + quote(tag) + ", which does not exist or does not belong there");
    }

    [[nodiscard]] Statement named_block(unsigned line) {
        Statement made(St::block, line);
        made.name = expect_name("the name of a block");
        if (std::find(blocks_.begin(), blocks_.end(), made.name) != blocks_.end()) {
            throw Problem("has the block " + quote(made.name) + " twice");
        }
        blocks_.push_back(made.name);
        made.scoped = take_name("scoped");
        made.required = take_name("required");
        made.body = callable_body("endblock");
        static_cast<void>(take_name(made.name));
        const auto blank = [](const Statement& s) {
            return s.kind == St::text && s.text.find_first_not_of(" \t\n\r\f\v") == std::string::npos;
        };
        if (made.required && !std::all_of(made.body.begin(), made.body.end(), blank)) {
            throw Problem("has the required block " + quote(made.name) + " with something in it");
        }
        return made;
    }
    [[nodiscard]] Statement choice(unsigned line) {
        Statement made(St::choice, line);
        const bool soft = std::exchange(soft_, true);
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
        soft_ = soft;
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
        made.recursive = take_name("recursive");
        close();
        ++loops_;
        made.body = inner({"else", "endfor"});
        --loops_;
        if (take_name("else")) {
            close();
            made.orelse = inner({"endfor"});
        }
        advance();
        return made;
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
    /// What a macro or a call block holds: no loop outside it can be left from inside.
    [[nodiscard]] Body callable_body(std::string_view end) {
        const unsigned loops = std::exchange(loops_, 0);
        auto made = block(end);
        loops_ = loops;
        return made;
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
        for (const auto& [name, value] : made.parameters) {
            if (name->name == "caller" && !value && made.uses_caller) {
                throw Problem("has a macro with the parameter 'caller' without a default");
            }
        }
        return made;
    }
    [[nodiscard]] Statement call_block(unsigned line) {
        Statement made(St::call_block, line);
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

    unsigned loops_ = 0, failed_line_ = 0;
    std::vector<std::string> blocks_;
};

}  // namespace silica::text::jinja
