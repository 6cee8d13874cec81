#if defined(__linux__)
#include <limits>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_scaled_dot_product_attention_math.h>
#include <ATen/ops/_scaled_dot_product_attention_math_for_mps.h>
#include <ATen/ops/zeros_like.h>

#include "silica/device/mps/bundled.hpp"
#include "support/sim_mps/boxed.hpp"
#include "support/sim_mps/host_view.hpp"
#include "support/sim_mps/kernels.hpp"
#include "support/sim_mps/state.hpp"
#include "support/sim_mps/version.hpp"

namespace silica::test::sim_mps::detail {
namespace {

using OptionalTensor = std::optional<at::Tensor>;

/// attention.cpp, convert_boolean_attn_mask: what is not to be attended to becomes -inf.
OptionalTensor additive(const OptionalTensor& mask, at::ScalarType dtype) {
    if (!mask || mask->scalar_type() != at::kBool) return mask;
    return at::zeros_like(*mask, mask->options().dtype(dtype))
        .masked_fill_(mask->logical_not(), -std::numeric_limits<double>::infinity());
}

/// What a Mac would compute this by.
void count_path(const at::Tensor& query, const at::Tensor& value) {
    using device::mps::AttentionPath;
    const auto size = query.size(-1);
    const auto path = device::mps::attention_path(query.size(-2), size, value.size(-1));
    const std::string kernel = path == AttentionPath::few ? "few " : path == AttentionPath::many ? "many " : "graph ";
    const std::lock_guard lock(state().mutex);
    ++state().counters.attention[kernel + std::to_string(size)];
}

std::tuple<at::Tensor, at::Tensor> attention_for_mps(const at::Tensor& query, const at::Tensor& key,
                                                     const at::Tensor& value, const OptionalTensor& mask,
                                                     double dropout, bool is_causal, const OptionalTensor& dropout_mask,
                                                     std::optional<double> scale, bool enable_gqa) {
    const OnDevice device("aten::_scaled_dot_product_attention_math_for_mps");
    TORCH_CHECK(!is_causal || !mask.has_value(),
                "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True");
    check_same_device({query, key, value, mask.value_or(at::Tensor())});
    for (const auto& t : {query, key, value}) check_kernel_dtype(t.scalar_type());
    count_path(query, value);
    HostView view;
    const auto [output, weights] = at::_scaled_dot_product_attention_math(
        view.to_host(query), view.to_host(key), view.to_host(value), additive(view.to_host(mask), query.scalar_type()),
        dropout, is_causal, view.to_host(dropout_mask), scale, enable_gqa);
    return {view.to_device(output), view.to_device(weights)};
}

/// attention.cpp, validate_sdpa_input.
void check_inputs(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const OptionalTensor& mask) {
    TORCH_CHECK(query.dtype() == key.dtype() && query.dtype() == value.dtype(),
                "Expected query, key, and value to have the same dtype, but got query.dtype: ", query.dtype(),
                " key.dtype: ", key.dtype(), " and value.dtype: ", value.dtype(), " instead.");
    TORCH_CHECK(query.device() == key.device() && query.device() == value.device(),
                "Expected query, key, and value to have the same device type, but got query.device: ", query.device(),
                " key.device: ", key.device(), " and value.device: ", value.device(), " instead.");
    TORCH_CHECK(query.dim() >= 2 && key.dim() >= 2 && value.dim() >= 2,
                "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: ", query.dim(),
                " key.dim: ", key.dim(), " and value.dim: ", value.dim(), " instead.");
    if (!mask) return;
    TORCH_CHECK(mask->dtype() == at::kBool || mask->dtype() == at::kFloat || mask->dtype() == query.dtype(),
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: ",
                mask->dtype(), " and  query.dtype: ", query.dtype(), " instead.");
}

/// Before 2.13 the kernel took no groups: key and value heads were repeated for it.
#if SIM_MPS_TORCH_AT_LEAST(13)
at::Tensor call_kernel(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                       const OptionalTensor& mask, bool is_causal, std::optional<double> scale, bool enable_gqa) {
    return std::get<0>(at::_scaled_dot_product_attention_math_for_mps(query, key, value, mask, 0.0, is_causal,
                                                                      std::nullopt, scale, enable_gqa));
}
#else
at::Tensor call_kernel(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                       const OptionalTensor& mask, bool is_causal, std::optional<double> scale, bool enable_gqa) {
    const int64_t groups = enable_gqa ? query.size(-3) / key.size(-3) : 1;
    const auto repeat = [&](const at::Tensor& t) { return groups > 1 ? t.repeat_interleave(groups, -3) : t; };
    return std::get<0>(at::_scaled_dot_product_attention_math_for_mps(query, repeat(key), repeat(value), mask, 0.0,
                                                                      is_causal, std::nullopt, scale));
}

std::tuple<at::Tensor, at::Tensor> attention_without_groups(const at::Tensor& query, const at::Tensor& key,
                                                            const at::Tensor& value, const OptionalTensor& mask,
                                                            double dropout, bool is_causal,
                                                            const OptionalTensor& dropout_mask,
                                                            std::optional<double> scale) {
    return attention_for_mps(query, key, value, mask, dropout, is_causal, dropout_mask, scale, false);
}
#endif

/// attention.cpp: which inputs an Apple build gives to the MPS kernel, and which to the composite path.
at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     const OptionalTensor& mask, double dropout, bool is_causal, std::optional<double> scale,
                     bool enable_gqa) {
    check_fault("aten::scaled_dot_product_attention");
    check_inputs(query, key, value, mask);
    const bool wants_gradient =
        at::GradMode::is_enabled() && (query.requires_grad() || key.requires_grad() || value.requires_grad());
    const bool contiguous = query.is_contiguous() && key.is_contiguous() && value.is_contiguous();
    if (dropout == 0.0 && !wants_gradient && (contiguous || macos_at_least(15, 0))) {
        return call_kernel(query, key, value, mask, is_causal, scale, enable_gqa);
    }
    return std::get<0>(at::_scaled_dot_product_attention_math(query, key, value, additive(mask, query.scalar_type()),
                                                              dropout, is_causal, std::nullopt, scale, enable_gqa));
}

}  // namespace

std::set<std::string> add_attention(torch::Library& aten, torch::Library& autograd) {
    aten.impl("scaled_dot_product_attention", &attention);
    autograd.impl("scaled_dot_product_attention", &attention);
#if SIM_MPS_TORCH_AT_LEAST(13)
    aten.impl("_scaled_dot_product_attention_math_for_mps", &attention_for_mps);
#else
    aten.impl("_scaled_dot_product_attention_math_for_mps", &attention_without_groups);
#endif
    return {"scaled_dot_product_attention", "_scaled_dot_product_attention_math_for_mps"};
}

}  // namespace silica::test::sim_mps::detail
#endif
