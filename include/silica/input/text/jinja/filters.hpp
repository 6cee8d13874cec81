#pragma once
/// Filters: what follows a pipe.

#include <silica/input/text/jinja/list_filters.hpp>
#include <silica/input/text/jinja/text_filters.hpp>

#include <string>
#include <utility>

namespace silica::text::jinja {

[[nodiscard]] inline Value apply_filter(Session& session, const std::string& name, const Value& v, const Args& args);

namespace detail {

[[nodiscard]] inline Value map(Session& session, const Value& v, const Args& args) {
    return later(session, v, [&session, v, args]() -> Pull {
        if (!truth(v)) return [](Value&) { return false; };
        bool by_path = false;
        for (const auto& [name, ignored] : args.named) by_path = by_path || (args.at.empty() && name == "attribute");
        if (!by_path) {
            const std::string filter = word(args, 0, "map");
            if (!known_filter(filter)) throw Problem("maps by " + quote(filter) + ", which is no filter");
            return [&session, filter, rest = without_first(args, 1), next = pull(session, v)](Value& item) {
                if (!next(item)) return false;
                item = apply_filter(session, filter, item, rest);
                return true;
            };
        }
        const Bound b("map", args, {"attribute", "default"}, 1);
        return [&session, at = *b[0], otherwise = b[1] ? *b[1] : Value(None{}), next = pull(session, v)](Value& item) {
            if (!next(item)) return false;
            if (!at.is_none()) item = path(session, item, at, otherwise.is_none() ? nullptr : &otherwise);
            return true;
        };
    });
}

}  // namespace detail

/// `v | name(args)`.
inline Value apply_filter(Session& session, const std::string& name, const Value& v, const Args& args) {
    session.spend(1);
    if (name == "default" || name == "d") {
        const Bound b(name, args, {"default_value", "boolean"});
        if (!v.is_undefined() && !(b.flag(1, false) && !truth(v))) return v;
        return b[0] ? *b[0] : session.text({});
    }
    if (name == "length" || name == "count") {
        static_cast<void>(Bound(name, args, {}));
        if (v.holds<Loop>()) return Value(v.ref<Loop>()->length());
        const auto n = length(v);
        if (!n) wrong_type("takes the length of", v);
        return Value(*n);
    }
    if (name == "map") return detail::map(session, v, args);
    if (auto made = detail::text_filter(session, name, v, args)) return *std::move(made);
    if (auto made = detail::list_filter(session, name, v, args)) return *std::move(made);
    throw Problem("uses the filter " + quote(name) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
