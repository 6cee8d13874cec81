#pragma once
/// Where a checkpoint is, as users write it.

#include "silica/core/error.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

/// A directory, a file of weights with its config.json beside it, or "org/name" in the hub cache: made of a path or of
/// any kind of string.
class Location {
public:
    Location(std::string text) : text_(std::move(text)) {}
    Location(std::string_view text) : text_(text) {}
    /// InputError for a null pointer.
    Location(const char* text) {
        if (text == nullptr) throw InputError("The checkpoint to open is a null pointer.", "name a directory.");
        text_ = text;
    }
    Location(const std::filesystem::path& path) : text_(path.string()) {}

    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
};

}  // namespace silica::checkpoint
