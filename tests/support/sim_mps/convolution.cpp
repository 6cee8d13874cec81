#if defined(__linux__)
#include <ATen/core/Tensor.h>
#include <ATen/native/ConvUtils.h>
#include <ATen/ops/_mps_convolution.h>
#include <ATen/ops/_mps_convolution_transpose.h>
#include <ATen/ops/convolution.h>

#include "support/sim_mps/host_view.hpp"
#include "support/sim_mps/kernels.hpp"
#include "support/sim_mps/state.hpp"
#include "support/sim_mps/version.hpp"

namespace silica::test::sim_mps::detail {
namespace {

using OptionalTensor = std::optional<at::Tensor>;

bool defined(const OptionalTensor& tensor) { return tensor.has_value() && tensor->defined(); }

/// Convolution.mm: before macOS 15.1 no dimension of the output (of the input, when transposed) may be above 65536.
/// After 2.14 one- and three-dimensional convolutions are Metal kernels without the limit.
void check_size(at::IntArrayRef sizes) {
    if (macos_at_least(15, 1)) return;
#if SIM_MPS_TORCH_AT_LEAST(15)
    if (sizes.size() != 4 || sizes[2] == 1) return;
#endif
    for (const auto size : sizes) {
        TORCH_CHECK_NOT_IMPLEMENTED(size <= (1 << 16), "Output channels > 65536 not supported at the MPS device. ");
    }
}

void check_float(const at::Tensor& input) {
    TORCH_CHECK(at::isFloatingType(input.scalar_type()), "Convolution is supported only for Floating types");
}

at::Tensor mps_convolution(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias,
                           c10::SymIntArrayRef padding, c10::SymIntArrayRef stride, c10::SymIntArrayRef dilation,
                           c10::SymInt groups) {
    const OnDevice device("aten::_mps_convolution");
    check_float(input);
    check_size(at::native::conv_output_size(input.sizes(), weight.sizes(), C10_AS_INTARRAYREF_SLOW(padding),
                                            C10_AS_INTARRAYREF_SLOW(stride), C10_AS_INTARRAYREF_SLOW(dilation)));
    HostView view;
    const std::vector<c10::SymInt> no_output_padding(padding.size(), 0);
    return view.to_device(at::convolution_symint(view.to_host(input), view.to_host(weight), view.to_host(bias), stride,
                                                 padding, dilation, false, no_output_padding, groups));
}

at::Tensor mps_convolution_transpose(const at::Tensor& input, const at::Tensor& weight, c10::SymIntArrayRef padding,
                                     c10::SymIntArrayRef output_padding, c10::SymIntArrayRef stride,
                                     c10::SymIntArrayRef dilation, c10::SymInt groups) {
    const OnDevice device("aten::_mps_convolution_transpose");
    check_float(input);
    check_size(input.sizes());
    HostView view;
    return view.to_device(at::convolution_symint(view.to_host(input), view.to_host(weight), {}, stride, padding,
                                                 dilation, true, output_padding, groups));
}

/// Convolution.cpp: what an Apple build checks before it calls the kernel.
void check_types(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias) {
    TORCH_CHECK(input.is_mps() || !weight.is_mps(), "slow_conv2d_forward_mps: input(device='", input.device(),
                "') and weight(device=", weight.device(), "')  must be on the same device");
    TORCH_CHECK(input.options().type_equal(weight.options()), "Input type (", input.toString(), ") and weight type (",
                weight.toString(), ") should be the same");
    TORCH_CHECK(!defined(bias) || input.options().type_equal(bias->options()), "Input type (", input.toString(),
                ") and bias type (", bias->toString(), ") should be the same");
}

/// One value per spatial dimension; a one-dimensional convolution runs as two-dimensional with height 1.
std::vector<c10::SymInt> per_dimension(c10::SymIntArrayRef values, int64_t dimensions, int64_t for_height) {
    std::vector<c10::SymInt> all(values.begin(), values.end());
    if (all.size() == 1) all.resize(static_cast<std::size_t>(dimensions), values[0]);
    if (dimensions == 1) all.insert(all.begin(), for_height);
    return all;
}

at::Tensor convolution(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias,
                       c10::SymIntArrayRef stride, c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation,
                       bool transposed, c10::SymIntArrayRef output_padding, c10::SymInt groups) {
    check_fault("aten::convolution");
    check_types(input, weight, bias);
    const int64_t dimensions = weight.dim() - 2;
    const bool flat = dimensions == 1;
    const auto with_height = [&](const at::Tensor& t) { return flat ? t.unsqueeze(2) : t; };
    const auto strides = per_dimension(stride, dimensions, 1), paddings = per_dimension(padding, dimensions, 0);
    const auto dilations = per_dimension(dilation, dimensions, 1);
    const at::Tensor x = with_height(input), w = with_height(weight);
    at::Tensor y;
    if (transposed) {
        y = at::_mps_convolution_transpose_symint(
            x.contiguous(), w, paddings, per_dimension(output_padding, dimensions, 0), strides, dilations, groups);
        if (defined(bias)) {
            std::vector<int64_t> shape(static_cast<std::size_t>(y.dim()), 1);
            shape[1] = bias->size(0);
            y.add_(bias->view(shape));
        }
    } else {
        y = at::_mps_convolution_symint(x, w, bias, paddings, strides, dilations, groups);
    }
    return flat ? y.squeeze(2) : y;
}

}  // namespace

std::set<std::string> add_convolutions(torch::Library& aten) {
    aten.impl("convolution", &convolution);
    aten.impl("_mps_convolution", &mps_convolution);
    aten.impl("_mps_convolution_transpose", &mps_convolution_transpose);
    return {"convolution", "_mps_convolution", "_mps_convolution_transpose"};
}

}  // namespace silica::test::sim_mps::detail
#endif
