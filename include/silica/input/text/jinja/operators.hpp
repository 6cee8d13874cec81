#pragma once
/// Python's operators on values: truth, equality, order, keys of dicts.

#include <silica/input/text/jinja/print.hpp>

#include <string>
#include <utility>

namespace silica::text::jinja {

/// Problem when the value is undefined: nothing can be done with it.
inline void require_defined(const Value& v) {
    if (v.is_undefined()) throw Problem(v.undefined().problem ? *v.undefined().problem : "uses an undefined value");
}
/// Throws: this cannot be done with a value of this type.
[[noreturn]] inline void wrong_type(const std::string& what, const Value& v) {
    require_defined(v);
    throw Problem(what + " a value of type " + type_name(v));
}

/// Python's truth of a value.
[[nodiscard]] inline bool truth(const Value& v) {
    if (v.is_undefined() || v.is_none()) return false;
    if (v.is_whole()) return v.is_big() || v.whole() != 0;
    if (v.is_real()) return v.number() != 0;
    if (v.is_text()) return !v.text().empty();
    if (v.is_sequence()) return !v.list().items.empty();
    if (v.is_dict()) return !v.dict().items.empty();
    if (v.holds<const Range>()) return v.ref<const Range>()->size() != 0;
    if (v.holds<const View>()) return !v.ref<const View>()->of->items.empty();
    return true;
}

[[nodiscard]] inline bool equal_views(Session& session, const View& a, const View& b);

/// a == b.
[[nodiscard]] inline bool equal(Session& session, const Value& a, const Value& b) {
    session.spend(1);
    if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
    if (a.is_text() && b.is_text()) {
        session.spend(a.text().size() == b.text().size() ? a.text().size() / 64 : 0);
        return a.text() == b.text();
    }
    if (a.is_none() || a.is_undefined()) return a.is_none() ? b.is_none() : b.is_undefined();
    if (a.is_sequence() && b.is_sequence()) {
        const auto &x = a.list(), &y = b.list();
        if (x.is_tuple != y.is_tuple || x.items.size() != y.items.size()) return false;
        const Level level(session);
        for (std::size_t i = 0; i < x.items.size(); ++i) {
            if (!equal(session, x.items[i], y.items[i])) return false;
        }
        return true;
    }
    if (a.is_dict() && b.is_dict()) {
        const auto &x = a.dict().items, &y = b.dict().items;
        if (x.size() != y.size()) return false;
        const Level level(session);
        for (const auto& [key, value] : x) {
            bool found = false;
            for (const auto& [other, its] : y) {
                if (!equal(session, key, other)) continue;
                if (!equal(session, value, its)) return false;
                found = true;
                break;
            }
            if (!found) return false;
        }
        return true;
    }
    if (a.holds<const Range>() && b.holds<const Range>()) {
        const auto &x = *a.ref<const Range>(), &y = *b.ref<const Range>();
        return x.size() == y.size() && (x.size() == 0 || (x.start == y.start && (x.size() == 1 || x.step == y.step)));
    }
    if (a.holds<const View>() && b.holds<const View>()) {
        return equal_views(session, *a.ref<const View>(), *b.ref<const View>());
    }
    if (a.holds<Namespace>() && b.holds<Namespace>()) return a.ref<Namespace>() == b.ref<Namespace>();
    if (a.holds<Iterator>() && b.holds<Iterator>()) return a.ref<Iterator>() == b.ref<Iterator>();
    if (a.holds<Loop>() && b.holds<Loop>()) return a.ref<Loop>() == b.ref<Loop>();
    if (a.holds<Cycler>() && b.holds<Cycler>()) return a.ref<Cycler>() == b.ref<Cycler>();
    if (a.holds<Joiner>() && b.holds<Joiner>()) return a.ref<Joiner>() == b.ref<Joiner>();
    if (a.holds<const Callable>() && b.holds<const Callable>()) {
        const auto &x = *a.ref<const Callable>(), &y = *b.ref<const Callable>();
        return &x == &y ||
               (!x.macro && !y.macro && !x.is_method && !y.is_method && x.name == y.name && x.is_block == y.is_block);
    }
    return false;
}

/// The keys or items of two dicts as the sets that they are; their values are only equal to themselves.
[[nodiscard]] inline bool equal_views(Session& session, const View& a, const View& b) {
    const auto &x = a.of->items, &y = b.of->items;
    if (a.name == "values" || b.name == "values") return &a == &b;
    if (a.name != b.name) return x.empty() && y.empty();
    if (x.size() != y.size()) return false;
    for (const auto& [key, value] : x) {
        bool found = false;
        for (const auto& [other, its] : y) {
            found = equal(session, key, other) && (a.name == "keys" || equal(session, value, its));
            if (found) break;
        }
        if (!found) return false;
    }
    return true;
}

/// a < b. Problem where Python knows no order.
[[nodiscard]] inline bool less(Session& session, const Value& a, const Value& b) {
    session.spend(1);
    if (a.is_number() && b.is_number()) return compare_numbers(a, b) < 0;
    if (a.is_text() && b.is_text()) return a.text() < b.text();  // bytes of UTF-8 order as code points do
    if (a.is_sequence() && b.is_sequence() && a.list().is_tuple == b.list().is_tuple) {
        const auto &x = a.list().items, &y = b.list().items;
        const Level level(session);
        for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
            if (!equal(session, x[i], y[i])) return less(session, x[i], y[i]);
        }
        return x.size() < y.size();
    }
    require_defined(a);
    require_defined(b);
    throw Problem(std::string("orders a value of type ") + type_name(a) + " and one of type " + type_name(b));
}
[[nodiscard]] inline bool less_equal(Session& session, const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) return compare_numbers(a, b) <= 0;
    return !less(session, b, a);
}

/// Whether the value can be a key: what Python can hash.
[[nodiscard]] inline bool hashable(const Value& v) {
    if (v.is_dict()) return false;
    if (v.holds<const View>()) return v.ref<const View>()->name == "values";
    if (!v.is_sequence()) return true;
    if (!v.list().is_tuple) return false;
    for (const auto& item : v.list().items) {
        if (!hashable(item)) return false;
    }
    return true;
}

/// The value of a key; null where there is none.
[[nodiscard]] inline const Value* find(Session& session, const Dict& dict, const Value& key) {
    for (const auto& [name, value] : dict.items) {
        if (key.is_text() ? name.is_text() && name.text() == key.text() : equal(session, name, key)) return &value;
    }
    session.spend(dict.items.size() / 8);
    return nullptr;
}
[[nodiscard]] inline const Value* find(Session& session, const Dict& dict, std::string_view key) {
    session.spend(dict.items.size() / 8);
    for (const auto& [name, value] : dict.items) {
        if (name.is_text() && name.text() == key) return &value;
    }
    return nullptr;
}
/// Sets the value of a key, which keeps its place.
inline void assign(Session& session, Dict& dict, const Value& key, Value value) {
    if (!hashable(key)) wrong_type("has as a key", key);
    session.spend(dict.items.size() / 8);
    for (auto& [name, held] : dict.items) {
        if (equal(session, name, key)) {
            held = std::move(value);
            return;
        }
    }
    session.take(2 * sizeof(Value));
    dict.items.emplace_back(key, std::move(value));
}

}  // namespace silica::text::jinja
