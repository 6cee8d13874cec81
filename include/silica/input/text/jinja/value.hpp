#pragma once
/// The values of a template: Python's, as far as templates can see them. Cheap to copy; all but namespaces, iterators,
/// loops, cyclers and joiners are immutable.

#include <silica/input/text/jinja/big_integer.hpp>
#include <silica/input/text/jinja/problem.hpp>

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace silica::text::jinja {

struct List;
struct Dict;
struct Range;
struct Iterator;
struct View;
struct Namespace;
struct Callable;
struct Loop;
struct Cycler;
struct Joiner;

/// Jinja's Undefined: prints as nothing, is false, and cannot be used otherwise. `problem` says what is missing.
struct Undefined {
    std::shared_ptr<const std::string> problem = {};
};
/// Python's None.
struct None {};
/// A str; markupsafe's Markup where it is marked as safe, which escapes what is joined with it.
struct Str {
    std::string text;
    bool markup = false;
};

/// One value.
class Value {
public:
    using Text = std::shared_ptr<const Str>;
    using Big = std::shared_ptr<const BigInteger>;

    Value() = default;  ///< undefined
    Value(Undefined v) : data_(std::move(v)) {}
    Value(None v) : data_(v) {}
    explicit Value(bool v) : data_(v) {}
    explicit Value(std::int64_t v) : data_(v) {}
    explicit Value(double v) : data_(v) {}
    explicit Value(std::string v, bool markup = false)
        : data_(std::make_shared<const Str>(Str{std::move(v), markup})) {}
    explicit Value(const char* v) : Value(std::string(v)) {}
    template <class T>
    explicit Value(std::shared_ptr<T> v) : data_(std::move(v)) {}

    template <class T>
    [[nodiscard]] bool is() const noexcept {
        return std::holds_alternative<T>(data_);
    }
    /// Whether it holds a reference to a T.
    template <class T>
    [[nodiscard]] bool holds() const noexcept {
        return is<std::shared_ptr<T>>();
    }
    template <class T>
    [[nodiscard]] const std::shared_ptr<T>& ref() const {
        return std::get<std::shared_ptr<T>>(data_);
    }

    [[nodiscard]] bool is_undefined() const noexcept { return is<Undefined>(); }
    [[nodiscard]] bool is_none() const noexcept { return is<None>(); }
    [[nodiscard]] bool is_bool() const noexcept { return is<bool>(); }
    /// An int; True and False are no ints here (`is_whole` counts them as such).
    [[nodiscard]] bool is_integer() const noexcept { return is<std::int64_t>() || is_big(); }
    [[nodiscard]] bool is_big() const noexcept { return is<Big>(); }
    [[nodiscard]] bool is_whole() const noexcept { return is_integer() || is_bool(); }
    [[nodiscard]] bool is_real() const noexcept { return is<double>(); }
    [[nodiscard]] bool is_number() const noexcept { return is_whole() || is_real(); }
    [[nodiscard]] bool is_text() const noexcept { return is<Text>(); }
    [[nodiscard]] bool is_markup() const noexcept { return is_text() && std::get<Text>(data_)->markup; }
    [[nodiscard]] bool is_sequence() const noexcept { return holds<const List>(); }
    [[nodiscard]] bool is_tuple() const;
    [[nodiscard]] bool is_dict() const noexcept { return holds<const Dict>(); }

    // Each of these is called only after the question above said yes.
    [[nodiscard]] bool boolean() const { return std::get<bool>(data_); }
    /// A whole number as Python takes it for a place or a size: Problem where 64 bits do not hold it.
    [[nodiscard]] std::int64_t whole() const {
        if (is_big()) throw Problem("uses an integer of more than 64 bits where a small one belongs");
        return is_bool() ? boolean() : std::get<std::int64_t>(data_);
    }
    [[nodiscard]] BigInteger big() const { return is_big() ? *std::get<Big>(data_) : BigInteger(whole()); }
    [[nodiscard]] bool is_negative() const { return is_big() ? big().negative() : whole() < 0; }
    [[nodiscard]] double number() const {
        if (is_real()) return std::get<double>(data_);
        if (!is_big()) return static_cast<double>(whole());
        const double x = std::get<Big>(data_)->number();
        if (std::isinf(x)) throw Problem("makes a float of an integer that is too large");
        return x;
    }
    [[nodiscard]] const std::string& text() const { return std::get<Text>(data_)->text; }
    [[nodiscard]] const List& list() const { return *ref<const List>(); }
    [[nodiscard]] const Dict& dict() const { return *ref<const Dict>(); }
    [[nodiscard]] const Undefined& undefined() const { return std::get<Undefined>(data_); }

private:
    std::variant<Undefined, None, bool, std::int64_t, double, Big, Text, std::shared_ptr<const List>,
                 std::shared_ptr<const Dict>, std::shared_ptr<const Range>, std::shared_ptr<Iterator>,
                 std::shared_ptr<const View>, std::shared_ptr<Namespace>, std::shared_ptr<const Callable>,
                 std::shared_ptr<Loop>, std::shared_ptr<Cycler>, std::shared_ptr<Joiner>>
        data_;
};

using Values = std::vector<Value>;

/// A list or a tuple; a pair of groupby has names for its two items.
struct List {
    Values items = {};
    bool is_tuple = false, is_group = false;
    unsigned depth = 1;  ///< of nesting
};
inline bool Value::is_tuple() const { return is_sequence() && list().is_tuple; }
/// A dict: pairs in order, keys differ.
struct Dict {
    std::vector<std::pair<Value, Value>> items = {};
    unsigned depth = 1;
};
/// range(start, stop, step).
struct Range {
    std::int64_t start = 0, stop = 0, step = 1;
    [[nodiscard]] std::int64_t size() const noexcept {
        if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
        return start > stop ? (start - stop - 1) / -step + 1 : 0;
    }
};
/// Gives the next item; false at the end.
using Pull = std::function<bool(Value&)>;

/// What map, select, reverse and their like return: passes once, and computes an item when it is asked for.
struct Iterator {
    Pull pull = {};
    unsigned depth = 1;
};
/// dict.keys(), dict.values(), dict.items().
struct View {
    std::shared_ptr<const Dict> of;
    std::string name;  ///< "keys", "values", "items"
};
/// namespace(...): its attributes can be set.
struct Namespace {
    Dict attributes = {};
};

/// cycler(...): goes round.
struct Cycler {
    Values items = {};
    std::size_t at = 0;
};
/// joiner(...): nothing the first time.
struct Joiner {
    Value separator = {};
    bool used = false;
};

/// The arguments of a call, a filter or a test.
struct Args {
    Values at = {};
    std::vector<std::pair<std::string, Value>> named = {};
};

struct Statement;
struct Scope;

/// What can be called: a global function, a method with its object, a macro with the scope it stands in, or a block.
struct Callable {
    std::string name;
    Value self = {};
    bool is_method = false, is_block = false;
    bool escapes = false;  ///< the macro stands in {% autoescape true %}
    const Statement* macro = nullptr;
    std::shared_ptr<Scope> scope = {};
};

}  // namespace silica::text::jinja
