#pragma once
/// The machine that a Python pickle is a program for: a stack, marks on it, a memo, and the bytes still to come. It
/// knows no opcodes; unpickler.hpp does. Memory and depth are bounded whatever the program is.

#include "silica/checkpoint/pickle.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// Thrown when the bytes end before the pickle does: more of the file may help.
struct PickleCutShort {};

namespace detail {

class PickleMachine {
protected:
    using Kind = PickleValue::Kind;
    PickleMachine(std::string_view data, const std::string& source, const std::string& remedy)
        : data_(data), source_(source), remedy_(remedy) {}

    // Far above what real checkpoints have (about 90 MB for 100,000 tensors), so that a hostile file costs little.
    static constexpr std::size_t most_memory = std::size_t{128} << 20U, deepest_stack = 1'000'000;

    std::string_view take(std::size_t n) {
        if (n > data_.size() - at_) throw PickleCutShort{};
        return data_.substr(std::exchange(at_, at_ + n), n);
    }

    std::uint64_t raw(std::size_t width) {
        const auto field = take(width);
        std::uint64_t value = 0;
        for (std::size_t i = width; i-- > 0;) value = value << 8U | static_cast<unsigned char>(field[i]);
        return value;
    }
    std::int64_t number(std::size_t width) { return static_cast<std::int64_t>(raw(width)); }

    std::size_t length(std::size_t width) {
        const std::uint64_t n = raw(width);
        if (n > data_.size() - at_) throw PickleCutShort{};
        return static_cast<std::size_t>(n);
    }

    void long1() {
        const auto field = take(length(1));
        if (field.size() > 8) malformed("an integer of " + bytes(field.size()));
        const bool negative = !field.empty() && (static_cast<unsigned char>(field.back()) & 0x80U) != 0;
        std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
        for (std::size_t i = field.size(); i-- > 0;) value = value << 8U | static_cast<unsigned char>(field[i]);
        push({Kind::integer, static_cast<std::int64_t>(value)});
    }

    void limit(std::size_t n) const {
        if (n > deepest_stack) malformed("a stack deeper than a million");
    }
    void push(PickleValue value) {
        limit(stack_.size());
        stack_.push_back(value);
    }

    void charge(std::size_t nbytes) {
        memory_ += nbytes;
        if (memory_ > most_memory) malformed("values that need more than 128 MB");
    }

    /// Keeps `item` in its table and pushes a reference to it. `parts`: how many numbers or values it holds itself.
    template <class Item>
    void add(Kind kind, std::vector<Item>& all, Item item, std::size_t parts = 0) {
        charge(sizeof(Item) + parts * sizeof(PickleValue));
        all.push_back(std::move(item));
        push({kind, static_cast<std::int64_t>(all.size() - 1)});
    }
    void text(std::size_t n) { add(Kind::text, out_.texts, take(n)); }
    void sequence(Kind kind, std::vector<PickleValue> items) {
        if (kind == Kind::dict && items.size() % 2 != 0) malformed("a key without a value");
        const std::size_t n = items.size();
        add(kind, out_.sequences, std::move(items), n);
    }

    [[nodiscard]] std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

    PickleValue& top() {
        if (stack_.size() <= floor()) malformed("nothing on its stack where a value is needed");
        return stack_.back();
    }
    PickleValue pop() {
        const PickleValue value = top();
        stack_.pop_back();
        return value;
    }
    std::vector<PickleValue> pop(std::size_t n) {
        std::vector<PickleValue> items(n);
        while (n-- > 0) items[n] = pop();
        return items;
    }
    std::vector<PickleValue> pop_mark() {
        if (marks_.empty()) malformed("no MARK where one is needed");
        const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
        std::vector<PickleValue> items(begin, stack_.end());
        stack_.erase(begin, stack_.end());
        marks_.pop_back();
        return items;
    }

    /// Appends to the list or dictionary on top.
    void extend(Kind kind, const std::vector<PickleValue>& items) {
        if (top().kind != kind) malformed("items for something that is no list or dictionary");
        if (kind == Kind::dict && items.size() % 2 != 0) malformed("a key without a value");
        charge(items.size() * sizeof(PickleValue));
        auto& into = out_.sequences[static_cast<std::size_t>(top().number)];
        into.insert(into.end(), items.begin(), items.end());
    }

    void keep(std::int64_t index) {
        if (memo_.insert_or_assign(index, top()).second) charge(64);
    }
    void recall(std::int64_t index) {
        const auto at = memo_.find(index);
        if (at == memo_.end()) malformed("a reference to a value that was never kept");
        push(at->second);
    }

    const PickleValue& expect(const PickleValue& value, Kind one, Kind other) const {
        if (value.kind != one && value.kind != other) malformed("an argument of the wrong type");
        return value;
    }

    [[noreturn]] void malformed(const std::string& what) const {
        throw CheckpointError(source_ + " has, at byte " + std::to_string(at_) + " of its pickle, " + what + ".",
                              remedy_);
    }

    std::string_view data_;
    const std::string &source_, &remedy_;
    std::size_t at_ = 0, memory_ = 0;
    std::vector<PickleValue> stack_;
    std::vector<std::size_t> marks_;
    std::unordered_map<std::int64_t, PickleValue> memo_;
    Pickle out_;
};

}  // namespace detail

}  // namespace silica::checkpoint
