#pragma once
/// The global functions, and the methods of lists and dicts.

#include <silica/input/text/jinja/filters.hpp>
#include <silica/input/text/jinja/syntax.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// Whether templates have a function of this name without defining it.
[[nodiscard]] inline bool known_function(std::string_view name) {
    return detail::listed("range dict namespace raise_exception strftime_now cycler joiner lipsum", name);
}

namespace detail {

[[nodiscard]] inline Value range(const Args& args) {
    const Bound b("range", args.named.empty() ? args : throw Problem("calls range with a named argument"),
                  {"start", "stop", "step"}, 1);
    Range made{0, b.whole(0, 0), b.whole(2, 1)};
    if (b[1]) made.start = b.whole(0, 0), made.stop = b.whole(1, 0);
    if (made.step == 0) throw Problem("makes a range with steps of zero");
    constexpr std::int64_t far = std::int64_t{1} << 61, most = 100000;  // Jinja's sandbox has the same limit
    for (const std::int64_t n : {made.start, made.stop, made.step}) {
        if (n > far || n < -far) throw Problem("makes a range of numbers that are too large");
    }
    if (made.size() > most) throw Problem("makes a range of more than " + std::to_string(most) + " numbers");
    return Value(std::make_shared<const Range>(made));
}
/// dict(...): of a dict or of pairs, and of names.
[[nodiscard]] inline Dict dict(Session& session, const Args& args) {
    Dict made;
    if (!args.at.empty()) require_defined(args.at[0]);
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
    if (name == "cycler") {
        if (!args.named.empty()) throw Problem("calls cycler with a named argument");
        if (args.at.empty()) throw Problem("cycles through nothing");
        return session.cycler(args.at);
    }
    if (name == "joiner") {
        const Bound b(name, args, {"sep"});
        return session.joiner(b[0] ? *b[0] : Value(", "));
    }
    if (name == "lipsum") throw Problem("writes random text by lipsum, which Silica does not");
    if (name == "raise_exception") throw Raised(text_of(session, *Bound(name, args, {"message"}, 1)[0]));
    throw Problem("calls " + quote(name) + ", which Silica does not know");
}

namespace detail {

[[nodiscard]] inline std::optional<Value> macro_attribute(Session& session, const Callable& macro,
                                                          std::string_view name) {
    const Statement& s = *macro.macro;
    if (name == "name") return macro.name.empty() ? Value(None{}) : session.text(macro.name);
    if (name == "catch_kwargs") return Value(s.uses_kwargs);
    if (name == "catch_varargs") return Value(s.uses_varargs);
    if (name == "caller") return Value(s.uses_caller);
    if (name != "arguments" && name != "explicit_caller") return std::nullopt;
    Values names;
    bool caller = false;
    for (const auto& parameter : s.parameters) {
        names.push_back(session.text(parameter.first->name));
        caller = caller || parameter.first->name == "caller";
    }
    return name == "arguments" ? session.tuple(std::move(names)) : Value(caller);
}

/// A method of a list, a tuple or a range.
[[nodiscard]] inline Value list_method(Session& session, const Value& self, const std::string& name, const Args& args) {
    if (name == "copy") {
        static_cast<void>(Bound(name, args, {}));
        return session.list(self.list().items);
    }
    const Bound b(name, args, {"", "", ""}, 1);
    const auto items = iterate(session, self);
    const auto size = static_cast<std::int64_t>(items.size());
    const auto bound = [&](std::size_t i, std::int64_t otherwise) {
        const std::int64_t n = b.whole(i, otherwise);
        return std::clamp<std::int64_t>(n < 0 ? n + size : n, 0, size);
    };
    if (b[1] && (name == "count" || self.holds<const Range>())) b.refuse("takes one argument");
    std::int64_t n = 0;
    for (std::int64_t i = bound(1, 0), end = bound(2, size); i < end; ++i) {
        if (!equal(session, items[static_cast<std::size_t>(i)], *b[0])) continue;
        if (name == "index") return Value(i);
        ++n;
    }
    if (name == "index") throw Problem("looks by index for an element that is not there");
    return Value(n);
}
/// A method of a dict, or fromkeys of `dict` itself.
[[nodiscard]] inline Value dict_method(Session& session, const Value& self, const std::string& name, const Args& args) {
    if (name == "get") {
        const Bound b(name, args, {"", ""}, 1);
        if (!hashable(*b[0])) wrong_type("looks in a dict for", *b[0]);
        const auto* found = find(session, self.dict(), *b[0]);
        return found ? *found : b[1] ? *b[1] : Value(None{});
    }
    if (name == "fromkeys") {
        const Bound b(name, args, {"", ""}, 1);
        Dict made;
        for (const auto& key : iterate(session, *b[0])) assign(session, made, key, b[1] ? *b[1] : Value(None{}));
        return session.dict(std::move(made));
    }
    static_cast<void>(Bound(name, args, {}));
    if (name == "copy") return self;
    return Value(std::make_shared<const View>(View{self.ref<const Dict>(), name}));
}
/// A method of a number.
[[nodiscard]] inline Value number_method(Session& session, const Value& self, const std::string& name,
                                         const Args& args) {
    static_cast<void>(Bound(name, args, {}));
    if (name == "conjugate") return self.is_bool() ? Value(self.whole()) : self;
    if (name == "bit_length") return Value(static_cast<std::int64_t>(self.big().bits()));
    if (name == "bit_count") {
        const std::string bits = whole_text(session, self, 2);
        return Value(static_cast<std::int64_t>(std::count(bits.begin(), bits.end(), '1')));
    }
    if (self.is_whole()) return session.pair(self.is_bool() ? Value(self.whole()) : self, Value(std::int64_t{1}));
    const double x = self.number();
    if (name == "is_integer") return Value(std::isfinite(x) && std::trunc(x) == x);
    if (name == "hex") return session.text(hex_text(x));
    if (!std::isfinite(x)) throw Problem("makes integers of a number that is not finite");
    BigInteger over = BigInteger(1);
    double scaled = x;
    for (; std::trunc(scaled) != scaled; scaled *= 2) over = over * BigInteger(2);
    return session.pair(session.integer(BigInteger::truncated(scaled)), session.integer(over));
}

}  // namespace detail

/// self.name(args).
[[nodiscard]] inline Value call_method(Session& session, const Value& self, const std::string& name, const Args& args) {
    session.spend(1);
    if (self.is_text()) return text_method(session, self, name, args);
    if (self.holds<Loop>()) return self.ref<Loop>()->call(session, name, args);
    if (self.is_dict() || self.holds<const Callable>()) return detail::dict_method(session, self, name, args);
    if (self.is_sequence() || self.holds<const Range>()) return detail::list_method(session, self, name, args);
    if (self.is_number()) return detail::number_method(session, self, name, args);
    if (self.holds<Cycler>()) {
        auto& cycler = *self.ref<Cycler>();
        static_cast<void>(Bound(name, args, {}));
        const std::size_t at = std::exchange(cycler.at, name == "next" ? (cycler.at + 1) % cycler.items.size() : 0);
        return name == "next" ? cycler.items[at] : Value(None{});
    }
    throw Problem("calls the method " + quote(name) + " of a " + type_name(self) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
