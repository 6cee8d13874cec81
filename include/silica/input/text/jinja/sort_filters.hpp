#pragma once
/// Filters that compare: sort, dictsort, min, max, unique.

#include <silica/input/text/jinja/arguments.hpp>
#include <silica/input/text/jinja/attributes.hpp>
#include <silica/input/text/jinja/merge_sort.hpp>
#include <silica/input/text/jinja/text_parts.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja::detail {

/// A step of a path: a place where it is all digits (of any script), else a name.
[[nodiscard]] inline Value step_of(Session& session, const std::string& part) {
    const bool number = all_characters(part, digit);
    const auto place = number ? whole_of(part) : std::nullopt;
    if (number && !place) throw Problem("looks up by " + quote(part));
    return place ? session.integer(*place) : session.text(part);
}
/// "a.b.0" of a value, step by step.
[[nodiscard]] inline Value path(Session& session, const Value& v, const Value& path, const Value* otherwise = nullptr) {
    Value at = v;
    if (!path.is_text()) {
        at = item(session, v, path);
        return otherwise && at.is_undefined() ? *otherwise : at;
    }
    for (std::size_t start = 0;;) {
        const auto dot = path.text().find('.', start);
        const std::string part = path.text().substr(start, dot == std::string::npos ? dot : dot - start);
        at = item(session, at, step_of(session, part));
        if (otherwise && at.is_undefined()) at = *otherwise;
        if (dot == std::string::npos) return at;
        start = dot + 1;
    }
}
/// What a value is compared by: an attribute of it, in lower case where case does not matter.
[[nodiscard]] inline Value sort_key(Session& session, const Value& v, const Value* attribute, bool case_sensitive) {
    Value key = attribute && !attribute->is_none() ? path(session, v, *attribute) : v;
    return key.is_text() && !case_sensitive ? session.text(lower(key.text()), key.is_markup()) : key;
}
[[nodiscard]] inline Value sort(Session& session, const Value& v, const Args& args) {
    const Bound b("sort", args, {"reverse", "case_sensitive", "attribute"});
    std::vector<std::pair<Values, Value>> keyed;
    std::vector<Value> attributes;
    if (b.absent(2)) {
        attributes.push_back(None{});
    } else if (b[2]->is_text()) {
        std::string_view rest = b.text(2);
        for (auto comma = rest.find(','); comma != std::string_view::npos; comma = rest.find(',')) {
            attributes.emplace_back(std::string(rest.substr(0, comma)));
            rest.remove_prefix(comma + 1);
        }
        attributes.emplace_back(std::string(rest));
    } else {
        attributes.push_back(*b[2]);
    }
    for (const auto& item : iterate(session, v)) {
        Values keys;
        for (const auto& a : attributes) keys.push_back(sort_key(session, item, &a, b.flag(1, false)));
        keyed.emplace_back(std::move(keys), item);
    }
    const bool reverse = b.flag(0, false);
    stable_sort(keyed, [&](const auto& x, const auto& y) {
        const auto& [left, right] = reverse ? std::pair(&y.first, &x.first) : std::pair(&x.first, &y.first);
        for (std::size_t i = 0; i < left->size(); ++i) {
            if (!equal(session, (*left)[i], (*right)[i])) return less(session, (*left)[i], (*right)[i]);
        }
        return false;
    });
    Values out;
    for (auto& item : keyed) out.push_back(std::move(item.second));
    return session.list(std::move(out));
}
[[nodiscard]] inline Value extreme(Session& session, const std::string& name, const Value& v, const Args& args) {
    const Bound b(name, args, {"case_sensitive", "attribute"});
    const auto items = iterate(session, v);
    if (items.empty()) return session.missing("takes the " + name + " of an empty list");
    std::size_t best = 0;
    Value held = sort_key(session, items[0], b[1], b.flag(0, false));
    for (std::size_t i = 1; i < items.size(); ++i) {
        Value key = sort_key(session, items[i], b[1], b.flag(0, false));
        if (name == "min" ? less(session, key, held) : less(session, held, key)) {
            best = i;
            held = std::move(key);
        }
    }
    return items[best];
}
[[nodiscard]] inline Value unique(Session& session, const Value& v, const Args& args) {
    const Bound b("unique", args, {"case_sensitive", "attribute"});
    const bool exact = b.flag(0, false);
    const Value attribute = b[1] ? *b[1] : Value(None{});
    return later(session, v, [&session, v, exact, attribute]() -> Pull {
        return [&session, exact, attribute, next = pull(session, v), seen = Values()](Value& item) mutable {
            while (next(item)) {
                Value key = sort_key(session, item, &attribute, exact);
                if (!hashable(key)) wrong_type("finds the unique ones among", key);
                const bool known =
                    std::any_of(seen.begin(), seen.end(), [&](const Value& k) { return equal(session, k, key); });
                if (known) continue;
                session.take(sizeof(Value));
                seen.push_back(std::move(key));
                return true;
            }
            return false;
        };
    });
}
/// The filter groupby: pairs of a key and the items that have it, by the order of the keys.
[[nodiscard]] inline Value group_by(Session& session, const Value& v, const Args& args) {
    const Bound b("groupby", args, {"attribute", "default", "case_sensitive"}, 1);
    const Value* otherwise = b.absent(1) ? nullptr : b[1];
    const bool exact = b.flag(2, false);
    const auto key_of = [&](const Value& item) {
        return b[0]->is_none() ? item : path(session, item, *b[0], otherwise);
    };
    const auto compared = [&](Value key) {
        return key.is_text() && !exact ? session.text(lower(key.text()), key.is_markup()) : key;
    };
    std::vector<std::pair<Value, Value>> keyed;
    for (auto& item : iterate(session, v)) {
        Value key = compared(key_of(item));
        keyed.emplace_back(std::move(key), std::move(item));
    }
    stable_sort(keyed, [&](const auto& x, const auto& y) { return less(session, x.first, y.first); });
    Values out;
    for (std::size_t i = 0; i < keyed.size();) {
        Values group;
        std::size_t end = i;
        for (; end < keyed.size() && equal(session, keyed[i].first, keyed[end].first); ++end) {
            group.push_back(keyed[end].second);
        }
        Value key = exact ? keyed[i].first : key_of(group.front());
        out.push_back(session.list({std::move(key), session.list(std::move(group))}, true, true));
        i = end;
    }
    return session.list(std::move(out));
}
[[nodiscard]] inline Value dict_sort(Session& session, const Value& v, const Args& args) {
    const Bound b("dictsort", args, {"case_sensitive", "by", "reverse"});
    const std::string by = b[1] ? b.text(1) : "key";
    if (by != "key" && by != "value") b.refuse("sorts by key or by value");
    if (!v.is_dict()) wrong_type("sorts as a dict", v);
    auto items = v.dict().items;
    const bool reverse = b.flag(2, false);
    const auto key = [&](const auto& pair) {
        return sort_key(session, by == "key" ? pair.first : pair.second, nullptr, b.flag(0, false));
    };
    stable_sort(items, [&](const auto& x, const auto& y) {
        return reverse ? less(session, key(y), key(x)) : less(session, key(x), key(y));
    });
    Values out;
    for (const auto& [name, value] : items) out.push_back(session.pair(name, value));
    return session.list(std::move(out));
}

}  // namespace silica::text::jinja::detail
