#pragma once
/// The variables of a block, within those of the block around it.

#include <silica/input/text/jinja/session.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// A scope. Few names each, so a list serves.
struct Scope {
    std::vector<std::pair<std::string, Value>> names = {};
    std::shared_ptr<Scope> parent = {};

    /// The variable of a name here or around; null where there is none.
    [[nodiscard]] const Value* find(Session& session, const std::string& name) const {
        for (const Scope* at = this; at; at = at->parent.get()) {
            session.spend(at->names.size() / 16);
            for (const auto& [known, value] : at->names) {
                if (known == name) return &value;
            }
        }
        return nullptr;
    }
    /// Sets a variable of this scope.
    void set(Session& session, const std::string& name, Value value) {
        for (auto& [known, held] : names) {
            if (known == name) {
                held = std::move(value);
                return;
            }
        }
        session.take(sizeof(Value) + 64 + name.size());
        names.emplace_back(name, std::move(value));
    }
};

}  // namespace silica::text::jinja
