#pragma once
/// The weights of Conv on the CPU, and what its kernel and its fused forms share: where windows tile x side by side
/// (the patches of a vision transformer), our own product on rows of patches, else oneDNN, channels last.

#include "silica/device/aten/conv.hpp"
#include "silica/device/cpu/onednn_conv.hpp"
#include "silica/device/cpu/packed_linear.hpp"

#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace silica::device::cpu {

struct PackedConv {
    std::vector<std::int64_t> sizes;          ///< of the weight
    op::ConvSteps steps;                      ///< as they were given
    std::optional<PackedLinear> matrix = {};  ///< (out, in * kernel...), where windows tile x
    op::PlainConv conv = {};                  ///< elsewhere: channels last, a kernel of one dimension as one of two
    bool fuses = false;                       ///< whether relu and a residual are oneDNN's

    static PackedConv pack(op::PlainConv s) {
        PackedConv packed{s.weight.sizes().vec(), s.steps};
        if (tiles(s)) {
            packed.matrix = PackedLinear::pack({s.weight.flatten(1), std::move(s.bias)});
            return packed;
        }
        s = aten::as_image(std::move(s));
        packed.fuses = s.weight.dim() == 4 && s.steps.groups == 1 && has_onednn_conv(s.weight.scalar_type());
        // By way of plain strides: with others of a dimension of one value LibTorch computes groups wrongly.
        s.weight = s.weight.contiguous().contiguous(layout(s.weight));
        packed.conv = std::move(s);
        return packed;
    }

    [[nodiscard]] op::PlainConv unpack() const {
        if (!matrix) return {conv.weight.reshape(sizes), conv.bias, steps};
        auto [weight, bias] = matrix->unpack();
        return {weight.view(sizes), std::move(bias), steps};
    }

    /// act(W * x + b + residual); without a residual where there is none.
    [[nodiscard]] Tensor operator()(const Tensor& x, Activation act = Activation::linear,
                                    const Tensor* residual = nullptr) const {
        if (matrix) {
            const Tensor rows = patches(x);
            // The activation comes after the residual, which the product adds last.
            const bool fused = residual == nullptr || act == Activation::linear;
            const Tensor r = residual == nullptr ? Tensor() : residual->movedim(1, -1);
            Tensor y = fused ? matrix->product(rows, {.act = act, .residual = r.defined() ? &r : nullptr}) : Tensor();
            if (!y.defined()) {
                y = (*matrix)(rows);
                y = aten::activated(r.defined() ? y.add_(r) : y, act);
            }
            return y.movedim(-1, 1);
        }
        if (far_padding()) {
            op::PlainConv bare = unpack();
            std::vector<std::int64_t> around;  // of the last dimension first
            for (auto n = bare.steps.padding.rbegin(); n != bare.steps.padding.rend(); ++n) {
                around.insert(around.end(), {*n, *n});
                *n = 0;
            }
            return pack(std::move(bare))(at::constant_pad_nd(x, around), act, residual);
        }
        if (x.scalar_type() == c10::ScalarType::BFloat16 && x.dim() == 5) {
            // By AMX, oneDNN (as of LibTorch 2.13) sums wrongly over some windows of three dimensions.
            op::PlainConv wide = unpack();
            wide.weight = wide.weight.to(at::kFloat);
            if (wide.bias) wide.bias = wide.bias->to(at::kFloat);
            const Tensor r = residual == nullptr ? Tensor() : residual->to(at::kFloat);
            return pack(std::move(wide))(x.to(at::kFloat), act, r.defined() ? &r : nullptr).to(x.scalar_type());
        }
        if (const std::int64_t dim = tall(x); dim != 0) {
            op::PlainConv turned = unpack();
            turned.weight = turned.weight.transpose(dim, -1);
            for (auto* each : {&turned.steps.stride, &turned.steps.padding, &turned.steps.dilation})
                std::swap(each->back(), each->at(static_cast<std::size_t>(dim) - 2));
            const Tensor r = residual == nullptr ? Tensor() : residual->transpose(dim, -1);
            return pack(std::move(turned))(x.transpose(dim, -1), act, r.defined() ? &r : nullptr).transpose(dim, -1);
        }
        const auto image = [&](const Tensor& t) {
            const Tensor in = sizes.size() == 3 ? t.unsqueeze(2) : t;
            return in.contiguous(layout(in));
        };
        const auto as_x = [&](const Tensor& y) { return sizes.size() == 3 ? y.squeeze(2) : y; };
        // Of bfloat16, LibTorch has no relu after a sum where oneDNN does not serve.
        const bool relu = act == Activation::relu && (residual == nullptr || x.scalar_type() == at::kFloat);
        const Tensor r = !fuses || residual == nullptr ? Tensor() : image(*residual);
        // Before LibTorch 2.13, oneDNN's sum refuses a residual of one channel or of one pixel.
        const bool summed = r.defined() && r.size(1) > 1 && r.size(2) * r.size(3) > 1;
        if (fuses && (residual == nullptr ? relu : summed)) {
            const Tensor y = as_x(onednn_conv(image(x), conv, relu, r.defined() ? &r : nullptr));
            return relu ? y : aten::activated(y, act);
        }
        Tensor y = as_x(aten::Conv::run(image(x), conv));
        return aten::activated(residual == nullptr ? y : y.add_(*residual), act);
    }

private:
    /// oneDNN is up to twenty times as fast on images with their channels last in bfloat16, and not slower in float32;
    /// what it returns has them last too, so a network turns its input once.
    static at::MemoryFormat layout(const Tensor& image) {
        return image.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    }

    /// Whether each value of x is in one window at most, windows side by side, of float32: in bfloat16 oneDNN is the
    /// quicker. Not kernels of one value, which oneDNN computes as a product itself.
    static bool tiles(const op::PlainConv& s) {
        const auto kernel = s.weight.sizes().slice(2);
        const auto is = [](std::int64_t n) { return [n](std::int64_t m) { return m == n; }; };
        return s.weight.scalar_type() == at::kFloat && s.steps.groups == 1 &&
               kernel == c10::IntArrayRef(s.steps.stride) && !std::ranges::all_of(kernel, is(1)) &&
               std::ranges::all_of(s.steps.padding, is(0)) && std::ranges::all_of(s.steps.dilation, is(1));
    }

    /// Whether the kernel has places in padding alone: there oneDNN (as of LibTorch 2.13) may read beyond its memory.
    [[nodiscard]] bool far_padding() const {
        for (std::size_t i = 0; i < steps.padding.size(); ++i)
            if (steps.padding[i] > steps.dilation[i] * (sizes[i + 2] - 1)) return true;
        return false;
    }

    /// By AMX, oneDNN (as of LibTorch 2.13) sums wrongly in bfloat16 where y is one place wide and several high: the
    /// dimension of x that changes places with the last one then; else 0.
    [[nodiscard]] std::int64_t tall(const Tensor& x) const {
        const std::size_t last = sizes.size() - 3;
        const auto places = [&](std::size_t i) {
            return steps.places(i, x.size(static_cast<std::int64_t>(i) + 2), sizes[i + 2]);
        };
        if (x.scalar_type() != c10::ScalarType::BFloat16 || places(last) != 1) return 0;
        for (std::size_t i = 0; i < last; ++i)
            if (places(i) > 1) return static_cast<std::int64_t>(i) + 2;
        return 0;
    }

    /// x (batch, in, size...) -> (batch, places..., in * kernel...).
    [[nodiscard]] Tensor patches(Tensor x) const {
        std::vector<std::int64_t> split{x.size(0), x.size(1)}, order{0}, rows{x.size(0)};
        for (std::size_t i = 2; i < sizes.size(); ++i) {
            const auto dim = static_cast<std::int64_t>(i), places = x.size(dim) / sizes[i];
            x = x.narrow(dim, 0, places * sizes[i]);
            split.insert(split.end(), {places, sizes[i]});
            order.push_back(2 * dim - 2);
            rows.push_back(places);
        }
        order.push_back(1);
        for (std::size_t i = 2; i < sizes.size(); ++i) order.push_back(2 * static_cast<std::int64_t>(i) - 1);
        rows.push_back(c10::multiply_integers(sizes) / sizes[0]);
        return x.view(split).permute(order).reshape(rows);
    }
};

}  // namespace silica::device::cpu
