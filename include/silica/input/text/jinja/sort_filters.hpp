#pragma once
/// Filters that compare: sort, dictsort, min, max, unique.

#include <silica/input/text/jinja/arguments.hpp>
#include <silica/input/text/jinja/attributes.hpp>
#include <silica/input/text/jinja/merge_sort.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja::detail {

/// "a.b.0" of a value, step by step.
[[nodiscard]] inline Value path(Session& session, const Value& v, const Value& path, const Value* otherwise = nullptr) {
    Value at = v;
    if (path.is_whole()) return item(session, v, path);
    if (!path.is_text()) wrong_type("looks up by", path);
    for (std::size_t start = 0;;) {
        const auto dot = path.text().find('.', start);
        const std::string part = path.text().substr(start, dot == std::string::npos ? dot : dot - start);
        const bool number =
            !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string::npos;
        at = item(session, at, number ? Value(static_cast<std::int64_t>(std::stoll(part))) : Value(part));
        if (otherwise && at.is_undefined()) at = *otherwise;
        if (dot == std::string::npos) return at;
        start = dot + 1;
    }
}
/// What a value is compared by: an attribute of it, in lower case where case does not matter.
[[nodiscard]] inline Value sort_key(Session& session, const Value& v, const Value* attribute, bool case_sensitive) {
    Value key = attribute && !attribute->is_none() ? path(session, v, *attribute) : v;
    return key.is_text() && !case_sensitive ? session.text(lower(key.text())) : key;
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
    Values out, seen;
    for (const auto& item : iterate(session, v)) {
        Value key = sort_key(session, item, b[1], b.flag(0, false));
        if (!hashable(key)) wrong_type("finds the unique ones among", key);
        const bool known =
            std::any_of(seen.begin(), seen.end(), [&](const Value& k) { return equal(session, k, key); });
        if (known) continue;
        seen.push_back(std::move(key));
        out.push_back(item);
    }
    return session.iterator(std::move(out));
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
