#pragma once
/// A value inside a JSON file together with its address, so that whatever is wrong with it is said by file and key.

#include <silica/core/error.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text {

/// A place in a tokenizer file: "tokenizer.json", then "model.vocab" and so on. Reads typed values or throws
/// ConfigError.
class JsonPlace {
public:
    JsonPlace(const nlohmann::json& value, std::string file, std::string key = {})
        : value_(&value), file_(std::move(file)), key_(std::move(key)) {}

    [[nodiscard]] const nlohmann::json& raw() const noexcept { return *value_; }
    [[nodiscard]] bool is_null() const noexcept { return value_->is_null(); }
    [[nodiscard]] bool is_object() const noexcept { return value_->is_object(); }
    [[nodiscard]] bool is_array() const noexcept { return value_->is_array(); }
    [[nodiscard]] bool is_string() const noexcept { return value_->is_string(); }

    /// The member `name`, or nothing where it is absent or null.
    [[nodiscard]] std::optional<JsonPlace> find(std::string_view name) const {
        require(value_->is_object(), "an object");
        const auto found = value_->find(std::string(name));
        if (found == value_->end() || found->is_null()) return std::nullopt;
        return JsonPlace(*found, file_, key_.empty() ? std::string(name) : key_ + "." + std::string(name));
    }
    /// The member `name`; an error where it is absent or null.
    [[nodiscard]] JsonPlace at(std::string_view name) const {
        auto found = find(name);
        if (!found) fail("lacks the key \"" + std::string(name) + "\"");
        return *std::move(found);
    }
    /// The element `index` of an array.
    [[nodiscard]] JsonPlace at(std::size_t index) const {
        require(value_->is_array(), "an array");
        if (index >= value_->size()) fail("has fewer than " + std::to_string(index + 1) + " elements");
        return JsonPlace((*value_)[index], file_, key_ + "[" + std::to_string(index) + "]");
    }
    [[nodiscard]] std::size_t size() const {
        require(value_->is_array(), "an array");
        return value_->size();
    }
    [[nodiscard]] const std::string& string() const {
        require(value_->is_string(), "a string");
        return value_->get_ref<const std::string&>();
    }
    [[nodiscard]] bool boolean() const {
        require(value_->is_boolean(), "true or false");
        return value_->get<bool>();
    }
    [[nodiscard]] double number() const {
        require(value_->is_number(), "a number");
        return value_->get<double>();
    }
    /// An integer within [low, high].
    [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) const {
        require(value_->is_number_integer(), "an integer");
        const bool big = value_->is_number_unsigned() &&
                         value_->get<std::uint64_t>() > std::uint64_t(std::numeric_limits<std::int64_t>::max());
        const std::int64_t n = big ? high : value_->get<std::int64_t>();
        if (big || n < low || n > high) {
            fail("is " + value_->dump() + ", outside " + std::to_string(low) + " to " + std::to_string(high));
        }
        return n;
    }
    /// A token id.
    [[nodiscard]] std::int32_t id() const { return static_cast<std::int32_t>(integer(0, max_id)); }

    [[nodiscard]] std::string string_or(std::string_view name, std::string fallback) const {
        const auto found = find(name);
        return found ? found->string() : fallback;
    }
    [[nodiscard]] bool boolean_or(std::string_view name, bool fallback) const {
        const auto found = find(name);
        return found ? found->boolean() : fallback;
    }
    /// The value of "type", which every component of a tokenizer.json has.
    [[nodiscard]] const std::string& type() const { return value_type().value_->get_ref<const std::string&>(); }

    /// Throws ConfigError: this place, and `problem` ("lacks the key ...").
    [[noreturn]] void fail(const std::string& problem) const {
        throw ConfigError(
            file_ + (key_.empty() ? "" : ": " + key_) + " " + problem + ".",
            "Take " + file_ + " from the model's repository again; it is damaged or of an unknown format.");
    }
    /// Throws ConfigError: a component of a type nobody here implements.
    [[noreturn]] void unknown(const std::string& kind) const {
        throw ConfigError(file_ + ": " + key_ + " has the " + kind + " type \"" + type().substr(0, 100) +
                              "\", which Silica does not know.",
                          "Use a checkpoint whose tokenizer has known components, or add the " + kind +
                              " under include/silica/input/text/.");
    }
    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] const std::string& key() const noexcept { return key_; }

    /// The largest token id taken for real; a vocabulary is dense, so larger ones are damage.
    static constexpr std::int64_t max_id = (1 << 26) - 1;

private:
    [[nodiscard]] JsonPlace value_type() const {
        auto place = at("type");
        place.require(place.is_string(), "a string");
        return place;
    }
    void require(bool holds, const char* wanted) const {
        if (!holds) fail(std::string("is ") + value_->type_name() + " where " + wanted + " belongs");
    }

    const nlohmann::json* value_;
    std::string file_, key_;
};

/// Components nest (Sequence in Sequence); deeper than this is damage.
inline constexpr int max_depth = 32;

}  // namespace silica::text
