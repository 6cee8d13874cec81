#pragma once
/// Runs statements.

#include <silica/input/text/jinja/blocks.hpp>

#include <algorithm>
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
    [[nodiscard]] std::string run(const Body& body) {
        std::string out;
        out_ = &out;
        static_cast<void>(exec(body));
        return out;
    }

private:
    using St = Statement::Kind;
    enum class Flow { on, leave, again };

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
                write(text_of(session_, eval(*s.value)));
                break;
            case St::set:
                assign(*s.target, eval(*s.value));
                break;
            case St::set_block:
                return set_block(s);
            case St::choice:
                return choice(s);
            case St::loop:
                return loop(s);
            case St::macro:
                scope_->set(session_, s.name, macro(s));
                break;
            case St::call_block:
                call_block(s);
                break;
            case St::with:
                return with(s);
            case St::filter:
                return filter_block(s);
            case St::scope: {
                const Entered entered(*this);
                return exec(s.body);
            }
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
            if (const Flow flow = exec(s.body); flow != Flow::on) return flow;
        }
        session_.line = s.line;
        assign(*s.target, filters(s.value.get(), session_.text(std::move(captured.text))));
        return Flow::on;
    }
    [[nodiscard]] Flow filter_block(const Statement& s) {
        Value made;
        {
            Captured captured(*this);
            const Entered entered(*this);
            if (const Flow flow = exec(s.body); flow != Flow::on) return flow;
            made = filters(s.value.get(), session_.text(std::move(captured.text)));
        }
        write(text_of(session_, made));
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
        return exec(s.body);
    }

    /// The items of a loop, one by one, those that its condition lets through.
    [[nodiscard]] std::function<bool(Value&)> items(const Statement& s) {
        const Value from = eval(*s.value);
        std::function<bool(Value&)> next;
        if (from.holds<Iterator>()) {
            next = [it = from.ref<Iterator>()](Value& item) {
                if (it->next >= it->items.size()) return false;
                item = it->items[it->next++];
                return true;
            };
        } else {
            next = [all = iterate(session_, from), at = std::size_t{0}](Value& item) mutable {
                if (at >= all.size()) return false;
                item = all[at++];
                return true;
            };
        }
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
    [[nodiscard]] Flow loop(const Statement& s) {
        const auto state = std::make_shared<Loop>();
        state->pull = items(s);
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
            const Flow flow = exec(s.body);
            if (flow == Flow::leave) break;
            completed = completed || flow == Flow::on;
        }
        if (completed || s.orelse.empty()) return Flow::on;
        const Entered entered(*this);
        return exec(s.orelse);
    }

    void call_block(const Statement& s) {
        const Value callee = eval(*s.value->items[0]);
        Args args = arguments(s.value->arguments);
        args.named.emplace_back("caller", macro(s));
        write(text_of(session_, call(callee, std::move(args), s.line)));
    }
    void run_macro(const Body& body) override { static_cast<void>(exec(body)); }
};

}  // namespace silica::text::jinja
