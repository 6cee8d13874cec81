#pragma once
/// Computes expressions.

#include <silica/input/text/jinja/arithmetic.hpp>
#include <silica/input/text/jinja/functions.hpp>
#include <silica/input/text/jinja/scope.hpp>
#include <silica/input/text/jinja/syntax.hpp>

#include <memory>
#include <string>
#include <utility>

namespace silica::text::jinja {

/// Expressions in a scope. How a macro runs is left to the statements' interpreter.
class Evaluator {
public:
    Evaluator(Session& session, const Dict& context) : session_(session), context_(context) {}
    Evaluator(const Evaluator&) = delete;
    Evaluator& operator=(const Evaluator&) = delete;
    virtual ~Evaluator() = default;

protected:
    using Ex = Expression::Kind;

    [[nodiscard]] virtual Value call_macro(const Callable& macro, Args args) = 0;
    [[nodiscard]] virtual Value call_block(const std::string& name) = 0;
    [[nodiscard]] virtual Value call_loop(const std::shared_ptr<Loop>& loop, const Value& items) = 0;
    [[nodiscard]] virtual bool has_block(const std::string& name) const = 0;

    [[nodiscard]] Value eval(const Expression& e) {
        const Level level(session_);
        session_.spend(1);
        session_.line = e.line;
        switch (e.kind) {
            case Ex::constant:
                return e.value;
            case Ex::name:
                return name(e.name);
            case Ex::list:
                return session_.list(all(e));
            case Ex::tuple:
                return session_.tuple(all(e));
            case Ex::dict:
                return dict(e);
            case Ex::attribute:
                return attribute(e);
            case Ex::item:
                return item(e);
            case Ex::slice:
                return slice(e);
            case Ex::call:
                return call(eval(*e.items[0]), arguments(e.arguments), e.line);
            case Ex::filter:
                return filter(e, eval(*e.items[0]));
            case Ex::test:
                return test(e);
            case Ex::negation:
                return Value(!truth(eval(*e.items[0])));
            case Ex::sign:
                return signed_value(session_, eval(*e.items[0]), e.name == "-");
            case Ex::both: {
                Value left = eval(*e.items[0]);
                return truth(left) ? eval(*e.items[1]) : left;
            }
            case Ex::either: {
                Value left = eval(*e.items[0]);
                return truth(left) ? left : eval(*e.items[1]);
            }
            case Ex::arithmetic:
                return arithmetic(e);
            case Ex::comparison:
                return comparison(e);
            case Ex::concat:
                return concat(e);
            case Ex::choice:
                if (truth(eval(*e.items[1]))) return eval(*e.items[0]);
                return e.items[2] ? eval(*e.items[2])
                                  : session_.missing("uses a choice without else that was not taken");
            case Ex::set_member:
                break;
        }
        throw Problem("has an expression of an unknown kind");
    }
    [[nodiscard]] Args arguments(const Arguments& from) {
        Args made;
        for (const auto& e : from.at) made.at.push_back(eval(*e));
        for (const auto& [name, e] : from.named) made.named.emplace_back(name, eval(*e));
        if (from.all) {
            for (auto& item : iterate(session_, eval(*from.all))) made.at.push_back(std::move(item));
        }
        if (from.all_named) {
            const Value more = eval(*from.all_named);
            if (!more.is_dict()) wrong_type("passes as named arguments", more);
            for (const auto& [key, value] : more.dict().items) {
                if (!key.is_text()) wrong_type("names an argument by", key);
                for (const auto& given : made.named) {
                    if (given.first == key.text()) throw Problem("gives the argument " + quote(key.text()) + " twice");
                }
                made.named.emplace_back(key.text(), value);
            }
        }
        session_.take((made.at.size() + made.named.size()) * sizeof(Value));
        return made;
    }
    [[nodiscard]] Value call(const Value& callee, Args args, unsigned line) {
        session_.line = line;
        if (callee.holds<Joiner>()) {
            static_cast<void>(Bound("joiner", args, {}));
            auto& joiner = *callee.ref<Joiner>();
            return std::exchange(joiner.used, true) ? joiner.separator : Value(std::string());
        }
        if (callee.holds<Loop>()) {
            return call_loop(callee.ref<Loop>(), *Bound("loop", args, {"iterable"}, 1)[0]);
        }
        if (!callee.holds<const Callable>() || is_self(callee)) wrong_type("calls", callee);
        const auto& what = *callee.ref<const Callable>();
        if (what.is_block) {
            static_cast<void>(Bound(what.name, args, {}));
            return call_block(what.name);
        }
        if (what.macro) return call_macro(what, std::move(args));
        return what.is_method ? call_method(session_, what.self, what.name, args)
                              : call_function(session_, what.name, args);
    }
    /// A filter, its value given.
    [[nodiscard]] Value filter(const Expression& e, const Value& value) {
        const Args args = arguments(e.arguments);
        session_.line = e.line;
        return apply_filter(session_, e.name, value, args);
    }
    /// The filters of a block, innermost first.
    [[nodiscard]] Value filters(const Expression* e, Value value) {
        if (!e) return value;
        return filter(*e, filters(e->items[0].get(), std::move(value)));
    }

    Session& session_;
    const Dict& context_;
    std::shared_ptr<Scope> scope_ = std::make_shared<Scope>();
    bool escapes_ = false;  ///< the statements at hand stand in {% autoescape true %}

private:
    /// `self`, whose attributes are the blocks.
    [[nodiscard]] static bool is_self(const Value& v) {
        return v.holds<const Callable>() && v.ref<const Callable>()->is_block && v.ref<const Callable>()->name.empty();
    }
    [[nodiscard]] Value block(const std::string& name) {
        if (!has_block(name)) return session_.missing("uses the block " + quote(name) + ", which is not there");
        session_.take(128);
        return Value(std::make_shared<const Callable>(Callable{.name = name, .is_block = true}));
    }
    [[nodiscard]] Value attribute(const Expression& e) {
        const Value of = eval(*e.items[0]);
        return is_self(of) ? block(e.name) : jinja::attribute(session_, of, e.name);
    }
    [[nodiscard]] Value name(const std::string& name) {
        if (const auto* found = scope_->find(session_, name)) return *found;
        if (const auto* found = find(session_, context_, name)) return *found;
        if (known_function(name)) return Value(std::make_shared<const Callable>(Callable{.name = name}));
        if (name == "self") return Value(std::make_shared<const Callable>(Callable{.name = {}, .is_block = true}));
        return session_.missing("uses " + quote(name) + ", which is undefined");
    }
    [[nodiscard]] Values all(const Expression& e) {
        Values out;
        out.reserve(e.items.size());
        for (const auto& item : e.items) out.push_back(eval(*item));
        return out;
    }
    [[nodiscard]] Value dict(const Expression& e) {
        Dict made;
        for (std::size_t i = 0; i < e.items.size(); i += 2) {
            const Value key = eval(*e.items[i]);
            assign(session_, made, key, eval(*e.items[i + 1]));
        }
        return session_.dict(std::move(made));
    }
    [[nodiscard]] Value item(const Expression& e) {
        const Value of = eval(*e.items[0]), key = eval(*e.items[1]);
        return is_self(of) && key.is_text() ? block(key.text()) : jinja::item(session_, of, key);
    }
    [[nodiscard]] Value slice(const Expression& e) {
        const Value of = eval(*e.items[0]);
        Values bounds;
        for (std::size_t i = 1; i < 4; ++i) bounds.push_back(e.items[i] ? eval(*e.items[i]) : Value(None{}));
        return jinja::slice(session_, of, bounds[0], bounds[1], bounds[2]);
    }
    [[nodiscard]] Value test(const Expression& e) {
        const Value of = eval(*e.items[0]);
        const Args args = arguments(e.arguments);
        session_.line = e.line;
        return Value(apply_test(session_, e.name, of, args));
    }
    [[nodiscard]] Value arithmetic(const Expression& e) {
        const Value left = eval(*e.items[0]);
        const Value right = eval(*e.items[1]);
        session_.line = e.line;
        return jinja::arithmetic(session_, e.name, left, right);
    }
    [[nodiscard]] Value comparison(const Expression& e) {
        Value left = eval(*e.items[0]);
        for (std::size_t i = 0; i < e.operators.size(); ++i) {
            Value right = eval(*e.items[i + 1]);
            session_.line = e.line;
            if (!compare(e.operators[i], left, right)) return Value(false);
            left = std::move(right);
        }
        return Value(true);
    }
    [[nodiscard]] bool compare(const std::string& op, const Value& a, const Value& b) {
        if (op == "==") return equal(session_, a, b);
        if (op == "!=") return !equal(session_, a, b);
        if (op == "<") return less(session_, a, b);
        if (op == ">") return less(session_, b, a);
        if (op == "<=") return less_equal(session_, a, b);
        if (op == ">=") return less_equal(session_, b, a);
        return contains(session_, b, a) == (op == "in");
    }
    [[nodiscard]] Value concat(const Expression& e) { return concatenated(session_, all(e), escapes_); }
};

}  // namespace silica::text::jinja
