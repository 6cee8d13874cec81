#pragma once
/// Images of another size, by interpolation between their pixels, as PyTorch's `interpolate` does it without antialias.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

#include <cstdint>

namespace silica {

/// Which pixels make a new one.
enum class Resampling {
    nearest,   ///< the one at floor(i h / h'), h / h' being of float32
    bilinear,  ///< the two around its place in each dimension, by distance
    bicubic,   ///< the four around it, by Keys' kernel with a = -0.75 (Keys 1981, equation 4)
};

namespace op {

/// x (batch, channels, h, w) -> (batch, channels, height, width). New pixel i stands at (i + 1/2) h / height - 1/2 of
/// x; with `align_corners`, at i (h - 1) / (height - 1), so that the corners stay. Pixels beyond an edge are those of
/// the edge.
struct Resize {
    static constexpr std::string_view name = "resize";
    using signature = Tensor(const Tensor& x, std::int64_t height, std::int64_t width, Resampling how,
                             bool align_corners);
    static void check(const Tensor& x, std::int64_t height, std::int64_t width, Resampling how, bool align_corners) {
        constexpr std::int64_t most = std::int64_t{1} << 30;
        law(x.dim() == 4 && computes(x.scalar_type()) && x.size(1) > 0 && x.size(2) > 0 && x.size(3) > 0, name,
            "x (batch, channels, h, w) of floating numbers", x);
        law(height > 0 && width > 0 && height <= most && width <= most, name, "a height and a width of 1 or more", x);
        law(static_cast<double>(x.size(0) * x.size(1)) * static_cast<double>(height) * static_cast<double>(width) <
                most_numbers,
            name, "a height and a width of an image that memory can hold", x);
        law(how >= Resampling::nearest && how <= Resampling::bicubic, name, "a kind of resampling", x);
        law(how != Resampling::nearest || !align_corners, name, "align_corners for bilinear and bicubic only", x);
    }
};
static_assert(OpTag<Resize>);

}  // namespace op
}  // namespace silica
