#pragma once
/// y = W * x + b: a kernel moved over the last dimensions of x, which networks call convolution. Dumoulin and Visin
/// 2016, sections 2 (strides, padding) and 5.1 (dilation).

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace silica::op {

/// How a kernel moves over its input: one number for each dimension that it moves in.
struct ConvSteps {
    std::vector<std::int64_t> stride, padding, dilation;
    std::int64_t groups = 1;  ///< output i reads the channels of its own group only

    /// At how many places a kernel of `kernel` values fits into `size` values, those of the padding included.
    [[nodiscard]] std::int64_t places(std::size_t dim, std::int64_t size, std::int64_t kernel) const {
        const std::int64_t left = size + 2 * padding[dim] - dilation[dim] * (kernel - 1) - 1;
        return left < 0 ? 0 : left / stride[dim] + 1;
    }
};

/// Weights in the layout of the checkpoint, and the `Packed` of kernels that keep them as they are.
struct PlainConv {
    Tensor weight;                    ///< (out, in / groups, kernel...)
    std::optional<Tensor> bias = {};  ///< (out)
    ConvSteps steps = {};

    [[nodiscard]] const PlainConv& unpack() const { return *this; }
};

/// x (batch, in, size...), W (out, in / groups, kernel...), b (out) or absent -> y (batch, out, places...), for one,
/// two or three dimensions. Padding is of zeros and the same at both ends; any other is the caller's (nn/pad.hpp).
struct Conv {
    static constexpr std::string_view name = "conv";
    static constexpr bool quantisable = false;
    using signature = Tensor(const Tensor& x, const Prepared& weight);
    using Source = PlainConv;

    /// What is known of packed weights.
    struct Shape : WeightShape {
        ConvSteps steps;
        explicit Shape(const Source& s) : WeightShape{s.weight.sizes().vec(), s.weight.scalar_type()}, steps(s.steps) {}
    };

    static void check(const Source& s);
    static void check(const Tensor& x, const Shape& w) {
        law(fits(x, w), name,
            "x (batch, in, size...) that holds the kernel, and W (out, in / groups, kernel...) of one type", x, w);
    }

    /// Whether the kernel finds a place in x.
    static bool fits(const Tensor& x, const Shape& w) {
        const std::size_t rank = w.sizes.size() - 2;
        if (x.dim() != static_cast<std::int64_t>(rank) + 2 || x.scalar_type() != w.type ||
            x.size(1) != w.size(1) * w.steps.groups)
            return false;
        double numbers = static_cast<double>(x.size(0)) * static_cast<double>(w.size(0));  // of the result
        for (std::size_t i = 0; i < rank; ++i) {
            const std::int64_t size = x.size(static_cast<std::int64_t>(i) + 2);
            const std::int64_t places = size < 1 ? 0 : w.steps.places(i, size, w.size(i + 2));
            if (places < 1) return false;
            numbers *= static_cast<double>(places);
        }
        return numbers < most_numbers;
    }
};
static_assert(OpTag<Conv>);

}  // namespace silica::op

BOOST_HANA_ADAPT_STRUCT(silica::op::PlainConv, weight, bias);

#ifndef SILICA_COMPILED
#include "silica/op/conv.ipp"
#endif
