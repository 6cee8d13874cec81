#pragma once
/// Which variables a block hides from the start: Jinja decides when it reads a template whose variable a name is. Where
/// a block sets a name before it uses it, the blocks inside see the block's own variable, undefined until then, and not
/// what the template was given (jinja2.idtracking).

#include <silica/input/text/jinja/syntax.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace silica::text::jinja {

/// Goes through the frames of a template: the statements that share variables.
class Frames {
public:
    /// Fills `hidden` of all statements; returns that of the template.
    [[nodiscard]] static std::vector<std::string> analyse(Body& body) {
        Names names;
        for (const auto& s : body) names.see(s);
        inside(body, names);
        return names.hidden();
    }

private:
    using Kind = Expression::Kind;
    using St = Statement::Kind;

    /// The names of one frame, and where their values are at its start.
    struct Names {
        enum class From { parameter, context, outside, nowhere };
        const Names* parent = nullptr;
        std::map<std::string, From> refs = {};
        std::set<std::string> stores = {};

        [[nodiscard]] bool knows(const std::string& name) const {
            return refs.count(name) != 0 || (parent && parent->knows(name));
        }
        void declare(const std::string& name) {
            stores.insert(name);
            refs[name] = From::parameter;
        }
        void load(const std::string& name) {
            if (!knows(name)) refs[name] = From::context;
        }
        void store(const std::string& name) {
            stores.insert(name);
            if (refs.count(name) == 0) refs[name] = parent && parent->knows(name) ? From::outside : From::nowhere;
        }
        /// Takes over what `if` does: what is set in one of its branches only has its outer value at the start.
        void join(const std::vector<Names>& branches) {
            std::set<std::string> fresh;
            for (const auto& branch : branches) {
                for (const auto& name : branch.stores) {
                    if (stores.count(name) == 0) fresh.insert(name);
                }
            }
            for (const auto& branch : branches) {
                for (const auto& [name, from] : branch.refs) refs[name] = from;
            }
            for (const auto& name : fresh) {
                stores.insert(name);
                refs[name] = parent && parent->knows(name) ? From::outside : From::context;
            }
        }
        [[nodiscard]] std::vector<std::string> hidden() const {
            std::vector<std::string> out;
            for (const auto& [name, from] : refs) {
                if (from == From::nowhere) out.push_back(name);
            }
            return out;
        }

        void see(const Expression* e) {
            if (!e) return;
            if (e->kind == Kind::name || e->kind == Kind::set_member) load(e->name);
            for (const auto& item : e->items) see(item.get());
            for (const auto& item : e->arguments.at) see(item.get());
            for (const auto& item : e->arguments.named) see(item.second.get());
            see(e->arguments.all.get());
            see(e->arguments.all_named.get());
        }
        void see_target(const Expression& e, bool parameter) {
            if (e.kind == Kind::set_member) return load(e.name);
            if (e.kind == Kind::name) return parameter ? declare(e.name) : store(e.name);
            for (const auto& item : e.items) see_target(*item, parameter);
        }
        void see(const Body& body) {
            for (const auto& s : body) see(s);
        }
        /// What a statement does in the frame it stands in.
        void see(const Statement& s) {
            if (s.kind == St::choice) return see_branches(s);
            if (s.kind == St::output || s.kind == St::with) {
                for (const auto& [first, second] : s.parameters) see((s.kind == St::with ? second : first).get());
            }
            const bool value = s.kind == St::set || s.kind == St::loop || s.kind == St::call_block;
            if (value || s.kind == St::filter) see(s.value.get());
            if (s.kind == St::set || s.kind == St::set_block) see_target(*s.target, false);
            if (s.kind == St::macro) store(s.name);
        }
        void see_branches(const Statement& s) {
            see(s.branches[0].condition.get());
            Names first = *this, others = *this, last = *this;
            first.see(s.branches[0].body);
            for (std::size_t i = 1; i < s.branches.size(); ++i) {
                const auto& branch = s.branches[i];
                if (!branch.condition) {
                    last.see(branch.body);
                    continue;
                }
                others.see(branch.condition.get());
                Names inner = others;
                inner.see(branch.body);
                others.join({inner});
            }
            join({first, others, last});
        }
    };

    /// The frames inside a body whose names are these.
    static void inside(Body& body, const Names& names) {
        for (auto& s : body) {
            for (auto& branch : s.branches) inside(branch.body, names);
            if (s.kind == St::choice) continue;
            Names own;
            own.parent = s.kind == St::block ? nullptr : &names;
            if (s.kind == St::loop) {
                own.declare("loop");
                own.see_target(*s.target, true);
            }
            if (s.kind == St::macro || s.kind == St::call_block) {
                if (s.uses_caller) own.declare("caller");
                if (s.uses_kwargs) own.declare("kwargs");
                if (s.uses_varargs) own.declare("varargs");
            }
            for (const auto& [target, value] : s.parameters) {
                if (s.kind == St::output) break;
                own.see_target(*target, true);
                if (s.kind != St::with) own.see(value.get());
            }
            if (s.kind == St::autoescape) own.see(s.value.get());
            own.see(s.body);
            if (s.kind == St::filter) own.see(s.value.get());
            s.hidden = own.hidden();
            inside(s.body, own);
            if (s.orelse.empty()) continue;
            Names otherwise;
            otherwise.parent = &names;
            otherwise.see(s.orelse);
            s.hidden_else = otherwise.hidden();
            inside(s.orelse, otherwise);
        }
    }
};

}  // namespace silica::text::jinja
