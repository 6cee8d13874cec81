#pragma once
/// `loop`: what a for loop knows about itself. Looks ahead only when it is asked, as Jinja does.

#include <silica/input/text/jinja/iteration.hpp>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// A for loop that runs.
struct Loop {
    Pull pull = {};                        ///< the next item; empty when the loop is over
    const Statement* recursive = nullptr;  ///< the loop, where it may call itself
    std::shared_ptr<Scope> around = {};    ///< its scope, then
    std::int64_t depth0 = 0;
    std::int64_t index0 = -1;
    std::optional<Value> ahead = {};
    Value current = {}, before = {};
    std::optional<std::int64_t> known_length = {};
    std::optional<Values> changed = {};

    /// Goes on to the next item.
    [[nodiscard]] bool next() {
        if (index0 >= 0) before = current;
        if (ahead) {
            current = *std::exchange(ahead, std::nullopt);
        } else if (!pull || !pull(current)) {
            return false;
        }
        ++index0;
        return true;
    }
    /// Lets go of everything.
    void finish() {
        pull = {};
        ahead.reset();
        changed.reset();
        current = before = Value();
    }
    [[nodiscard]] bool peek() {
        if (ahead) return true;
        Value item;
        if (!pull || !pull(item)) return false;
        ahead = std::move(item);
        return true;
    }
    [[nodiscard]] std::int64_t length() {
        if (!known_length) {
            Values rest;
            if (ahead) rest.push_back(*std::exchange(ahead, std::nullopt));
            for (Value item; pull && pull(item);) rest.push_back(item);
            known_length = index0 + 1 + static_cast<std::int64_t>(rest.size());
            pull = [rest = std::move(rest), at = std::size_t{0}](Value& item) mutable {
                if (at == rest.size()) return false;
                item = rest[at++];
                return true;
            };
        }
        return *known_length;
    }

    [[nodiscard]] static bool has(std::string_view name) {
        constexpr std::string_view names[] = {"index",  "index0", "revindex", "revindex0", "first",
                                              "last",   "length", "previtem", "nextitem",  "depth",
                                              "depth0", "cycle",  "changed"};
        return std::find(std::begin(names), std::end(names), name) != std::end(names);
    }
    [[nodiscard]] Value attribute(Session& session, const Value& self, std::string_view name) {
        if (name == "index") return Value(index0 + 1);
        if (name == "index0") return Value(index0);
        if (name == "revindex") return Value(length() - index0);
        if (name == "revindex0") return Value(length() - index0 - 1);
        if (name == "first") return Value(index0 == 0);
        if (name == "last") return Value(!peek());
        if (name == "length") return Value(length());
        if (name == "depth") return Value(depth0 + 1);
        if (name == "depth0") return Value(depth0);
        if (name == "previtem") return index0 > 0 ? before : session.missing("uses the item before the first");
        if (name == "nextitem") return peek() ? *ahead : session.missing("uses the item after the last");
        return Value(
            std::make_shared<const Callable>(Callable{.name = std::string(name), .self = self, .is_method = true}));
    }
    /// loop.cycle(...) and loop.changed(...).
    [[nodiscard]] Value call(Session& session, std::string_view name, const Args& args) {
        if (!args.named.empty()) throw Problem("calls a method of loop with a named argument");
        if (name == "cycle") {
            if (args.at.empty()) throw Problem("cycles through nothing");
            return args.at[static_cast<std::size_t>(index0) % args.at.size()];
        }
        bool same = changed && changed->size() == args.at.size();
        for (std::size_t i = 0; same && i < args.at.size(); ++i) same = equal(session, (*changed)[i], args.at[i]);
        if (!same) changed = args.at;
        return Value(!same);
    }
};

[[nodiscard]] inline std::string loop_text(Loop& loop) {
    return "<LoopContext " + std::to_string(loop.index0 + 1) + '/' + std::to_string(loop.length()) + '>';
}

}  // namespace silica::text::jinja
