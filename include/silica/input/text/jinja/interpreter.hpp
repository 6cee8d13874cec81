#pragma once
/// Runs statements.

#include <silica/input/text/jinja/blocks.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// One rendering of a template's statements.
class Interpreter : private Blocks {
public:
    Interpreter(Session& session, const Dict& context) : Blocks(session, context) {}
    Interpreter(const Interpreter&) = delete;
    Interpreter& operator=(const Interpreter&) = delete;
    /// The text of the template; variables of it in `hidden` are undefined at first.
    [[nodiscard]] std::string run(const Body& body, const std::vector<std::string>& hidden) {
        std::string out;
        out_ = &out;
        collect(body);
        hide(hidden);
        static_cast<void>(exec(body));
        return out;
    }

private:
    using St = Statement::Kind;
    enum class Flow { on, leave, again };

    void collect(const Body& body) {
        for (const auto& s : body) {
            if (s.kind == St::block) blocks_.emplace(s.name, &s);
            collect(s.body);
            collect(s.orelse);
            for (const auto& branch : s.branches) collect(branch.body);
        }
    }
    [[nodiscard]] Flow exec(const Body& body) {
        for (const auto& s : body) {
            if (const Flow flow = exec(s); flow != Flow::on) return flow;
        }
        return Flow::on;
    }
    [[nodiscard]] Flow exec(const Statement& s) {
        const Level level(session_);
        session_.spend(1);
        session_.line = s.line;
        switch (s.kind) {
            case St::text:
                write(s.text);
                break;
            case St::output:
                for (const auto& [value, ignored] : s.parameters) {
                    const Value v = eval(*value);
                    write(escapes_ ? escape(session_, v).text() : text_of(session_, v));
                }
                break;
            case St::set:
                assign(*s.target, eval(*s.value));
                break;
            case St::set_block:
                return set_block(s);
            case St::choice:
                return choice(s);
            case St::loop:
                return loop(s, eval(*s.value), 0);
            case St::macro:
                scope_->set(session_, s.name, macro(s));
                break;
            case St::call_block:
                fill_call(s);
                break;
            case St::with:
                return with(s);
            case St::filter:
                return filter_block(s);
            case St::scope: {
                const Entered entered(*this);
                hide(s.hidden);
                return exec(s.body);
            }
            case St::autoescape: {
                const bool escapes = truth(eval(*s.value));
                const Entered entered(*this);
                hide(s.hidden);
                const Switched here(escapes_, escapes), everywhere(session_.autoescape, escapes);
                return exec(s.body);
            }
            case St::block:
                if (s.required) throw Problem("has the required block " + quote(s.name) + ", which nothing fills");
                block(s, s.scoped ? scope_ : root_);
                break;
            case St::loader:
                throw Problem("uses " + quote(s.name) + "; there are no other templates to load");
            case St::leave:
                return Flow::leave;
            case St::again:
                return Flow::again;
        }
        return Flow::on;
    }
    [[nodiscard]] Flow set_block(const Statement& s) {
        Captured captured(*this);
        {
            const Entered entered(*this);
            hide(s.hidden);
            if (const Flow flow = exec(s.body); flow != Flow::on) return flow;
        }
        session_.line = s.line;
        assign(*s.target, filters(s.value.get(), session_.text(std::move(captured.text), escapes_)));
        return Flow::on;
    }
    [[nodiscard]] Flow filter_block(const Statement& s) {
        Value made;
        {
            Captured captured(*this);
            const Entered entered(*this);
            hide(s.hidden);
            if (const Flow flow = exec(s.body); flow != Flow::on) return flow;
            made = filters(s.value.get(), session_.text(std::move(captured.text), escapes_));
        }
        write_made(made);
        return Flow::on;
    }
    [[nodiscard]] Flow choice(const Statement& s) {
        for (const auto& branch : s.branches) {
            if (!branch.condition || truth(eval(*branch.condition))) return exec(branch.body);
        }
        return Flow::on;
    }
    [[nodiscard]] Flow with(const Statement& s) {
        Values values;
        for (const auto& [target, value] : s.parameters) values.push_back(eval(*value));
        const Entered entered(*this);
        for (std::size_t i = 0; i < values.size(); ++i) assign(*s.parameters[i].first, std::move(values[i]));
        hide(s.hidden);
        return exec(s.body);
    }

    void block(const Statement& s, std::shared_ptr<Scope> around) {
        const Entered entered(*this, std::move(around));
        hide(s.hidden);
        const Switched switched(escapes_, false);
        static_cast<void>(exec(s.body));
    }
    [[nodiscard]] bool has_block(const std::string& name) const override { return blocks_.count(name) != 0; }
    [[nodiscard]] Value call_block(const std::string& name) override {
        const Level level(session_);
        Captured captured(*this);
        block(*blocks_.at(name), root_);
        return session_.text(std::move(captured.text), session_.autoescape);
    }

    /// The items of a loop, one by one, those that its condition lets through.
    [[nodiscard]] Pull items(const Statement& s, const Value& from) {
        Pull next = pull(session_, from);
        if (!s.condition) return next;
        return [this, &s, next = std::move(next), around = scope_](Value& item) mutable {
            while (next(item)) {
                const Entered entered(*this, around);
                assign(*s.target, item);
                if (truth(eval(*s.condition))) return true;
            }
            return false;
        };
    }
    [[nodiscard]] Flow loop(const Statement& s, const Value& from, std::int64_t depth0) {
        const auto state = std::make_shared<Loop>();
        state->pull = items(s, from);
        state->depth0 = depth0;
        if (s.recursive) {
            state->recursive = &s;
            state->around = scope_;
            captured_.push_back(scope_);
            session_.take(sizeof(Value));
        }
        struct Finish {
            Loop& loop;
            ~Finish() { loop.finish(); }
        } const finish{*state};
        bool completed = false;  // as in Jinja, a body left by continue or break does not count for else
        while (state->next()) {
            session_.spend(1);
            const Entered entered(*this);
            scope_->set(session_, "loop", Value(state));
            assign(*s.target, state->current);
            hide(s.hidden);
            const Flow flow = exec(s.body);
            if (flow == Flow::leave) break;
            completed = completed || flow == Flow::on;
        }
        if (completed || s.orelse.empty()) return Flow::on;
        const Entered entered(*this);
        hide(s.hidden_else);
        return exec(s.orelse);
    }
    [[nodiscard]] Value call_loop(const std::shared_ptr<Loop>& of, const Value& items) override {
        if (!of->recursive) throw Problem("calls a loop that is not marked as recursive");
        const Level level(session_);
        Captured captured(*this);
        const Entered entered(*this, of->around);
        static_cast<void>(loop(*of->recursive, items, of->depth0 + 1));
        return session_.text(std::move(captured.text), escapes_);
    }

    void fill_call(const Statement& s) {
        const Value callee = eval(*s.value->items[0]);
        Args args = arguments(s.value->arguments);
        args.named.emplace_back("caller", macro(s));
        write_made(call(callee, std::move(args), s.line));
    }
    void run_macro(const Body& body) override { static_cast<void>(exec(body)); }

    std::shared_ptr<Scope> root_ = scope_;
    std::map<std::string, const Statement*> blocks_;
};

}  // namespace silica::text::jinja
