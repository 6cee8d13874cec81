#pragma once
/// The global functions, and the methods of lists and dicts.

#include <silica/input/text/jinja/filters.hpp>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// Whether templates have a function of this name without defining it.
[[nodiscard]] inline bool known_function(std::string_view name) {
    return detail::listed("range dict namespace raise_exception strftime_now", name);
}

namespace detail {

[[nodiscard]] inline Value range(const Args& args) {
    const Bound b("range", args.named.empty() ? args : throw Problem("calls range with a named argument"),
                  {"start", "stop", "step"}, 1);
    Range made{0, b.whole(0, 0), b.whole(2, 1)};
    if (b[1]) made.start = b.whole(0, 0), made.stop = b.whole(1, 0);
    if (made.step == 0) throw Problem("makes a range with steps of zero");
    constexpr std::int64_t far = std::int64_t{1} << 40, most = 100000;  // Jinja's sandbox has the same limit
    for (const std::int64_t n : {made.start, made.stop, made.step}) {
        if (n > far || n < -far) throw Problem("makes a range of numbers that are too large");
    }
    if (made.size() > most) throw Problem("makes a range of more than " + std::to_string(most) + " numbers");
    return Value(std::make_shared<const Range>(made));
}
/// dict(...): of a dict or of pairs, and of names.
[[nodiscard]] inline Dict dict(Session& session, const Args& args) {
    Dict made;
    if (args.at.size() > 1) throw Problem("makes a dict of several values");
    if (!args.at.empty() && args.at[0].is_dict()) {
        made = args.at[0].dict();
    } else if (!args.at.empty()) {
        for (const auto& item : iterate(session, args.at[0])) {
            const auto pair = iterate(session, item);
            if (pair.size() != 2) throw Problem("makes a dict of something else than pairs");
            assign(session, made, pair[0], pair[1]);
        }
    }
    for (const auto& [name, value] : args.named) assign(session, made, session.text(name), value);
    return made;
}
inline void require_public(const Value& name) {
    if (name.is_text() && name.text().starts_with('_')) {
        throw Problem("sets the attribute " + quote(name.text()) + " of a namespace; names may not begin with '_'");
    }
}
[[nodiscard]] inline Value strftime_now(Session& session, const Args& args) {
    const Bound b("strftime_now", args, {"format"}, 1);
    const std::string format = b.text(0) + " ";  // so that the result is never empty
    if (format.size() > 1000) b.refuse("takes 1,000 bytes at most");
    const std::tm now = session.clock();
    std::string out(512, '\0');
    for (;;) {
        const std::size_t size = std::strftime(out.data(), out.size(), format.c_str(), &now);
        if (size != 0) {
            out.resize(size - 1);
            return session.text(std::move(out));
        }
        if (out.size() > 1000000) b.refuse("makes a text that is too long");
        out.resize(out.size() * 4);
    }
}

}  // namespace detail

/// name(args) of a global function.
[[nodiscard]] inline Value call_function(Session& session, const std::string& name, const Args& args) {
    if (name == "range") return detail::range(args);
    if (name == "dict") return session.dict(detail::dict(session, args));
    if (name == "strftime_now") return detail::strftime_now(session, args);
    if (name == "namespace") {
        auto attributes = detail::dict(session, args);
        for (const auto& [key, ignored] : attributes.items) detail::require_public(key);
        return session.make_namespace(std::move(attributes));
    }
    if (name == "raise_exception") throw Raised(text_of(session, *Bound(name, args, {"message"}, 1)[0]));
    throw Problem("calls " + quote(name) + ", which Silica does not know");
}

/// self.name(args).
[[nodiscard]] inline Value call_method(Session& session, const Value& self, const std::string& name, const Args& args) {
    session.spend(1);
    if (self.is_text()) return text_method(session, self.text(), name, args);
    if (self.holds<Loop>()) return self.ref<Loop>()->call(session, name, args);
    if (self.is_dict()) {
        if (name == "get") {
            const Bound b(name, args, {"key", "default"}, 1);
            if (!hashable(*b[0])) wrong_type("looks in a dict for", *b[0]);
            const auto* found = find(session, self.dict(), *b[0]);
            return found ? *found : b[1] ? *b[1] : Value(None{});
        }
        if (name == "keys" || name == "values" || name == "items") {
            static_cast<void>(Bound(name, args, {}));
            return Value(std::make_shared<const View>(View{self.ref<const Dict>(), name}));
        }
        if (name == "copy") return self;
    }
    if (self.is_sequence()) {
        if (name == "copy") return session.list(self.list().items);
        if (name == "count" || name == "index") {
            const Bound b(name, args, {"value"}, 1);
            const auto& items = self.list().items;
            std::int64_t n = 0;
            for (std::size_t i = 0; i < items.size(); ++i) {
                if (!equal(session, items[i], *b[0])) continue;
                if (name == "index") return Value(static_cast<std::int64_t>(i));
                ++n;
            }
            if (name == "index") throw Problem("looks by index for an element that is not there");
            return Value(n);
        }
    }
    throw Problem("calls the method " + quote(name) + " of a " + type_name(self) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
