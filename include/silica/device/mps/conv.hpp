#pragma once
/// Convolutions on MPS, where LibTorch's are right.

#include "silica/device/aten/conv.hpp"
#include "silica/device/mps.hpp"
#include "silica/device/mps/faults.hpp"

#include <algorithm>
#include <vector>

namespace silica {

template <>
struct Kernel<op::Conv, device::Mps> {
    using Packed = op::PlainConv;

    /// A strided weight is read as if it were contiguous before LibTorch 2.14 (pytorch#192212).
    static Packed pack(op::Conv::Source s) {
        s.weight = s.weight.contiguous();
        if (s.bias) s.bias = s.bias->contiguous();
        return s;
    }

    /// Not: kernels of three dimensions (wrong for most numbers of channels, pytorch#197114); a kernel side of 256 or
    /// more before LibTorch 2.14 (pytorch#188359); a side of x or y above 65,536 before macOS 15.1, but for kernels of
    /// one dimension after LibTorch 2.14 (pytorch#129207, #152278); tensors that one NDArray or an int32 index cannot
    /// hold.
    static bool accepts(const Tensor& x, const Packed& w) {
        namespace mps = device::mps;
        const auto kernel = w.weight.sizes().slice(2, w.steps.stride.size());
        if (kernel.size() > 2 && mps::has(mps::Fault::conv_3d, true)) return false;
        const auto at_least = [](std::int64_t least) { return [least](std::int64_t n) { return n >= least; }; };
        if (std::ranges::any_of(kernel, at_least(256)) &&
            mps::has(mps::Fault::conv_large_kernel, mps::libtorch_before(2, 14)))
            return false;
        std::vector<std::int64_t> y{x.size(0), w.weight.size(0)};
        for (std::size_t i = 0; i < kernel.size(); ++i)
            y.push_back(w.steps.places(i, x.size(static_cast<std::int64_t>(i) + 2), kernel[i]));
        const bool limited = mps::has(mps::Fault::conv_long,
                                      (kernel.size() == 2 || mps::libtorch_before(2, 15)) && mps::macos_before(15, 1));
        for (const c10::IntArrayRef sizes : {x.sizes(), c10::IntArrayRef(y)}) {
            if (limited && std::ranges::any_of(sizes, at_least(65'537))) return false;
            const auto bytes = c10::multiply_integers(sizes) * static_cast<std::int64_t>(x.element_size());
            if (bytes >= std::int64_t{1} << 32) return false;
        }
        return true;
    }

    /// x contiguous: a slice of a channels-last image is read as if it were whole (pytorch#180984).
    static Tensor run(const Tensor& x, const Packed& w) { return device::aten::Conv::run(x.contiguous(), w); }
};

}  // namespace silica
