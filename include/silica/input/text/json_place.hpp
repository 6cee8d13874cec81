#pragma once
/// A value inside a JSON file together with its address, so that whatever is wrong with it is said by file and key.

#include <silica/core/error.hpp>
#include <silica/core/json.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text {

/// A place in a tokenizer file: "tokenizer.json", then "model.vocab" and so on. Reads typed values or throws
/// ConfigError.
class JsonPlace {
public:
    JsonPlace(const Json& value, std::string file, std::string key = {})
        : value_(&value), file_(std::move(file)), key_(std::move(key)) {}

    [[nodiscard]] const Json& raw() const noexcept { return *value_; }
    [[nodiscard]] bool is_null() const noexcept { return value_->is_null(); }
    [[nodiscard]] bool is_object() const noexcept { return value_->is_object(); }
    [[nodiscard]] bool is_array() const noexcept { return value_->is_array(); }
    [[nodiscard]] bool is_string() const noexcept { return value_->is_string(); }

    /// The member `name`, or nothing where it is absent or null.
    [[nodiscard]] std::optional<JsonPlace> find(std::string_view name) const {
        require(value_->is_object(), "an object");
        const Json* found = value_->find(name);
        if (!found || found->is_null()) return std::nullopt;
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
        if (index >= size()) fail("has fewer than " + std::to_string(index + 1) + " elements");
        return JsonPlace(value_->array()[index], file_, key_ + "[" + std::to_string(index) + "]");
    }
    [[nodiscard]] std::size_t size() const {
        require(value_->is_array(), "an array");
        return value_->array().size();
    }
    [[nodiscard]] const std::string& string() const {
        require(value_->is_string(), "a string");
        return value_->string();
    }
    [[nodiscard]] bool boolean() const {
        require(value_->is_bool(), "true or false");
        return value_->boolean();
    }
    [[nodiscard]] double number() const {
        require(value_->is_number(), "a number");
        return value_->number();
    }
    /// An integer within [low, high].
    [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) const {
        require(value_->is_number(), "an integer");
        if (!value_->is_integer() || value_->integer() < low || value_->integer() > high) {
            fail("is " + value_->brief() + ", no integer from " + std::to_string(low) + " to " + std::to_string(high));
        }
        return value_->integer();
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
    /// Whether this is an object with all of these members, null or not.
    [[nodiscard]] bool has(std::initializer_list<std::string_view> names) const {
        for (const auto name : names) {
            if (!value_->find(name)) return false;
        }
        return is_object();
    }
    /// The value of "type"; empty where there is none, as in files of old.
    [[nodiscard]] std::string type_or_none() const {
        const Json* type = value_->find("type");
        return type && type->is_string() ? type->string() : std::string();
    }
    /// The value of "type", which every component of a tokenizer.json has.
    [[nodiscard]] const std::string& type() const { return value_type().value_->string(); }

    /// The steps of a Sequence.
    [[nodiscard]] JsonPlace steps(std::string_view name) const;

    /// Throws ConfigError: this place, and `problem` ("lacks the key ...").
    [[noreturn]] void fail(const std::string& problem) const {
        throw ConfigError(
            file_ + (key_.empty() ? "" : ": " + key_) + " " + problem + ".",
            "Take " + file_ + " from the model's repository again; it is damaged or of an unknown format.");
    }
    /// Throws ConfigError: a component of a type nobody here implements.
    [[noreturn]] void unknown(const std::string& kind) const {
        if (!is_object() || !value_->find("type"))
            fail("has no \"type\", and is no " + kind + " that is known without");
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
        if (!holds) fail("is " + value_->brief() + " where " + wanted + " belongs");
    }

    const Json* value_;
    std::string file_, key_;
};

/// Components nest (Sequence in Sequence); deeper, or more in one sequence, than this is damage.
inline constexpr int max_depth = 4;
inline constexpr std::size_t max_steps = 64;

inline JsonPlace JsonPlace::steps(std::string_view name) const {
    auto made = at(name);
    if (made.size() > max_steps) {
        made.fail("has " + std::to_string(made.size()) + " steps, more than " + std::to_string(max_steps));
    }
    return made;
}

}  // namespace silica::text
