#pragma once
/// A picture in memory.

#include "silica/core/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::image {

/// Rows from the top, each of pixels from the left, each of red, green and blue from 0 to 255; without gaps. Copies
/// share the pixels, which nobody writes to.
class Image {
public:
    static constexpr std::int64_t channels = 3;

    /// Pixels that lie elsewhere, not copied: `owner` keeps them alive, or, where it is null, the caller does.
    /// InputError unless height and width are 1 or more and there are height * width * 3 values.
    Image(std::int64_t height, std::int64_t width, std::span<const std::uint8_t> pixels,
          std::shared_ptr<const void> owner)
        : height_(height), width_(width), pixels_(checked(height, width, pixels)), owner_(std::move(owner)) {}

    /// Pixels that become the image's own.
    Image(std::int64_t height, std::int64_t width, std::vector<std::uint8_t> pixels)
        : Image(height, width, std::make_shared<const std::vector<std::uint8_t>>(std::move(pixels))) {}
    /// What is moved from stays as it was: it would else name pixels that it no longer keeps.
    Image(const Image&) = default;
    Image& operator=(const Image&) = default;

    [[nodiscard]] std::int64_t height() const noexcept { return height_; }
    [[nodiscard]] std::int64_t width() const noexcept { return width_; }
    /// All values, height * width * 3.
    [[nodiscard]] std::span<const std::uint8_t> pixels() const noexcept { return pixels_; }
    /// The values of a row, width * 3.
    [[nodiscard]] std::span<const std::uint8_t> row(std::int64_t y) const noexcept {
        const auto size = static_cast<std::size_t>(width_ * channels);
        return pixels_.subspan(static_cast<std::size_t>(y) * size, size);
    }

    /// The colour that the file says is transparent, as the tRNS of a PNG does: its pixels have it all the same, and a
    /// processor whose do_convert_rgb is true makes them white.
    [[nodiscard]] std::optional<std::array<std::uint8_t, channels>> transparent() const noexcept {
        return transparent_;
    }
    void set_transparent(std::optional<std::array<std::uint8_t, channels>> colour) noexcept { transparent_ = colour; }

private:
    Image(std::int64_t height, std::int64_t width, std::shared_ptr<const std::vector<std::uint8_t>> own)
        : Image(height, width, std::span(own->data(), own->size()), own) {}

    static std::span<const std::uint8_t> checked(std::int64_t height, std::int64_t width,
                                                 std::span<const std::uint8_t> pixels) {
        const std::string size =
            "An image of " + std::to_string(height) + " rows and " + std::to_string(width) + " columns";
        constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / channels;
        if (height < 1 || width < 1 || height > most / width)
            throw InputError(size + " cannot be.", "give both a height and a width of 1 or more, in pixels.");
        if (pixels.data() == nullptr || pixels.size() != static_cast<std::uint64_t>(height * width * channels)) {
            throw InputError(size + " has " + std::to_string(height * width * channels) + " values, and was given " +
                                 std::to_string(pixels.size()) + ".",
                             "give red, green and blue of each pixel in turn, row by row, without gaps.");
        }
        return pixels;
    }

    std::int64_t height_, width_;
    std::span<const std::uint8_t> pixels_;
    std::shared_ptr<const void> owner_;
    std::optional<std::array<std::uint8_t, channels>> transparent_;
};

}  // namespace silica::image
