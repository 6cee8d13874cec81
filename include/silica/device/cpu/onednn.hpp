#pragma once
/// oneDNN's packed linear, where LibTorch carries it. It is reached through the dispatcher, since LibTorch has no C++
/// function for it, and it is private API: each schema is compared once, and an unknown one means "not there".

#include <optional>
#include <string_view>

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/ScalarType.h>

#include "silica/core/tensor.hpp"

namespace silica::device::onednn {

namespace detail {

/// The op if it is registered with exactly this schema.
inline std::optional<c10::OperatorHandle> find(const char* name, const char* overload, std::string_view schema) {
    const auto found = c10::Dispatcher::singleton().findSchema({name, overload});
    if (!found) return std::nullopt;
    std::ostringstream text;
    text << found->schema();
    if (text.str() != schema) return std::nullopt;
    return found;
}

using Scalars = c10::List<std::optional<at::Scalar>>;
using Reorder = Tensor(const Tensor&, std::optional<std::int64_t>);
using Pointwise = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, std::string_view,
                         Scalars, std::optional<std::string_view>);
using Binary = Tensor(const Tensor&, const Tensor&, const Tensor&, const std::optional<Tensor>&, std::string_view);

struct Ops {
    c10::TypedOperatorHandle<Reorder> reorder;
    c10::TypedOperatorHandle<Pointwise> pointwise;
    c10::TypedOperatorHandle<Binary> binary;
};

inline std::optional<Ops> find_ops() {
    const auto reorder = find("mkldnn::_reorder_linear_weight", "",
                              "mkldnn::_reorder_linear_weight(Tensor self, int? batch_size=None) -> Tensor Y");
    const auto pointwise = find("mkldnn::_linear_pointwise", "",
                                "mkldnn::_linear_pointwise(Tensor X, Tensor W, Tensor? B, str attr, Scalar?[] scalars, "
                                "str? algorithm) -> Tensor Y");
    const auto binary = find("mkldnn::_linear_pointwise", "binary",
                             "mkldnn::_linear_pointwise.binary(Tensor X, Tensor other, Tensor W, Tensor? B, str attr) "
                             "-> Tensor Y");
    if (!reorder || !pointwise || !binary) return std::nullopt;
    return Ops{reorder->typed<Reorder>(), pointwise->typed<Pointwise>(), binary->typed<Binary>()};
}

inline const std::optional<Ops>& ops() {
    static const std::optional<Ops> found = find_ops();
    return found;
}

/// Whether oneDNN packs and multiplies this type on this processor: found out by doing it once.
inline bool works(c10::ScalarType dtype) {
    try {
        const Tensor w = at::ones({2, 2}, at::TensorOptions().dtype(dtype));
        const Tensor packed = ops()->reorder.call(w, std::nullopt);
        return ops()->pointwise.call(w, packed, std::nullopt, "none", Scalars(), std::nullopt).defined() &&
               packed.to_dense().defined();
    } catch (const c10::Error&) {
        return false;
    }
}

}  // namespace detail

/// Whether weights of this type can be packed here.
inline bool packs(c10::ScalarType dtype) {
    if (!detail::ops()) return false;
    static const bool fp32 = detail::works(c10::ScalarType::Float), bf16 = detail::works(c10::ScalarType::BFloat16),
                      fp16 = detail::works(c10::ScalarType::Half);
    switch (dtype) {
        case c10::ScalarType::Float: return fp32;
        case c10::ScalarType::BFloat16: return bf16;
        case c10::ScalarType::Half: return fp16;
        default: return false;
    }
}

/// W (out, in) in oneDNN's blocked layout: opaque, without address or views; `to_dense()` gives W back.
inline Tensor pack(const Tensor& weight, std::optional<std::int64_t> rows = std::nullopt) {
    return detail::ops()->reorder.call(weight, rows);
}

/// act(x W^T + b) for a packed W. `attr` and `algorithm` in oneDNN's words: "none", "relu", "gelu" with "none" or "tanh".
inline Tensor linear(const Tensor& x, const Tensor& packed, const std::optional<Tensor>& bias,
                     std::string_view attr = "none", std::optional<std::string_view> algorithm = std::nullopt) {
    return detail::ops()->pointwise.call(x, packed, bias, attr, detail::Scalars(), algorithm);
}

/// x W^T + b + residual for a packed W.
inline Tensor linear_add(const Tensor& x, const Tensor& packed, const std::optional<Tensor>& bias,
                         const Tensor& residual) {
    return detail::ops()->binary.call(x, residual, packed, bias, "add");
}

}  // namespace silica::device::onednn
