#pragma once
/// One JSON file of sentence-transformers, asked key by key.

#include "silica/checkpoint/config.hpp"
#include "silica/core/json.hpp"
#include "silica/core/reflect.hpp"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::task::detail {

/// The object in a file, with errors that name file, key and value.
class SentenceFile {
public:
    /// Reads `directory / name`; an empty object where there is none and it is `optional`. ConfigError for a wrong
    /// file.
    SentenceFile(const std::filesystem::path& directory, std::string_view name, bool optional)
        : path_((directory / name).string()) {
        if (!optional || checkpoint::is_listed(directory / name)) json_ = checkpoint::read_json_file(directory, name);
    }
    /// An object inside another file.
    SentenceFile(Json json, std::string path) : json_(std::move(json)), path_(std::move(path)) {}

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const Json& json() const noexcept { return json_; }
    [[nodiscard]] const Json* find(std::string_view key) const { return json_.find(key); }

    /// The value of a key that must be a string.
    [[nodiscard]] std::string string(std::string_view key) const {
        const Json* value = find(key);
        if (value == nullptr || !value->is_string()) refuse(key, "a string is wanted.");
        return value->string();
    }

    /// The value of a key that is true or false, or absent.
    [[nodiscard]] bool boolean(std::string_view key, bool otherwise) const {
        const Json* value = find(key);
        if (value == nullptr || value->is_null()) return otherwise;
        if (!value->is_bool()) refuse(key, "true or false is wanted.");
        return value->boolean();
    }

    /// Throws ConfigError: this key with this value.
    [[noreturn]] void refuse(std::string_view key, const std::string& remedy) const {
        const Json* value = find(key);
        refuse_config(path_, key, value == nullptr ? "(missing)" : value->brief(), remedy);
    }

    /// Adds a line for each key that is none of `known`: nothing reads it.
    void note_others(std::initializer_list<std::string_view> known, std::vector<std::string>& notes) const {
        if (!json_.is_object()) return;
        for (const auto& [key, value] : json_.object()) {
            if (std::ranges::find(known, key) == known.end())
                notes.push_back(path_ + ": " + quote(key) + " is not known and has no effect.");
        }
    }

private:
    Json json_ = Json(Json::Object{});
    std::string path_;
};

}  // namespace silica::task::detail
