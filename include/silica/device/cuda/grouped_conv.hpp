#pragma once
/// A convolution of one dimension in groups, in half precision: a product for each group. cuDNN has only a slow kernel
/// for these (the positions of Wav2Vec2 for 10 s of sound on an H200: 12.2 ms, as products 0.15).

#include "silica/op/conv.hpp"

#include <ATen/ops/bmm.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace silica::device::cuda {

struct GroupedConv {
    Tensor bands;                ///< (groups, kernel * in / groups, out / groups): W of each group, place by place
    std::int64_t kernel;         ///< places
    std::optional<Tensor> bias;  ///< (out)

    /// Channels of a group that fill a tensor core's row, at neighbouring places.
    static bool serves(const op::PlainConv& s) {
        const auto type = s.weight.scalar_type();
        return (type == at::kHalf || type == at::kBFloat16) && s.weight.dim() == 3 && s.steps.groups > 1 &&
               s.weight.size(1) % 8 == 0 && s.weight.size(0) / s.steps.groups % 8 == 0 && s.steps.dilation[0] == 1;
    }

    static GroupedConv pack(op::PlainConv s) {
        const std::int64_t groups = s.steps.groups, kernel = s.weight.size(2);
        const Tensor w = s.weight.reshape({groups, s.weight.size(0) / groups, s.weight.size(1), kernel});
        return {w.permute({0, 3, 2, 1}).flatten(1, 2).contiguous(), kernel, std::move(s.bias)};
    }

    /// (out, in / groups, kernel).
    [[nodiscard]] Tensor weight() const {
        return bands.unflatten(1, {kernel, -1}).permute({0, 3, 2, 1}).flatten(0, 1).contiguous();
    }

    /// W * x + b. x (batch, in, size) -> (batch, out, places), its channels last.
    [[nodiscard]] Tensor operator()(const Tensor& x, const op::ConvSteps& steps) const {
        const std::int64_t batch = x.size(0), groups = bands.size(0), depth = bands.size(1), outs = bands.size(2),
                           channels = depth / kernel, size = x.size(2), padding = steps.padding[0],
                           stride = steps.stride[0], length = size + 2 * padding,
                           places = steps.places(0, size, kernel);
        const Tensor padded = at::zeros({batch, groups, length, channels}, x.options());
        padded.narrow(2, padding, size).copy_(x.unflatten(1, {groups, channels}).transpose(2, 3));
        Tensor y = at::empty({batch, places, groups, outs}, x.options());
        // What a place sees lies side by side in `padded`; the product makes a copy of it, of so many places at once.
        const std::int64_t at_once = std::max<std::int64_t>(1, most / (groups * depth));
        for (std::int64_t row = 0; row < batch; ++row) {
            const Tensor in = padded.select(0, row), out = y.select(0, row).transpose(0, 1);
            for (std::int64_t begin = 0; begin < places; begin += at_once) {
                const std::int64_t n = std::min(at_once, places - begin);
                const Tensor seen = in.as_strided({groups, n, depth}, {length * channels, stride * channels, 1},
                                                  in.storage_offset() + begin * stride * channels);
                out.narrow(1, begin, n).copy_(at::bmm(seen, bands));
            }
        }
        y = y.flatten(2).transpose(1, 2);
        return bias ? y.add_(bias->unsqueeze(1)) : y;
    }

private:
    static constexpr std::int64_t most = std::int64_t{1} << 26;  ///< values of the copy: 128 MB
};

}  // namespace silica::device::cuda
