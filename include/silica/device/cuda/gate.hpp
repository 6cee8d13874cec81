#pragma once
/// act(g) * u in one pass.

#include "silica/device/aten/activate.hpp"
#include "silica/device/cuda/nvrtc.hpp"
#include "silica/device/cuda/source.hpp"
#include "silica/op/gated.hpp"

#include <algorithm>

namespace silica::device::cuda {
namespace detail {

inline constexpr std::string_view gated_text = R"cuda(
extern "C" __global__ void __launch_bounds__(256) gated(const T* x, T* y, i64 rows, i64 n) {
    let_next_start();
    wait_for_previous();
    const i64 step = (i64)gridDim.x * blockDim.x;
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < rows * n; i += step) {
        const T* g = x + i / n * 2 * n + i % n;
        y[i] = from_float<T>(activate<ACT>(to_float(g[0])) * to_float(g[n]));
    }
}
)cuda";

struct Gated;

}  // namespace detail

/// op::Gated.
inline Tensor gated(const Tensor& x, Activation act) {
    const auto n = x.size(-1) / 2;
    const auto type = x.scalar_type();
    if (!has_nvrtc() || x.numel() == 0 || !takes_type(type)) {
        return aten::Activate::run(x.narrow(-1, 0, n), act) * x.narrow(-1, n, n);
    }
    auto sizes = x.sizes().vec();
    sizes.back() = n;
    const Tensor y = at::empty(sizes, x.options()), in = x.contiguous();
    static const std::string text = std::string(prelude) + std::string(detail::gated_text);
    const auto& f = function<detail::Gated>(
        x.device().index(), static_cast<std::uint64_t>(type) | static_cast<std::uint64_t>(act) << 8,
        [&] { return KernelSource{"gated", text, {{"ACT", static_cast<std::int64_t>(act)}}, type}; });
    const auto blocks = std::min<std::int64_t>((y.numel() + 255) / 256, 4096);
    launch(f, {{static_cast<unsigned>(blocks), 1, 1}, 256}, x.device(), address(in), address(y),
           static_cast<long long>(y.numel() / n), static_cast<long long>(n));
    return y;
}

}  // namespace silica::device::cuda
