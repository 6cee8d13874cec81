#pragma once
/// Filters on lists and dicts; `map`, which calls other filters, is in filters.hpp.

#include <silica/input/text/jinja/sort_filters.hpp>
#include <silica/input/text/jinja/tests.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

namespace silica::text::jinja {

namespace detail {

[[nodiscard]] inline Args without_first(const Args& args, std::size_t n) {
    return {.at = Values(args.at.begin() + static_cast<std::ptrdiff_t>(n), args.at.end()), .named = args.named};
}
[[nodiscard]] inline const std::string& word(const Args& args, std::size_t i, const std::string& what) {
    if (i >= args.at.size() || !args.at[i].is_text()) throw Problem(what + " is given no name");
    return args.at[i].text();
}

/// select, reject, selectattr, rejectattr.
[[nodiscard]] inline Value select(Session& session, const std::string& name, const Value& v, const Args& args) {
    const bool by_path = name.ends_with("attr"), wanted = name.starts_with("select");
    return later(session, v, [&session, name, v, args, by_path, wanted]() -> Pull {
        if (!truth(v)) return [](Value&) { return false; };
        const std::size_t first = by_path ? 1 : 0;
        if (by_path && args.at.empty()) throw Problem(name + " is given no attribute");
        const bool tests = args.at.size() > first;
        const std::string test = tests ? word(args, first, name) : "";
        if (tests && !known_test(test)) throw Problem(name + " names " + quote(test) + ", which is no test");
        return [&session, test, wanted, attribute = by_path ? args.at[0] : Value(), next = pull(session, v),
                rest = tests ? without_first(args, first + 1) : Args{}](Value& item) {
            while (next(item)) {
                session.spend(1);
                const bool whole = attribute.is_undefined() || attribute.is_none();
                const Value at = whole ? item : path(session, item, attribute);
                if ((test.empty() ? truth(at) : apply_test(session, test, at, rest)) == wanted) return true;
            }
            return false;
        };
    });
}
[[nodiscard]] inline Value batch(Session& session, const Value& v, const Args& args) {
    const Bound b("batch", args, {"linecount", "fill_with"}, 1);
    return later(session, v, [&session, v, count = *b[0], fill = b[1] ? *b[1] : Value(None{})]() -> Pull {
        return [&session, count, fill, next = pull(session, v), ahead = Value(), some = false](Value& made) mutable {
            Values row;
            if (some) row.push_back(std::exchange(ahead, Value()));
            some = false;
            for (Value item; next(item);) {
                if (equal(session, Value(static_cast<std::int64_t>(row.size())), count)) {
                    ahead = std::move(item);
                    some = true;
                    break;
                }
                row.push_back(std::move(item));
            }
            if (row.empty() && !some) return false;
            if (!some && !fill.is_none() && less(session, Value(static_cast<std::int64_t>(row.size())), count)) {
                const std::int64_t size = count.whole();
                session.take(static_cast<std::size_t>(std::clamp<std::int64_t>(size, 0, 1 << 30)) * sizeof(Value));
                while (static_cast<std::int64_t>(row.size()) < size) row.push_back(fill);
            }
            made = session.list(std::move(row));
            return true;
        };
    });
}
[[nodiscard]] inline Value slices(Session& session, const Value& v, const Args& args) {
    const Bound b("slice", args, {"slices", "fill_with"}, 1);
    return later(session, v, [&session, v, parts = *b[0], fill = b[1] ? *b[1] : Value(None{})]() -> Pull {
        const auto items = iterate(session, v);
        if (!parts.is_whole()) wrong_type("slices a list into", parts);
        const std::int64_t count = parts.whole();
        if (count == 0) throw Problem("slices a list into no parts");
        Values out;
        if (count > 0) session.spend(static_cast<std::size_t>(count));
        const auto n = static_cast<std::size_t>(std::max<std::int64_t>(count, 1));
        const std::size_t each = items.size() / n, more = items.size() % n;
        for (std::size_t i = 0, at = 0; count > 0 && i < n; ++i) {
            const std::size_t end = at + each + (i < more ? 1 : 0);
            const auto from = items.begin() + static_cast<std::ptrdiff_t>(at);
            Values part(from, from + static_cast<std::ptrdiff_t>(end - at));
            if (!fill.is_none() && i >= more) part.push_back(fill);
            out.push_back(session.list(std::move(part)));
            at = end;
        }
        return pull(session, session.iterator(std::move(out)));
    });
}
/// The filter sum.
[[nodiscard]] inline Value sum(Session& session, const Value& v, const Args& args) {
    const Bound b("sum", args, {"attribute", "start"});
    Value total = b[1] ? *b[1] : Value(std::int64_t{0});
    if (total.is_text()) wrong_type("sums from", total);
    const Pull next = pull(session, v);
    for (Value item; next(item);) {
        total = arithmetic(session, "+", total, b.absent(0) ? item : path(session, item, *b[0]));
    }
    return total;
}
/// The filter random: any of the items.
[[nodiscard]] inline Value any_of(Session& session, const Value& v) {
    const auto size = length(v);
    if (!size || v.holds<const View>()) wrong_type("chooses one of", v);
    if (*size == 0) return session.missing("takes any of an empty list");
    std::uniform_int_distribution<std::int64_t> place(0, *size - 1);
    std::random_device device;
    const auto chosen = own_item(session, v, Value(place(device)));
    if (!chosen) throw Problem("chooses one of a dict by a number that is no key");
    return *chosen;
}
/// The first item, or with `last` the last one.
[[nodiscard]] inline Value end_of(Session& session, const Value& v, bool last) {
    if (last && v.holds<Iterator>()) wrong_type("takes the last of", v);
    if (v.holds<Iterator>()) {
        Value item;
        return v.ref<Iterator>()->pull(item) ? item : session.missing("takes the first of an empty list");
    }
    const auto items = iterate(session, v);
    if (items.empty()) return session.missing("takes the first or the last of an empty list");
    return last ? items.back() : items.front();
}

/// The filter, where it is one of these.
[[nodiscard]] inline std::optional<Value> list_filter(Session& session, const std::string& name, const Value& v,
                                                      const Args& args) {
    if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
        return select(session, name, v, args);
    }
    if (name == "sort") return sort(session, v, args);
    if (name == "min" || name == "max") return extreme(session, name, v, args);
    if (name == "unique") return unique(session, v, args);
    if (name == "dictsort") return dict_sort(session, v, args);
    if (name == "groupby") return group_by(session, v, args);
    if (name == "batch") return batch(session, v, args);
    if (name == "slice") return slices(session, v, args);
    if (name == "sum") return sum(session, v, args);
    if (name == "join") {
        const Bound b(name, args, {"d", "attribute"});
        auto items = iterate(session, v);
        for (auto& item : items) item = b.absent(1) ? item : path(session, item, *b[1]);
        Value glue = b[0] ? *b[0] : Value(std::string());
        bool markup = session.autoescape && glue.is_markup();
        for (const auto& item : items) markup = markup || (session.autoescape && item.is_markup());
        glue = markup ? escape(session, glue) : session.text(text_of(session, glue));
        for (auto& item : items) item = soft_text(session, item);
        return join(session, glue, items);
    }
    if (name == "attr") {
        const Bound b(name, args, {"name"}, 1);
        require_defined(v);
        auto own = own_attribute(session, v, b.text(0));
        return own ? *std::move(own)
                   : session.missing("uses the attribute " + quote(b.text(0)) + ", which is not there");
    }
    static_cast<void>(Bound(name, args, {}));
    if (name == "list") return session.list(iterate(session, v));
    if (name == "first" || name == "last") return end_of(session, v, name == "last");
    if (name == "random") return any_of(session, v);
    if (name == "items") {
        return later(session, v, [&session, v]() -> Pull {
            if (v.is_undefined()) return [](Value&) { return false; };
            if (!v.is_dict()) wrong_type("takes the items of", v);
            return pull(session, Value(std::make_shared<const View>(View{v.ref<const Dict>(), "items"})));
        });
    }
    if (name == "reverse") {
        if (v.is_text()) {
            auto all = characters(v.text());
            std::reverse(all.begin(), all.end());
            return session.text(utf8_of(all), v.is_markup());
        }
        auto items = iterate(session, v);
        std::reverse(items.begin(), items.end());
        const bool list = v.holds<Iterator>() || v.is_undefined();  // what has no order of its own to go back
        return list ? session.list(std::move(items)) : session.iterator(std::move(items));
    }
    return std::nullopt;
}

}  // namespace detail

}  // namespace silica::text::jinja
