#pragma once
/// What bounds one rendering: templates are untrusted, so steps, memory and nesting are counted.

#include <silica/input/text/jinja/value.hpp>

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Local time; tests pass their own.
using Clock = std::function<std::tm()>;

/// One rendering: what it has spent, where it is, and the namespaces it made.
class Session {
public:
    static constexpr std::size_t most_steps = 10'000'000;            ///< about a second
    static constexpr std::size_t most_bytes = std::size_t{1} << 28;  ///< of all values ever made
    static constexpr unsigned most_depth = 400;          ///< of calls, blocks and expressions inside each other
    static constexpr unsigned deepest_value = 100;       ///< of lists in lists
    static constexpr std::size_t most_bits = 1U << 16U;  ///< of an integer
    static constexpr std::size_t most_digits = 4300;     ///< of an integer that is written or read: Python's limit

    explicit Session(Clock now) : clock(std::move(now)) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        for (const auto& made : namespaces_) made->attributes.items.clear();  // they may hold each other
    }

    /// Counts work. Problem when there was too much.
    void spend(std::size_t steps) {
        if (steps > most_steps - steps_) {
            throw Problem("takes more than " + std::to_string(most_steps) + " steps; it may loop for ever");
        }
        steps_ += steps;
    }
    /// Counts the search for a part of a text: at worst each place is compared with all of it.
    void spend_search(const std::string& text, const std::string& part) {
        spend(text.size() / 64 +
              (part.size() < text.size() ? (text.size() - part.size()) / 64 * (part.size() / 64) : 0));
    }
    /// Counts memory before it is taken.
    void take(std::size_t bytes) {
        if (bytes > most_bytes - bytes_) {
            throw Problem("makes more than " + std::to_string(most_bytes >> 20) + " MB of text and lists");
        }
        bytes_ += bytes;
        spend(bytes / 64);
    }

    /// A string value.
    [[nodiscard]] Value text(std::string s, bool markup = false) {
        take(s.size() + 32);
        return Value(std::move(s), markup);
    }
    /// An integer of any size.
    [[nodiscard]] Value integer(const BigInteger& n) {
        if (const auto small = n.small()) return Value(*small);
        if (n.bits() > most_bits) {
            throw Problem("makes an integer of more than " + std::to_string(most_bits) + " bits");
        }
        take(n.bits() / 8 + 32);
        return Value(std::make_shared<const BigInteger>(n));
    }
    [[nodiscard]] Value list(Values items, bool is_tuple = false, bool is_group = false) {
        take((items.size() + 2) * sizeof(Value));
        const unsigned nested = deeper(deepest_of(items));
        return Value(std::shared_ptr<const List>(new List{std::move(items), is_tuple, is_group, nested}));
    }
    [[nodiscard]] Value tuple(Values items) { return list(std::move(items), true); }
    [[nodiscard]] Value pair(Value a, Value b) { return tuple({std::move(a), std::move(b)}); }
    [[nodiscard]] Value dict(Dict made) {
        take((made.items.size() + 1) * 2 * sizeof(Value));
        unsigned deepest = 0;
        for (const auto& [key, value] : made.items) deepest = std::max(deepest, depth_of(value));
        made.depth = deeper(deepest);
        return Value(std::make_shared<const Dict>(std::move(made)));
    }
    /// An iterator over items that are there.
    [[nodiscard]] Value iterator(Values items) {
        take((items.size() + 2) * sizeof(Value));
        const unsigned deepest = deepest_of(items);
        return generator(
            [items = std::move(items), at = std::size_t{0}](Value& item) mutable {
                if (at == items.size()) return false;
                item = items[at++];
                return true;
            },
            deepest);
    }
    /// An iterator that makes its items; it holds values of the depth `held`.
    [[nodiscard]] Value generator(Pull pull, unsigned held) {
        take(256);
        constexpr unsigned weight = 3;  // going through one takes more of the stack than a list does
        return Value(std::make_shared<Iterator>(Iterator{std::move(pull), deeper(held + weight - 1)}));
    }
    [[nodiscard]] Value cycler(Values items) {
        take((items.size() + 4) * sizeof(Value));
        static_cast<void>(deeper(deepest_of(items)));
        return Value(std::make_shared<Cycler>(Cycler{std::move(items)}));
    }
    [[nodiscard]] Value joiner(Value separator) {
        take(128);
        static_cast<void>(deeper(depth_of(separator)));
        return Value(std::make_shared<Joiner>(Joiner{std::move(separator)}));
    }
    [[nodiscard]] Value make_namespace(Dict attributes) {
        take(128);
        auto made = std::make_shared<Namespace>(Namespace{std::move(attributes)});
        namespaces_.push_back(made);
        return Value(std::move(made));
    }
    /// Undefined, with the reason for whoever uses it.
    [[nodiscard]] Value missing(std::string problem) {
        take(problem.size() + 32);
        return Undefined{std::make_shared<const std::string>(std::move(problem))};
    }

    /// How deep lists and the like nest in a value.
    [[nodiscard]] static unsigned depth_of(const Value& v) {
        if (v.is_sequence()) return v.list().depth;
        if (v.is_dict()) return v.dict().depth;
        if (v.holds<const View>()) return v.ref<const View>()->of->depth + 1;
        if (v.holds<Iterator>()) return v.ref<Iterator>()->depth;
        if (v.holds<const Callable>()) return 1 + depth_of(v.ref<const Callable>()->self);
        if (v.holds<Cycler>()) return 1 + deepest_of(v.ref<Cycler>()->items);
        if (v.holds<Joiner>()) return 1 + depth_of(v.ref<Joiner>()->separator);
        return 0;
    }
    [[nodiscard]] static unsigned deepest_of(const Values& items) {
        unsigned deepest = 0;
        for (const auto& item : items) deepest = std::max(deepest, depth_of(item));
        return deepest;
    }

    Clock clock;
    unsigned line = 1, depth = 0;
    bool autoescape = false;  ///< {% autoescape true %}, for filters and for what macros return

private:
    [[nodiscard]] static unsigned deeper(unsigned below) {
        if (below >= deepest_value) {
            throw Problem("nests lists more than " + std::to_string(deepest_value) + " deep");
        }
        return below + 1;
    }

    std::size_t steps_ = 0, bytes_ = 0;
    std::vector<std::shared_ptr<Namespace>> namespaces_;
};

/// Counts a level of nesting while it lives.
class Level {
public:
    explicit Level(Session& session) : session_(session) {
        if (session_.depth >= Session::most_depth) {
            throw Problem("nests calls, blocks or expressions more than " + std::to_string(Session::most_depth) +
                          " deep");
        }
        ++session_.depth;
    }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --session_.depth; }

private:
    Session& session_;
};

}  // namespace silica::text::jinja
