#pragma once
/// Going through values: length, iteration, membership.

#include <silica/input/text/jinja/operators.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace silica::text::jinja {

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
        const auto it = v.ref<Iterator>();
        for (Value item; it->pull(item);) {
            session.take(2 * sizeof(Value));
            session.spend(1);
            out.push_back(std::move(item));
        }
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

/// iter(v): its items one by one.
[[nodiscard]] inline Pull pull(Session& session, const Value& v) {
    if (v.holds<Iterator>()) return [it = v.ref<Iterator>()](Value& item) { return it->pull(item); };
    return [all = iterate(session, v), at = std::size_t{0}](Value& item) mutable {
        if (at >= all.size()) return false;
        item = all[at++];
        return true;
    };
}
/// An iterator over what `make` gives, which is called when the first item is asked for: Python's generators do nothing
/// before. `v` is what it will go through.
template <class Make>
    requires std::is_invocable_r_v<Pull, Make>
[[nodiscard]] Value later(Session& session, const Value& v, Make make) {
    return session.generator(
        [make = std::move(make), next = Pull()](Value& item) mutable {
            if (!next) next = make();
            return next(item);
        },
        Session::depth_of(v));
}

/// item in v.
[[nodiscard]] inline bool contains(Session& session, const Value& v, const Value& item) {
    if (v.is_text()) {
        if (!item.is_text()) wrong_type("looks in a string for", item);
        session.spend_search(v.text(), item.text());
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
    if (v.holds<const View>() && v.ref<const View>()->name == "keys" && !hashable(item)) {
        wrong_type("looks in a dict for", item);
    }
    const Pull next = pull(session, v);
    for (Value held; next(held);) {
        if (equal(session, held, item)) return true;
    }
    return false;
}

}  // namespace silica::text::jinja
