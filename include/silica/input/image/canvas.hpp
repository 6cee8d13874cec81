#pragma once
/// Room for the pixels of a picture, taken only after its size was checked.

#include "silica/core/error.hpp"
#include "silica/input/image/image.hpp"

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace silica::image {

/// Pictures of more pixels are refused: they are made to exhaust memory. The same number as Pillow's. And so are
/// slivers with a longer side than this.
inline constexpr std::int64_t most_pixels = 178'956'970, most_side = 1'000'000;

/// InputError unless a picture of this size can be held. `name` is the file's.
inline void check_size(std::int64_t height, std::int64_t width, std::string_view name) {
    const std::string size = std::string(name) + " has " + std::to_string(height) + " rows and " +
                             std::to_string(width) + " columns of pixels";
    if (height < 1 || width < 1)
        throw InputError(size + ".", "Give a picture with at least one pixel; the file is damaged.");
    if (height > most_pixels / width) {
        throw InputError(size + ", together more than " + std::to_string(most_pixels) + ".",
                         "Give a smaller picture; one as large as this exhausts memory.");
    }
    if (height > most_side || width > most_side) {
        throw InputError(size + ", more than " + std::to_string(most_side) + " on one side.",
                         "Cut the picture into pieces.");
    }
}

/// Rows of red, green and blue to write to, not initialised.
class Canvas {
public:
    /// InputError where the size is refused (`check_size`) or the memory is not there.
    Canvas(std::int64_t height, std::int64_t width, std::string_view name) : height_(height), width_(width) {
        check_size(height, width, name);
        values_.reset(new (std::nothrow) std::uint8_t[size()]);
        if (!values_) {
            throw InputError(
                std::string(name) + " needs " + std::to_string(size() >> 20U) + " MB of memory, more than there is.",
                "Give a smaller picture, or free memory.");
        }
    }

    [[nodiscard]] std::int64_t height() const noexcept { return height_; }
    [[nodiscard]] std::int64_t width() const noexcept { return width_; }
    [[nodiscard]] std::size_t row_size() const noexcept { return static_cast<std::size_t>(width_ * Image::channels); }
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(height_) * row_size(); }
    [[nodiscard]] std::uint8_t* row(std::int64_t y) noexcept {
        return values_.get() + static_cast<std::size_t>(y) * row_size();
    }

    /// The picture; nobody writes to it from here on.
    [[nodiscard]] Image finish() && {
        const std::span<const std::uint8_t> pixels(values_.get(), size());
        return {height_, width_, pixels, std::shared_ptr<const std::uint8_t[]>(std::move(values_))};
    }

private:
    std::int64_t height_, width_;
    std::unique_ptr<std::uint8_t[]> values_;
};

}  // namespace silica::image
