#pragma once
/// Windows of a grid of patches, within which patches attend to each other. Liu et al. 2021,
/// https://arxiv.org/abs/2103.14030, section 3.2.

#include "silica/nn/pad.hpp"
#include "silica/nn/place.hpp"
#include "silica/nn/roll.hpp"
#include "silica/op/attends.hpp"

#include <cstdint>

namespace silica::arch {

/// How a grid is cut into windows: of `size` x `size` patches, moved up and to the left by `shift`. A grid that is no
/// whole number of windows gets zeros below and on the right.
struct ClapWindows {
    std::int64_t height, width;  ///< of the grid
    std::int64_t size, shift;

    [[nodiscard]] std::int64_t down() const { return (height + size - 1) / size; }
    [[nodiscard]] std::int64_t across() const { return (width + size - 1) / size; }
    [[nodiscard]] std::int64_t patches() const { return size * size; }

    /// (batch, height width, d) -> (batch down across, size size, d).
    [[nodiscard]] Tensor cut(const Tensor& x) const {
        const auto n = x.size(0), d = x.size(2);
        Tensor grid = x.view({n, height, width, d});
        grid = nn::pad(nn::pad(grid, 1, 0, down() * size - height), 2, 0, across() * size - width);
        grid = nn::roll(nn::roll(grid, -shift, 1), -shift, 2);
        return grid.view({n, down(), size, across(), size, d})
            .permute({0, 1, 3, 2, 4, 5})
            .reshape({n * down() * across(), patches(), d});
    }
    /// The way back.
    [[nodiscard]] Tensor joined(const Tensor& x) const {
        const auto n = x.size(0) / (down() * across()), d = x.size(2);
        const Tensor grid = x.view({n, down(), across(), size, size, d})
                                .permute({0, 1, 3, 2, 4, 5})
                                .reshape({n, down() * size, across() * size, d});
        const Tensor back = nn::roll(nn::roll(grid, shift, 1), shift, 2);
        return back.narrow(1, 0, height).narrow(2, 0, width).reshape({n, height * width, d});
    }

    /// -100 where two patches of a window come from different ends of the grid, else 0: (down across, size size,
    /// size size) float32 on the host.
    [[nodiscard]] Tensor apart() const {
        const auto ends = [&](std::int64_t n) {  // 0 inside, 1 where the last windows mix, 2 what came round
            const Tensor i = at::arange(n, at::TensorOptions().dtype(c10::ScalarType::Long));
            return (i >= n - size).to(c10::ScalarType::Long) + (i >= n - shift).to(c10::ScalarType::Long);
        };
        const Tensor regions = (ends(down() * size) * 3).unsqueeze(1) + ends(across() * size).unsqueeze(0);
        const Tensor of_window =
            regions.view({down(), size, across(), size}).permute({0, 2, 1, 3}).reshape({down() * across(), patches()});
        return (of_window.unsqueeze(1) != of_window.unsqueeze(2)).to(c10::ScalarType::Float) * -100;
    }

    /// For each pair of patches of a window, which of (2 size - 1)^2 distances they have: (size size size size) int64
    /// on the host.
    [[nodiscard]] Tensor distances() const {
        const auto options = at::TensorOptions().dtype(c10::ScalarType::Long);
        const Tensor i = at::arange(size, options);
        const Tensor row = i.unsqueeze(1).expand({size, size}).reshape({patches()});
        const Tensor column = i.unsqueeze(0).expand({size, size}).reshape({patches()});
        const auto between = [&](const Tensor& x) { return x.unsqueeze(1) - x.unsqueeze(0) + (size - 1); };
        return (between(row) * (2 * size - 1) + between(column)).reshape({-1});
    }
};

/// What is added to the scores within windows: b[distance] for each head, and what keeps the ends of the grid apart.
template <class E>
class ClapWindowBias {
public:
    ClapWindowBias(const ClapWindows& windows, std::int64_t heads, const Weights& w) {  // attention.self
        const auto side = 2 * windows.size - 1, n = windows.patches();
        const Tensor table = nn::take_home<E>(w, "relative_position_bias_table", {side * side, heads});
        const Tensor by_pair = nn::picked(table, 0, windows.distances().to(table.device()));
        bias_ = by_pair.view({n, n, heads}).permute({2, 0, 1}).unsqueeze(0).contiguous();
        if (windows.shift > 0) bias_ = bias_ + windows.apart().to(bias_.scalar_type()).to(bias_.device()).unsqueeze(1);
    }

    /// For the windows of `batch` grids.
    [[nodiscard]] op::Attends operator()(std::int64_t batch) const {
        if (bias_.size(0) == 1 || batch == 1) return {.bias = bias_};
        const auto n = bias_.size(0), heads = bias_.size(1), patches = bias_.size(2);
        return {.bias = bias_.unsqueeze(0)
                            .expand({batch, n, heads, patches, patches})
                            .reshape({batch * n, heads, patches, patches})};
    }

private:
    Tensor bias_;  // (1 or windows, heads, patches, patches)
};

}  // namespace silica::arch
