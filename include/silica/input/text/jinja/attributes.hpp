#pragma once
/// value.name, value[key] and value[a:b:c], as Jinja's immutable sandbox looks them up.

#include <silica/core/quote.hpp>
#include <silica/input/text/jinja/iteration.hpp>
#include <silica/input/text/jinja/loop.hpp>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// What a macro tells about itself.
[[nodiscard]] std::optional<Value> macro_attribute(Session& session, const Callable& macro, std::string_view name);

/// Whether `name` is among the words of `list`.
[[nodiscard]] inline bool listed(std::string_view list, std::string_view name) {
    if (name.empty() || name.find(' ') != std::string_view::npos) return false;
    for (std::size_t at = 0; (at = list.find(name, at)) != std::string_view::npos; ++at) {
        const std::size_t end = at + name.size();
        if ((at == 0 || list[at - 1] == ' ') && (end == list.size() || list[end] == ' ')) return true;
    }
    return false;
}

/// The methods that Python's own objects have, which go before a key of the same name.
[[nodiscard]] inline std::string_view python_names(const Value& v) {
    if (v.is_text()) {
        return "capitalize casefold center count encode endswith expandtabs find format format_map index isalnum "
               "isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper "
               "join ljust lower lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust "
               "rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper zfill";
    }
    if (v.is_dict()) return "clear copy fromkeys get items keys pop popitem setdefault update values";
    if (v.is_tuple()) return "count index";
    if (v.is_sequence()) return "append clear copy count extend index insert pop remove reverse sort";
    if (v.is_whole()) return "as_integer_ratio bit_count bit_length conjugate";
    if (v.is_real()) return "as_integer_ratio conjugate hex is_integer";
    if (v.holds<const Range>()) return "count index";
    if (v.holds<Cycler>()) return "next reset";
    return {};
}
[[nodiscard]] inline std::string_view mutating_names(const Value& v) {
    if (v.is_dict()) return "clear pop popitem setdefault update";
    if (v.is_sequence() && !v.is_tuple()) return "append clear pop reverse insert sort extend remove";
    return {};
}
[[nodiscard]] inline std::string described(const Value& v) {
    return v.is_none() ? "None" : quote(std::string(type_name(v)) + " object");
}

/// An attribute that is no method.
[[nodiscard]] inline std::optional<Value> plain_attribute(Session& session, const Value& v, std::string_view name) {
    if (v.is_number()) {
        if (name == "imag") return v.is_real() ? Value(0.0) : Value(std::int64_t{0});
        if (name == "real" || (name == "numerator" && v.is_whole())) return v.is_bool() ? Value(v.whole()) : v;
        if (name == "denominator" && v.is_whole()) return Value(std::int64_t{1});
    }
    if (v.is_sequence() && v.list().is_group) {
        if (name == "grouper") return v.list().items[0];
        if (name == "list") return v.list().items[1];
    }
    if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        if (name == "start" || name == "stop" || name == "step") {
            return Value(name == "start" ? r.start : name == "stop" ? r.stop : r.step);
        }
    }
    if (v.holds<Cycler>()) {
        const auto& cycler = *v.ref<Cycler>();
        if (name == "current") return cycler.items[cycler.at];
        if (name == "pos") return Value(static_cast<std::int64_t>(cycler.at));
        if (name == "items") return session.tuple(cycler.items);
    }
    if (v.holds<Joiner>()) {
        if (name == "sep") return v.ref<Joiner>()->separator;
        if (name == "used") return Value(v.ref<Joiner>()->used);
    }
    if (v.holds<const Callable>() && v.ref<const Callable>()->macro) {
        return macro_attribute(session, *v.ref<const Callable>(), name);
    }
    return std::nullopt;
}
/// The attribute that Python's object has of this name.
[[nodiscard]] inline std::optional<Value> own_attribute(Session& session, const Value& v, std::string_view name) {
    if (v.holds<Namespace>()) {
        const auto* found = find(session, v.ref<Namespace>()->attributes, name);
        return found ? std::optional(*found) : std::nullopt;
    }
    if (v.holds<Loop>() && Loop::has(name)) return v.ref<Loop>()->attribute(session, v, name);
    if (auto plain = plain_attribute(session, v, name)) return plain;
    if (listed(mutating_names(v), name)) {
        return session.missing("changes a " + std::string(type_name(v)) + " by " + quote(name) +
                               ", which templates may not");
    }
    const bool of_dict = v.holds<const Callable>() && v.ref<const Callable>()->name == "dict" && name == "fromkeys" &&
                         !v.ref<const Callable>()->macro && !v.ref<const Callable>()->is_method;
    const bool of_markup = v.is_markup() && (name == "striptags" || name == "unescape");
    if (!of_dict && !of_markup && !listed(python_names(v), name)) return std::nullopt;
    session.take(128);
    return Value(std::make_shared<const Callable>(Callable{.name = std::string(name), .self = v, .is_method = true}));
}

/// What Python's obj[key] gives, where it gives something.
[[nodiscard]] inline std::optional<Value> own_item(Session& session, const Value& v, const Value& key) {
    const auto place = [&key](std::int64_t size) -> std::optional<std::size_t> {
        if (!key.is_whole() || key.is_big()) return std::nullopt;
        const std::int64_t i = key.whole() < 0 ? key.whole() + size : key.whole();
        return i >= 0 && i < size ? std::optional(static_cast<std::size_t>(i)) : std::nullopt;
    };
    if (v.is_dict()) {
        const auto* found = hashable(key) ? find(session, v.dict(), key) : nullptr;
        return found ? std::optional(*found) : std::nullopt;
    }
    if (v.is_sequence()) {
        const auto i = place(static_cast<std::int64_t>(v.list().items.size()));
        return i ? std::optional(v.list().items[*i]) : std::nullopt;
    }
    if (v.is_text()) {
        session.spend(v.text().size() / 16);
        const auto i = place(*length(v));
        if (!i) return std::nullopt;
        std::size_t at = 0;
        for (std::size_t k = 0; k < *i; ++k) at += utf8::length(v.text()[at]);
        return session.text(v.text().substr(at, utf8::length(v.text()[at])), v.is_markup());
    }
    if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        const auto i = place(r.size());
        return i ? std::optional(Value(r.start + static_cast<std::int64_t>(*i) * r.step)) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace detail

/// value.name: an attribute, else a key.
[[nodiscard]] inline Value attribute(Session& session, const Value& v, const std::string& name) {
    if (!v.is_undefined() || name != "__class__") require_defined(v);
    if (auto own = detail::own_attribute(session, v, name)) return *std::move(own);
    if (v.is_dict()) {
        if (const auto* found = find(session, v.dict(), name)) return *found;
    }
    return session.missing("uses the attribute " + quote(name) + " of " + detail::described(v) +
                           ", which is not there");
}

/// value[key]: a key or a place, else an attribute.
[[nodiscard]] inline Value item(Session& session, const Value& v, const Value& key) {
    require_defined(v);
    if (auto own = detail::own_item(session, v, key)) return *std::move(own);
    if (key.is_text()) {
        if (auto own = detail::own_attribute(session, v, key.text())) return *std::move(own);
    }
    return session.missing("uses " + (key.is_text() ? quote(key.text()) : "an element") + " of " +
                           detail::described(v) + ", which is not there");
}

/// value[start:stop:step]; an absent bound is None.
[[nodiscard]] inline Value slice(Session& session, const Value& v, const Value& start, const Value& stop,
                                 const Value& step) {
    require_defined(v);
    const auto bound = [](const Value& b) { return b.is_none() || b.is_whole(); };
    if (!bound(start) || !bound(stop) || !bound(step) || !(v.is_text() || v.is_sequence() || v.holds<const Range>())) {
        throw Problem("slices " + detail::described(v) + ", or by something else than integers");
    }
    static constexpr std::int64_t far = std::int64_t{1} << 40;
    const auto near = [](const Value& b) {
        if (b.is_big()) return b.is_negative() ? -far : far;
        return std::clamp(b.whole(), -far, far);
    };
    const std::int64_t by = step.is_none() ? 1 : near(step);
    if (by == 0) throw Problem("slices by steps of zero");
    const std::int64_t size = *length(v), low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
    const auto clamp = [&](const Value& b, std::int64_t otherwise) {
        if (b.is_none()) return otherwise;
        return std::clamp(near(b) < 0 ? near(b) + size : near(b), low, high);
    };
    const Range range{clamp(start, by > 0 ? low : high), clamp(stop, by > 0 ? high : low), by};
    const std::int64_t count = range.size();
    if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        const auto at = [&r](std::int64_t i) { return r.start + i * r.step; };
        const bool small = r.step < (1 << 20) && r.step > -(1 << 20);  // else only what matters of the step is kept
        const std::int64_t wide = small ? by : std::clamp<std::int64_t>(by, -size - 1, size + 1);
        return Value(std::make_shared<const Range>(Range{at(range.start), at(range.stop), r.step * wide}));
    }
    session.spend(static_cast<std::size_t>(size) / 16 + static_cast<std::size_t>(count));
    if (v.is_text()) {
        const auto all = characters(v.text());
        std::string out;
        for (std::int64_t i = 0; i < count; ++i) utf8::append(out, all[static_cast<std::size_t>(range.start + i * by)]);
        return session.text(std::move(out), v.is_markup());
    }
    Values out;
    for (std::int64_t i = 0; i < count; ++i) {
        out.push_back(v.list().items[static_cast<std::size_t>(range.start + i * by)]);
    }
    return session.list(std::move(out), v.is_tuple());
}

}  // namespace silica::text::jinja
