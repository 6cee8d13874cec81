#pragma once
/// Python's operators on values: truth, equality, order, membership, length, iteration.

#include <silica/input/text/jinja/print.hpp>

#include <cstdint>
#include <optional>
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
    if (v.is_whole()) return v.whole() != 0;
    if (v.is_real()) return v.number() != 0;
    if (v.is_text()) return !v.text().empty();
    if (v.is_sequence()) return !v.list().items.empty();
    if (v.is_dict()) return !v.dict().items.empty();
    if (v.holds<const Range>()) return v.ref<const Range>()->size() != 0;
    if (v.holds<const View>()) return !v.ref<const View>()->of->items.empty();
    return true;
}

/// a == b.
[[nodiscard]] inline bool equal(Session& session, const Value& a, const Value& b) {
    session.spend(1);
    if (a.is_number() && b.is_number()) {
        return a.is_whole() && b.is_whole() ? a.whole() == b.whole()
                                            : !(a.number() < b.number() || a.number() > b.number()) &&
                                                  !std::isnan(a.number()) && !std::isnan(b.number());
    }
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
    if (a.holds<Namespace>() && b.holds<Namespace>()) return a.ref<Namespace>() == b.ref<Namespace>();
    if (a.holds<const Callable>() && b.holds<const Callable>()) {
        const auto &x = *a.ref<const Callable>(), &y = *b.ref<const Callable>();
        return &x == &y || (!x.macro && !y.macro && !x.is_method && !y.is_method && x.name == y.name);
    }
    return false;
}

/// a < b. Problem where Python knows no order.
[[nodiscard]] inline bool less(Session& session, const Value& a, const Value& b) {
    session.spend(1);
    if (a.is_number() && b.is_number()) {
        return a.is_whole() && b.is_whole() ? a.whole() < b.whole() : a.number() < b.number();
    }
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
    if (a.is_number() && b.is_number()) {
        return a.is_whole() && b.is_whole() ? a.whole() <= b.whole() : a.number() <= b.number();
    }
    return !less(session, b, a);
}

/// Whether the value can be a key: what Python can hash.
[[nodiscard]] inline bool hashable(const Value& v) {
    if (v.is_dict() || v.holds<const View>()) return false;
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

/// len(v); nothing where Python has none.
[[nodiscard]] inline std::optional<std::int64_t> length(const Value& v) {
    std::size_t n = 0;
    if (v.is_text()) {
        n = utf8::count(v.text());
    } else if (v.is_sequence()) {
        n = v.list().items.size();
    } else if (v.is_dict()) {
        n = v.dict().items.size();
    } else if (v.holds<const View>()) {
        n = v.ref<const View>()->of->items.size();
    } else if (v.holds<const Range>()) {
        return v.ref<const Range>()->size();
    } else if (!v.is_undefined()) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(n);
}

/// Whether iter(v) works.
[[nodiscard]] inline bool iterable(const Value& v) {
    return length(v).has_value() || v.holds<Iterator>() || v.holds<Loop>();
}

/// All that iterating gives. An iterator is used up.
[[nodiscard]] inline Values iterate(Session& session, const Value& v) {
    Values out;
    if (const auto n = length(v)) {
        session.spend(static_cast<std::size_t>(*n));
        session.take(static_cast<std::size_t>(*n) * sizeof(Value));
        out.reserve(static_cast<std::size_t>(*n));
    }
    if (v.is_sequence()) {
        out = v.list().items;
    } else if (v.is_dict()) {
        for (const auto& item : v.dict().items) out.push_back(item.first);
    } else if (v.is_text()) {
        const std::string& text = v.text();
        session.take(utf8::count(text) * 48);
        for (std::size_t i = 0; i < text.size();) {
            const auto n = utf8::length(text[i]);
            out.emplace_back(text.substr(i, n));
            i += n;
        }
    } else if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        for (std::int64_t i = 0; i < r.size(); ++i) out.emplace_back(r.start + i * r.step);
    } else if (v.holds<Iterator>()) {
        auto& it = *v.ref<Iterator>();
        session.take((it.items.size() - it.next) * sizeof(Value));
        out.assign(it.items.begin() + static_cast<std::ptrdiff_t>(it.next), it.items.end());
        it.next = it.items.size();
    } else if (v.holds<const View>()) {
        const auto& view = *v.ref<const View>();
        for (const auto& [key, value] : view.of->items) {
            out.push_back(view.name == "keys" ? key : view.name == "values" ? value : session.pair(key, value));
        }
    } else if (!v.is_undefined()) {
        wrong_type("goes through", v);
    }
    return out;
}

/// item in v.
[[nodiscard]] inline bool contains(Session& session, const Value& v, const Value& item) {
    if (v.is_text()) {
        if (!item.is_text()) wrong_type("looks in a string for", item);
        session.spend(v.text().size() / 64);
        return v.text().find(item.text()) != std::string::npos;
    }
    if (v.is_dict()) {
        if (!hashable(item)) wrong_type("looks in a dict for", item);
        return find(session, v.dict(), item) != nullptr;
    }
    if (v.is_sequence()) {
        for (const auto& held : v.list().items) {
            if (equal(session, held, item)) return true;
        }
        return false;
    }
    for (const auto& held : iterate(session, v)) {
        if (equal(session, held, item)) return true;
    }
    return false;
}

}  // namespace silica::text::jinja
