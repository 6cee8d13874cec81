#pragma once
/// Reading tokenizer files.

#include <silica/core/error.hpp>
#include <silica/core/impostor.hpp>
#include <silica/core/json.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace silica::text {

/// Whether a regular file of this name is in the directory.
[[nodiscard]] inline bool has_file(const std::filesystem::path& directory, const char* name) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(directory / name, ignored);
}

/// The bytes of a file. ConfigError where it cannot be read or is larger than any tokenizer.
[[nodiscard]] inline std::string read_file(const std::filesystem::path& path) {
    constexpr std::uintmax_t largest = std::uintmax_t{1} << 29;
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error && size > largest) {
        throw ConfigError(path.string() + " has " + std::to_string(size) + " bytes, more than any tokenizer file.",
                          "Take the file from the model's repository again.");
    }
    std::ifstream in(path, std::ios::binary);
    std::string bytes(error ? 0 : static_cast<std::size_t>(size), '\0');
    if (error || !in || !in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
        throw ConfigError(path.string() + " cannot be read.", "Check that the file exists and that you may read it.");
    }
    if (const auto found = impostor(bytes)) {
        throw ConfigError(path.string() + " is " + std::string(found->what) + ", not the file itself.",
                          std::string(found->remedy));
    }
    return bytes;
}

/// Parses JSON. `name` is the file, for the error.
[[nodiscard]] inline Json parse_json(std::string_view text, const std::string& name) { return Json::parse(text, name); }

}  // namespace silica::text
