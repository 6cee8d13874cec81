#pragma once
// What tests/golden/make_image_text.py wrote.
#include "silica/core/json.hpp"
#include "silica/input/image_text/processor.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/directory.hpp"

namespace silica::test {

inline std::filesystem::path image_text_golden(const std::string& name) {
    return std::filesystem::path(SILICA_TESTS_DIR) / "golden" / "image_text" / name;
}

inline Json image_text_json(const std::string& name) { return Json::parse(read_file(image_text_golden(name)), name); }

/// The picture of a formula.
inline image::Image formula_picture(std::int64_t height, std::int64_t width, std::int64_t seed) {
    std::vector<std::uint8_t> pixels;
    for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
            for (std::int64_t c = 0; c < 3; ++c)
                pixels.push_back(static_cast<std::uint8_t>((3 * x + 2 * y + 20 * seed + 30 * c) % 256));
        }
    }
    return {height, width, std::move(pixels)};
}

/// The pictures of an entry: [[height, width, seed], ...].
inline std::vector<image::Image> pictures_of(const Json& entry) {
    std::vector<image::Image> made;
    for (const auto& p : entry.find("images")->array()) {
        const auto& n = p.array();
        made.push_back(formula_picture(n[0].integer(), n[1].integer(), n[2].integer()));
    }
    return made;
}

inline std::vector<std::int64_t> integers_of(const Json& list) {
    std::vector<std::int64_t> made;
    for (const auto& n : list.array()) made.push_back(n.integer());
    return made;
}

/// FNV-1a of 64 bits, in hexadecimal digits.
template <class T>
std::string fnv(std::span<const T> values) {
    std::uint64_t value = 0xCBF29CE484222325U;
    for (const auto byte : std::as_bytes(values))
        value = (value ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001B3U;
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
    return text;
}

}  // namespace silica::test
