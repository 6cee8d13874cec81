#pragma once
/// Definitions of anyres.hpp.

#include "silica/core/anyres.hpp"

#include <algorithm>
#include <cmath>

namespace silica::anyres {

SILICA_INLINE std::optional<Extent> best_resolution(Extent image, std::span<const Extent> resolutions) {
    const auto h = static_cast<double>(image.height), w = static_cast<double>(image.width);
    std::optional<Extent> best;
    std::int64_t most = 0, least_waste = 0;
    for (const auto& r : resolutions) {
        const double scale = std::min(static_cast<double>(r.width) / w, static_cast<double>(r.height) / h);
        const auto area = static_cast<std::int64_t>(w * scale) * static_cast<std::int64_t>(h * scale);
        const auto effective = std::min(area, image.height * image.width);
        const auto waste = r.width * r.height - effective;
        if (best && (effective < most || (effective == most && waste >= least_waste))) continue;
        best = r, most = effective, least_waste = waste;
    }
    return best;
}

namespace detail {

/// int(round(x, 7)) of Python, x >= 0: the whole part, and one more where seven decimals round up to it.
SILICA_INLINE std::int64_t whole_of_rounded(double x) {
    const double above = std::floor(x) + 1;
    return static_cast<std::int64_t>(above - x <= 5e-8 ? above : above - 1);
}

}  // namespace detail

SILICA_INLINE Shown shown(Extent image, Extent grid) {
    const auto h = static_cast<double>(image.height), w = static_cast<double>(image.width);
    const auto rows = static_cast<double>(grid.height), columns = static_cast<double>(grid.width);
    if (w / h > columns / rows) {
        const auto top = (grid.height - detail::whole_of_rounded(h * (columns / w))) / 2;
        return {top, 0, {grid.height - 2 * top, grid.width}};
    }
    const auto left = (grid.width - detail::whole_of_rounded(w * (rows / h))) / 2;
    return {0, left, {grid.height, grid.width - 2 * left}};
}

}  // namespace silica::anyres
