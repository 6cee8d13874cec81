#pragma once
/// y = x W^T for up to eight rows of x where W is codes, by tensor cores: a code becomes an exact number of half
/// precision by one or two instructions, so that reading the codes is what takes time.

#include "silica/device/cuda/codes.hpp"
#include "silica/device/cuda/gemv.hpp"
#include "silica/device/cuda/mma_codes_fetch.hpp"
#include "silica/device/cuda/mma_codes_text.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::device::cuda {
namespace detail {

/// What the texts of products with codes are compiled with: `split` of `warps` warps share a row of W.
inline std::vector<std::pair<std::string_view, std::int64_t>> constants(const Codes& w, std::int64_t rows,
                                                                        std::int64_t warps, std::int64_t split,
                                                                        Epilogue epilogue, Activation act,
                                                                        const NormAhead& norm) {
    const auto& m = w.matrix;
    return {{"ROWS", rows},
            {"K", m.columns},
            {"BITS", m.bits},
            {"GROUP", m.group},
            {"GROUPS", w.scales.size(1)},
            {"BFLOAT_SCALES", w.scales.scalar_type() == at::kBFloat16},
            {"WARPS", warps},
            {"SPLIT", split},
            {"EPILOGUE", static_cast<std::int64_t>(epilogue)},
            {"ACT", static_cast<std::int64_t>(act)},
            {"BIAS", m.bias.has_value()},
            {"NORM", norm.scale.defined()},
            {"AHEAD", recording}};
}

/// What tells apart those that differ in more than the columns and the group, in the lower half of a key.
inline std::uint64_t variant(const Tensor& x, const Codes& w, std::int64_t rows, std::int64_t split, Epilogue epilogue,
                             Activation act, const NormAhead& norm) {
    return static_cast<std::uint64_t>(x.scalar_type()) | static_cast<std::uint64_t>(rows) << 8 |
           static_cast<std::uint64_t>(split) << 12 | static_cast<std::uint64_t>(epilogue) << 16 |
           static_cast<std::uint64_t>(act) << 20 | (w.matrix.bits == 8 ? std::uint64_t{1} << 26 : 0) |
           (w.scales.scalar_type() == at::kBFloat16 ? std::uint64_t{1} << 27 : 0) |
           (w.matrix.bias ? std::uint64_t{1} << 28 : 0) | (recording ? std::uint64_t{1} << 29 : 0) |
           (norm.scale.defined() ? std::uint64_t{1} << 30 : 0);
}

}  // namespace detail

/// Rows of x up to which tensor cores are fed at the speed of reading codes.
inline constexpr std::int64_t mma_rows = 8;

/// Whether `mma` takes these: at most eight rows, that a block can keep.
inline bool takes_mma(const Tensor& x, const Codes& w) {
    const auto& m = w.matrix;
    const std::int64_t k = m.columns;
    return w.turned && x.numel() > 0 && x.size(-1) == k && x.numel() / k <= mma_rows &&
           static_cast<std::int64_t>(x.nbytes()) <= shared_x && x.scalar_type() == m.type && m.rows > 0 &&
           m.rows < (std::int64_t{1} << 27) && (!m.bias || m.bias->is_contiguous()) && has_nvrtc() &&
           aligned(w.codes) && aligned(w.scales);
}

/// As `gemv` of plain weights.
inline Tensor mma(const Tensor& x, const Codes& w, Epilogue epilogue, Activation act, const Tensor& residual,
                  const NormAhead& norm) {
    const auto& m = w.matrix;
    const bool gated = epilogue == Epilogue::gated;
    const auto k = m.columns, rows = x.numel() / k, n = m.rows / (gated ? 2 : 1);
    auto sizes = x.sizes().vec();
    sizes.back() = n;
    const Tensor y = at::empty(sizes, x.options());
    Tensor in = x.contiguous(), r = residual.defined() ? residual.contiguous() : residual;
    if (!aligned(in)) in = in.clone();
    const std::int64_t line = detail::line_of(m), pieces = k / (k % (2 * line) == 0 ? 2 * line : line);
    constexpr std::int64_t warps = 8;
    std::int64_t split = warps;  // warps for a tile: as many as have something to load (tried on an H100)
    while (split > 1 && pieces < split) split /= 2;
    const std::uint64_t key = detail::variant(x, w, rows, split, epilogue, act, norm) |
                              static_cast<std::uint64_t>(k / 16) << 32 |
                              static_cast<std::uint64_t>(m.group == k ? 0 : m.group / 16) << 52;
    static const std::string text = std::string(prelude) + std::string(detail::scales_text) +
                                    std::string(detail::mma_codes_text) + std::string(detail::mma_codes_fetch_text) +
                                    std::string(detail::mma_codes_loop_text);
    const auto& f = function<detail::MmaCodes>(x.device().index(), key, [&] {
        return KernelSource{"mma_codes", text, detail::constants(w, rows, warps, split, epilogue, act, norm),
                            x.scalar_type()};
    });
    const std::int64_t outs = gated ? 8 : 16, tiles = (n + outs - 1) / outs;
    const std::int64_t most = std::int64_t{2} * multiprocessors(x.device().index());  // each keeps x for its tiles
    const std::int64_t blocks = std::min((tiles * split + warps - 1) / warps, most);
    launch(f, {{static_cast<unsigned>(blocks), 1, 1}, warps * 32}, x.device(), address(in), address(w.codes),
           address(w.scales), m.bias ? address(*m.bias) : nullptr, address(r), address(norm.scale), address(y),
           static_cast<int>(n), norm.eps);
    return y;
}

}  // namespace silica::device::cuda
