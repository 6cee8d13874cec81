#pragma once
/// Filters: what follows a pipe.

#include <silica/input/text/jinja/list_filters.hpp>
#include <silica/input/text/jinja/text_filters.hpp>

#include <string>
#include <utility>

namespace silica::text::jinja {

/// `v | name(args)`.
[[nodiscard]] inline Value apply_filter(Session& session, const std::string& name, const Value& v, const Args& args) {
    session.spend(1);
    if (name == "default" || name == "d") {
        const Bound b(name, args, {"default_value", "boolean"});
        if (!v.is_undefined() && !(b.flag(1, false) && !truth(v))) return v;
        return b[0] ? *b[0] : session.text({});
    }
    if (name == "length" || name == "count") {
        const auto n = length(v);
        if (!n) wrong_type("takes the length of", v);
        return Value(*n);
    }
    if (auto made = detail::text_filter(session, name, v, args)) return *std::move(made);
    if (auto made = detail::list_filter(session, name, v, args)) return *std::move(made);
    throw Problem("uses the filter " + quote(name) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
