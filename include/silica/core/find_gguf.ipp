#pragma once
/// Definitions of find_gguf.hpp.

#include "silica/core/error.hpp"
#include "silica/core/find_gguf.hpp"
#include "silica/core/quote.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace silica {
namespace find_gguf_detail {

/// "model-00002-of-00003.gguf": what comes before, and the two numbers.
struct PartName {
    std::string before;
    std::size_t number = 0, count = 0;

    [[nodiscard]] std::string of(std::size_t n) const {
        return before + '-' + digits(n) + "-of-" + digits(count) + ".gguf";
    }

private:
    static std::string digits(std::size_t n) {
        std::string text = std::to_string(n);
        return std::string(5 - std::min<std::size_t>(text.size(), 5), '0') + text;
    }
};

inline std::optional<PartName> part_name(const std::filesystem::path& file) {
    constexpr std::string_view end = "-00001-of-00001.gguf";
    const std::string name = file.filename().string();
    if (name.size() < end.size()) return std::nullopt;
    const std::string_view last = std::string_view(name).substr(name.size() - end.size());
    PartName made{.before = name.substr(0, name.size() - end.size())};
    const auto number = [&](std::size_t at, std::size_t& to) {
        const char *from = last.data() + at, *until = from + 5;
        const auto [stop, error] = std::from_chars(from, until, to);
        return error == std::errc() && stop == until;
    };
    if (!number(1, made.number) || !number(10, made.count) || made.of(made.number) != name) return std::nullopt;
    if (made.number < 1 || made.number > made.count) return std::nullopt;
    return made;
}

}  // namespace find_gguf_detail

SILICA_INLINE std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& file) {
    const auto name = find_gguf_detail::part_name(file);
    if (!name) return {file};
    std::vector<std::filesystem::path> parts;
    for (std::size_t n = 1; n <= name->count; ++n) {
        const auto part = file.parent_path() / name->of(n);
        std::error_code error;
        if (!std::filesystem::exists(part, error)) {
            throw CheckpointError(file.string() + " is part " + std::to_string(name->number) + " of " +
                                      std::to_string(name->count) + " of a model, and " + part.string() +
                                      " is missing.",
                                  "Copy or download all parts of the model.");
        }
        parts.push_back(part);
    }
    return parts;
}

SILICA_INLINE std::optional<std::filesystem::path> find_gguf(const std::filesystem::path& place) {
    std::error_code error;
    if (place.extension() == ".gguf" && std::filesystem::is_regular_file(place, error)) return place;
    std::vector<std::filesystem::path> found;
    for (std::filesystem::directory_iterator at(place, error), end; !error && at != end; at.increment(error)) {
        const auto name = at->path().filename().string();
        if (at->path().extension() != ".gguf" || name.find("mmproj") != std::string::npos) continue;
        if (const auto part = find_gguf_detail::part_name(at->path()); part && part->number > 1) {
            const auto first = place / part->of(1);
            std::error_code missing;
            if (std::filesystem::exists(first, missing)) continue;  // it stands for its parts
        }
        found.push_back(at->path());
    }
    if (found.empty()) return std::nullopt;
    std::sort(found.begin(), found.end());
    if (found.size() > 1)
        throw CheckpointError(place.string() + " holds " + std::to_string(found.size()) +
                                  " GGUF files: " + quote(found[0].filename().string()) + ", " +
                                  quote(found[1].filename().string()) + (found.size() > 2 ? ", ..." : "") + ".",
                              "Name the file to open.");
    return found.front();
}

}  // namespace silica
