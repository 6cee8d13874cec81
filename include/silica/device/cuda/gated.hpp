#pragma once
/// act(g) * u on CUDA, in one pass.

#include "silica/device/aten/activate.hpp"
#include "silica/device/cuda.hpp"
#include "silica/device/cuda/nvrtc.hpp"
#include "silica/device/cuda/source.hpp"
#include "silica/op/gated.hpp"

namespace silica {
namespace device::cuda::detail {

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

}  // namespace device::cuda::detail

template <>
struct Kernel<op::Gated, device::Cuda> {
    static Tensor run(const Tensor& x, Activation act) {
        namespace cuda = device::cuda;
        const auto n = x.size(-1) / 2;
        const auto type = x.scalar_type();
        if (!cuda::has_nvrtc() || x.numel() == 0 || !cuda::takes_type(type)) {
            return device::aten::Activate::run(x.narrow(-1, 0, n), act) * x.narrow(-1, n, n);
        }
        auto sizes = x.sizes().vec();
        sizes.back() = n;
        const Tensor y = at::empty(sizes, x.options()), in = x.contiguous();
        static const std::string text = std::string(cuda::prelude) + std::string(cuda::detail::gated_text);
        const auto& f = cuda::function<cuda::detail::Gated>(
            x.device().index(), static_cast<std::uint64_t>(type) | static_cast<std::uint64_t>(act) << 8, [&] {
                return cuda::KernelSource{"gated", text, {{"ACT", static_cast<std::int64_t>(act)}}, type};
            });
        const auto blocks = std::min<std::int64_t>((y.numel() + 255) / 256, 4096);
        cuda::launch(f, {{static_cast<unsigned>(blocks), 1, 1}, 256}, x.device(), cuda::address(in), cuda::address(y),
                     static_cast<long long>(y.numel() / n), static_cast<long long>(n));
        return y;
    }
};

}  // namespace silica
