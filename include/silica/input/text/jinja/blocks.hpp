#pragma once
/// What blocks share: scopes, captured output, assignment, and macros.

#include <silica/input/text/jinja/evaluator.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Scopes and output around the statements that the interpreter runs.
class Blocks : protected Evaluator {
public:
    Blocks(Session& session, const Dict& context) : Evaluator(session, context) {}
    Blocks(const Blocks&) = delete;
    Blocks& operator=(const Blocks&) = delete;
    ~Blocks() override {
        for (const auto& scope : captured_) scope->names.clear();  // macros and their scopes hold each other
    }

protected:
    /// Runs the statements of a macro, which write to `out_`.
    virtual void run_macro(const Body& body) = 0;

    /// A scope while it lives.
    class Entered {
    public:
        Entered(Blocks& in, std::shared_ptr<Scope> parent) : in_(in), before_(in.scope_) {
            in.session_.take(96);
            in.scope_ = std::make_shared<Scope>(Scope{.parent = std::move(parent)});
        }
        explicit Entered(Blocks& in) : Entered(in, in.scope_) {}
        Entered(const Entered&) = delete;
        Entered& operator=(const Entered&) = delete;
        ~Entered() { in_.scope_ = std::move(before_); }

    private:
        Blocks& in_;
        std::shared_ptr<Scope> before_;
    };
    /// Output goes into a string of its own while it lives.
    class Captured {
    public:
        explicit Captured(Blocks& in) : in_(in), before_(in.out_) { in.out_ = &text; }
        Captured(const Captured&) = delete;
        Captured& operator=(const Captured&) = delete;
        ~Captured() { in_.out_ = before_; }
        std::string text;

    private:
        Blocks& in_;
        std::string* before_;
    };

    void write(const std::string& text) {
        session_.take(text.size());
        *out_ += text;
    }
    /// Writes what a call or a filter made for a block: only a text can be written as it is.
    void write_made(const Value& made) {
        if (!made.is_text()) wrong_type("writes", made);
        write(made.text());
    }
    /// Makes variables of this scope that are undefined until they are set.
    void hide(const std::vector<std::string>& names) {
        for (const auto& name : names) {
            scope_->set(session_, name, session_.missing("uses " + quote(name) + ", which is undefined"));
        }
    }
    /// A flag with another value while it lives.
    class Switched {
    public:
        Switched(bool& flag, bool value) : flag_(flag), before_(std::exchange(flag, value)) {}
        Switched(const Switched&) = delete;
        Switched& operator=(const Switched&) = delete;
        ~Switched() { flag_ = before_; }

    private:
        bool& flag_;
        bool before_;
    };

    void assign(const Expression& target, Value value) {
        if (target.kind == Ex::name) return scope_->set(session_, target.name, std::move(value));
        if (target.kind == Ex::set_member) {
            const auto* of = scope_->find(session_, target.name);
            if (!of) of = find(session_, context_, target.name);
            if (!of || !of->holds<Namespace>()) {
                throw Problem("sets the attribute " + quote(target.member) + " of " + quote(target.name) +
                              ", which is no namespace");
            }
            const Value name(target.member);
            detail::require_public(name);
            const auto held = of->ref<Namespace>();
            return jinja::assign(session_, held->attributes, name, std::move(value));
        }
        const auto parts = iterate(session_, value);
        if (parts.size() != target.items.size()) {
            throw Problem("assigns " + std::to_string(parts.size()) + " values to " +
                          std::to_string(target.items.size()) + " names");
        }
        for (std::size_t i = 0; i < parts.size(); ++i) assign(*target.items[i], parts[i]);
    }
    [[nodiscard]] Value macro(const Statement& s) {
        captured_.push_back(scope_);
        session_.take(192);
        return Value(std::make_shared<const Callable>(
            Callable{.name = s.name, .escapes = escapes_, .macro = &s, .scope = scope_}));
    }
    /// The named argument, taken out; nothing where there is none.
    [[nodiscard]] static std::optional<Value> take(Args& args, const std::string& name) {
        const auto found =
            std::find_if(args.named.begin(), args.named.end(), [&](const auto& n) { return n.first == name; });
        if (found == args.named.end()) return std::nullopt;
        Value value = found->second;
        args.named.erase(found);
        return value;
    }
    [[nodiscard]] Value call_macro(const Callable& what, Args args) override {
        const Statement& s = *what.macro;
        const auto name = [&] { return "calls the macro " + quote(what.name); };
        const Level level(session_);
        Captured captured(*this);
        const Entered entered(*this, what.scope);
        const Switched switched(escapes_, what.escapes);
        bool caller = false;
        std::vector<std::optional<Value>> given;
        for (std::size_t i = 0; i < s.parameters.size(); ++i) {
            const std::string& parameter = s.parameters[i].first->name;
            caller = caller || parameter == "caller";
            given.push_back(i < args.at.size() ? std::optional(args.at[i]) : take(args, parameter));
        }
        for (std::size_t i = 0; i < s.parameters.size(); ++i) {
            const auto& [parameter, otherwise] = s.parameters[i];
            Value value = given[i]    ? *given[i]
                          : otherwise ? eval(*otherwise)
                                      : session_.missing("uses the parameter " + quote(parameter->name) +
                                                         " of the macro " + quote(what.name) + ", which was not given");
            scope_->set(session_, parameter->name, std::move(value));
        }
        if (s.uses_caller && !caller) {
            auto held = take(args, "caller");
            scope_->set(session_, "caller", held ? *held : session_.missing("uses caller without a call block"));
        }
        if (s.uses_kwargs) {
            Dict rest;
            for (auto& [key, value] : args.named) rest.items.emplace_back(session_.text(key), std::move(value));
            scope_->set(session_, "kwargs", session_.dict(std::move(rest)));
        } else if (!args.named.empty()) {
            throw Problem(name() + ", which has no parameter " + quote(args.named.front().first));
        }
        const std::size_t taken = std::min(args.at.size(), s.parameters.size());
        if (s.uses_varargs) {
            scope_->set(session_, "varargs",
                        session_.tuple(Values(args.at.begin() + static_cast<std::ptrdiff_t>(taken), args.at.end())));
        } else if (args.at.size() > taken) {
            throw Problem(name() + " with more than " + std::to_string(taken) + " arguments");
        }
        hide(s.hidden);
        run_macro(s.body);
        return session_.text(std::move(captured.text), session_.autoescape);
    }

    std::string* out_ = nullptr;
    std::vector<std::shared_ptr<Scope>> captured_;  ///< those that values hold
};

}  // namespace silica::text::jinja
