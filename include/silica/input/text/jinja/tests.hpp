#pragma once
/// Tests: what follows `is`.

#include <silica/input/text/jinja/arguments.hpp>
#include <silica/input/text/jinja/arithmetic.hpp>
#include <silica/input/text/jinja/known.hpp>
#include <silica/input/text/jinja/text_methods.hpp>

#include <string>

namespace silica::text::jinja {

/// `v is name(args)`.
[[nodiscard]] inline bool apply_test(Session& session, const std::string& name, const Value& v, const Args& args) {
    const auto alone = [&] { static_cast<void>(Bound(name, args, {})); };
    const auto other = [&]() -> const Value& { return *Bound(name, args, {""}, 1)[0]; };
    const auto remainder = [&](const Value& by) {
        if (v.is_text()) wrong_type("divides", v);
        return arithmetic(session, "%", v, by);
    };
    if (name == "eq" || name == "equalto" || name == "==") return equal(session, v, other());
    if (name == "ne" || name == "!=") return !equal(session, v, other());
    if (name == "lt" || name == "lessthan" || name == "<") return less(session, v, other());
    if (name == "gt" || name == "greaterthan" || name == ">") return less(session, other(), v);
    if (name == "le" || name == "<=") return less_equal(session, v, other());
    if (name == "ge" || name == ">=") return less_equal(session, other(), v);
    if (name == "in") return contains(session, *Bound(name, args, {"seq"}, 1)[0], v);
    if (name == "divisibleby") {
        const Bound b(name, args, {"num"}, 1);
        return equal(session, remainder(*b[0]), Value(std::int64_t{0}));
    }
    if (name == "sameas") {
        const Value& o = *Bound(name, args, {"other"}, 1)[0];
        if (v.is_undefined()) return false;
        if (v.holds<const Range>() && o.holds<const Range>()) return v.ref<const Range>() == o.ref<const Range>();
        if (v.is_none() || o.is_none()) return v.is_none() && o.is_none();
        if (v.is_bool() || o.is_bool()) return v.is_bool() && o.is_bool() && v.boolean() == o.boolean();
        if (v.is_sequence() && o.is_sequence()) return v.ref<const List>() == o.ref<const List>();
        if (v.is_dict() && o.is_dict()) return v.ref<const Dict>() == o.ref<const Dict>();
        if (v.is_integer() != o.is_integer() || v.is_real() != o.is_real()) return false;
        return equal(session, v, o);
    }
    alone();
    if (name == "defined") return !v.is_undefined();
    if (name == "undefined") return v.is_undefined();
    if (name == "none") return v.is_none();
    if (name == "boolean") return v.is_bool();
    if (name == "true") return v.is_bool() && v.boolean();
    if (name == "false") return v.is_bool() && !v.boolean();
    if (name == "integer") return v.is_integer();
    if (name == "float") return v.is_real();
    if (name == "number") return v.is_number();
    if (name == "string") return v.is_text();
    if (name == "mapping") return v.is_dict();
    if (name == "sequence") return length(v).has_value() && !v.holds<const View>();
    if (name == "iterable") return iterable(v);
    if (name == "callable") {
        if (v.is_undefined() || v.holds<Loop>() || v.holds<Joiner>()) return true;
        const auto* callable = v.holds<const Callable>() ? v.ref<const Callable>().get() : nullptr;
        return callable && !(callable->is_block && callable->name.empty());  // that is `self`
    }
    if (name == "odd" || name == "even") {
        return equal(session, remainder(Value(std::int64_t{2})), Value(std::int64_t{name == "odd"}));
    }
    if (name == "escaped") return v.is_markup();
    if (name == "lower") return detail::all_case(text_of(session, v), false);
    if (name == "upper") return detail::all_case(text_of(session, v), true);
    if (name == "filter" || name == "test") {
        if (!hashable(v)) wrong_type("looks for a filter or a test by", v);
        return v.is_text() && (name == "filter" ? known_filter(v.text()) : known_test(v.text()));
    }
    throw Problem("uses the test " + quote(name) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
