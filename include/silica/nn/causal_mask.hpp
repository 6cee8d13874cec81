#pragma once
/// Who attends to whom in a decoder: no one to what comes later, in some layers only to what is near.

#include "silica/core/tensor.hpp"

#include <optional>

namespace silica::nn {

/// A mask for op::Attention; `causal` says the same without a tensor where every query and key is there from the start.
struct CausalMask {
    std::optional<Tensor> mask;
    bool causal = false;
};

/// `tokens` queries after `before` keys that come before the first of them. `window`: a query attends to itself and the
/// window - 1 tokens before it; absent: to all. `attend` (batch, before + tokens) bool, true = may be attended to;
/// absent: all.
inline CausalMask causal_mask(std::int64_t before, std::int64_t tokens, std::optional<std::int64_t> window,
                              const std::optional<Tensor>& attend, c10::Device device) {
    const bool sees_all = !window || before + tokens <= *window;
    if (before == 0 && sees_all && !attend) return {std::nullopt, true};
    const auto integers = at::TensorOptions().dtype(c10::ScalarType::Long).device(device);
    const Tensor key = at::arange(before + tokens, integers).unsqueeze(0);
    const Tensor query = at::arange(before, before + tokens, integers).unsqueeze(1);
    Tensor mask = key <= query;
    if (!sees_all) mask = mask & (key > query - *window);
    mask = mask.unsqueeze(0).unsqueeze(0);  // (1, 1, tokens, before + tokens)
    if (attend) mask = mask & attend->unsqueeze(1).unsqueeze(1);
    return {mask, false};
}

}  // namespace silica::nn
