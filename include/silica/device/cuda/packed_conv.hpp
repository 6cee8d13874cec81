#pragma once
/// The weights of Conv on CUDA, and what its kernel and its fused forms share: cuDNN, and products where it has no
/// kernel worth the name. Images of half precision have their channels last, as tensor cores read them; what comes out
/// has them last too, so a network turns its input once. A kernel of one dimension is one of two.

#include "silica/device/aten/conv.hpp"
#include "silica/device/cuda/grouped_conv.hpp"

#include <ATen/Context.h>
#include <ATen/ops/_convolution.h>
#include <ATen/ops/cudnn_convolution_add_relu.h>
#include <ATen/ops/cudnn_convolution_relu.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace silica::device::cuda {

struct PackedConv {
    std::vector<std::int64_t> sizes;          ///< of the weight
    op::ConvSteps steps;                      ///< as they were given
    std::optional<GroupedConv> grouped = {};  ///< where a product for each group serves
    op::PlainConv conv = {};                  ///< elsewhere: laid out as cuDNN reads it

    static PackedConv pack(op::PlainConv s) {
        PackedConv packed{s.weight.sizes().vec(), s.steps};
        if (GroupedConv::serves(s)) {
            packed.grouped = GroupedConv::pack(std::move(s));
            return packed;
        }
        packed.conv = halves(s.weight) ? aten::as_image(std::move(s)) : std::move(s);
        packed.conv.weight = packed.conv.weight.contiguous(layout(packed.conv.weight));
        return packed;
    }

    [[nodiscard]] op::PlainConv unpack() const {
        if (grouped) return {grouped->weight(), grouped->bias, steps};
        return {conv.weight.reshape(sizes), conv.bias, steps};
    }

    /// act(W * x + b + residual); without a residual where there is none. Without TF32, which LibTorch has cuDNN use
    /// for float32 unless it is told otherwise: eleven bits of 24.
    [[nodiscard]] Tensor operator()(const Tensor& x, Activation act = Activation::linear,
                                    const Tensor* residual = nullptr) const {
        if (grouped) return finished((*grouped)(x, steps), act, residual);
        const bool line = x.dim() < conv.weight.dim();
        const auto image = [&](const Tensor& t) {
            const Tensor in = line ? t.unsqueeze(2) : t;
            return in.contiguous(layout(in));
        };
        const auto as_x = [&](const Tensor& y) { return line ? y.squeeze(2) : y; };
        const auto& s = conv.steps;
        const auto& set = at::globalContext();
        const Tensor in = image(x);
        if (layout(in) == at::MemoryFormat::ChannelsLast && act == Activation::relu && set.userEnabledCuDNN() &&
            at::Context::hasCuDNN()) {
            if (residual == nullptr)
                return as_x(
                    at::cudnn_convolution_relu(in, conv.weight, conv.bias, s.stride, s.padding, s.dilation, s.groups));
            return as_x(at::cudnn_convolution_add_relu(in, conv.weight, image(*residual), 1, conv.bias, s.stride,
                                                       s.padding, s.dilation, s.groups));
        }
        const Tensor y =
            at::_convolution(in, conv.weight, conv.bias, s.stride, s.padding, s.dilation, false,
                             aten::no_output_padding(s), s.groups, set.benchmarkCuDNN(),
                             set.deterministicCuDNN() || set.deterministicAlgorithms(), set.userEnabledCuDNN(), false);
        return finished(as_x(y), act, residual);
    }

private:
    static bool halves(const Tensor& t) { return t.scalar_type() == at::kHalf || t.scalar_type() == at::kBFloat16; }

    /// The layout of an image, or of the kernel for it.
    static at::MemoryFormat layout(const Tensor& image) {
        return halves(image) && image.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    }

    static Tensor finished(Tensor y, Activation act, const Tensor* residual) {
        return aten::activated(residual == nullptr ? std::move(y) : y.add_(*residual), act);
    }
};

}  // namespace silica::device::cuda
