#pragma once
/// Filters on lists and dicts; `map`, which calls other filters, is in filters.hpp.

#include <silica/input/text/jinja/sort_filters.hpp>
#include <silica/input/text/jinja/tests.hpp>

#include <algorithm>
#include <functional>
#include <optional>
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
    if (!truth(v)) return session.iterator({});
    const std::size_t first = by_path ? 1 : 0;
    if (by_path && args.at.empty()) throw Problem(name + " is given no attribute");
    const bool tests = args.at.size() > first;
    const std::string test = tests ? word(args, first, name) : "";
    const bool sign = test == "==" || test == "!=" || test == "<" || test == "<=" || test == ">" || test == ">=";
    if (tests && !known_test(test) && !sign) throw Problem(name + " names " + quote(test) + ", which is no test here");
    const Args rest = tests ? without_first(args, first + 1) : Args{};
    Values out;
    for (const auto& item : iterate(session, v)) {
        const Value at = by_path ? path(session, item, args.at[0]) : item;
        if ((tests ? apply_test(session, test, at, rest) : truth(at)) == wanted) out.push_back(item);
    }
    return session.iterator(std::move(out));
}
[[nodiscard]] inline Value batch(Session& session, const Value& v, const Args& args) {
    const Bound b("batch", args, {"linecount", "fill_with"}, 1);
    const std::int64_t size = b.whole(0, 1);
    Values out, row;
    for (const auto& item : iterate(session, v)) {
        if (static_cast<std::int64_t>(row.size()) == size) out.push_back(session.list(std::exchange(row, {})));
        row.push_back(item);
    }
    if (!row.empty()) {
        if (!b.absent(1)) {
            session.take(static_cast<std::size_t>(std::clamp<std::int64_t>(size, 0, 1 << 30)) * sizeof(Value));
            while (static_cast<std::int64_t>(row.size()) < size) row.push_back(*b[1]);
        }
        out.push_back(session.list(std::move(row)));
    }
    return session.iterator(std::move(out));
}
[[nodiscard]] inline Value slices(Session& session, const Value& v, const Args& args) {
    const Bound b("slice", args, {"slices", "fill_with"}, 1);
    const std::int64_t count = b.whole(0, 1);
    const auto items = iterate(session, v);
    if (count == 0) throw Problem("slices a list into no parts");
    if (count < 0) return session.iterator({});
    session.spend(static_cast<std::size_t>(count));
    const auto n = static_cast<std::size_t>(count), each = items.size() / n, more = items.size() % n;
    Values out;
    for (std::size_t i = 0, at = 0; i < n; ++i) {
        const std::size_t end = at + each + (i < more ? 1 : 0);
        Values part(items.begin() + static_cast<std::ptrdiff_t>(at), items.begin() + static_cast<std::ptrdiff_t>(end));
        if (!b.absent(1) && i >= more) part.push_back(*b[1]);
        out.push_back(session.list(std::move(part)));
        at = end;
    }
    return session.iterator(std::move(out));
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
    if (name == "batch") return batch(session, v, args);
    if (name == "slice") return slices(session, v, args);
    if (name == "join") {
        const Bound b(name, args, {"d", "attribute"});
        auto items = iterate(session, v);
        for (auto& item : items) item = b.absent(1) ? item : path(session, item, *b[1]);
        return join(session, b[0] ? text_of(session, *b[0]) : "", items, true);
    }
    if (name == "sum") {
        const Bound b(name, args, {"attribute", "start"});
        Value total = b[1] ? *b[1] : Value(std::int64_t{0});
        if (total.is_text()) wrong_type("sums from", total);
        for (const auto& item : iterate(session, v)) {
            total = arithmetic(session, "+", total, b.absent(0) ? item : path(session, item, *b[0]));
        }
        return total;
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
    if (name == "items") {
        if (v.is_undefined()) return session.iterator({});
        if (!v.is_dict()) wrong_type("takes the items of", v);
        Values out;
        for (const auto& [key, value] : v.dict().items) out.push_back(session.pair(key, value));
        return session.iterator(std::move(out));
    }
    if (name == "first") {
        if (v.holds<Iterator>()) {
            auto& it = *v.ref<Iterator>();
            return it.next < it.items.size() ? it.items[it.next++]
                                             : session.missing("takes the first of an empty list");
        }
        const auto items = iterate(session, v);
        return items.empty() ? session.missing("takes the first of an empty list") : items.front();
    }
    if (name == "last") {
        if (v.holds<Iterator>()) wrong_type("takes the last of", v);
        const auto items = iterate(session, v);
        return items.empty() ? session.missing("takes the last of an empty list") : items.back();
    }
    if (name == "reverse") {
        if (v.is_text()) {
            auto all = characters(v.text());
            std::reverse(all.begin(), all.end());
            return session.text(utf8_of(all));
        }
        auto items = iterate(session, v);
        std::reverse(items.begin(), items.end());
        return session.iterator(std::move(items));
    }
    return std::nullopt;
}

}  // namespace detail

}  // namespace silica::text::jinja
