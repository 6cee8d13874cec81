#pragma once
/// Height and width, as configurations of vision models say them.

#include "silica/core/json.hpp"

#include <cstdint>
#include <string>

namespace silica::nn {

/// Height and width of an image or a patch, in pixels.
struct ImageSize {
    std::int64_t height = 0, width = 0;

    /// A number, which stands for both, or [height, width]. ConfigError for anything else.
    void read(const Json& json, const std::string& path);

    [[nodiscard]] bool square() const { return height == width; }
    /// "224 x 224", height first.
    [[nodiscard]] std::string text() const { return std::to_string(height) + " x " + std::to_string(width); }

    friend bool operator==(const ImageSize&, const ImageSize&) = default;
};

}  // namespace silica::nn

#ifndef SILICA_COMPILED
#include "silica/nn/image_size.ipp"
#endif
