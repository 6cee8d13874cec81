#pragma once
/// oneDNN's packed linear, where LibTorch carries it (Linux on x86-64).
///
/// LibTorch has no public C++ function for it. Its kernels are exported all the same and are declared here weakly, with
/// their types in their mangled names: a LibTorch without them, or with others, leaves null and the plain kernel is
/// used. (The dispatcher reaches them too, but its headers cost every user a second of compile time.)

#include "silica/core/tensor.hpp"

#include <ATen/core/List.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <optional>
#include <string_view>

#if defined(__linux__) && defined(__x86_64__)
#include <cpuid.h>

namespace at::native {

[[gnu::weak]] Tensor mkldnn_linear_pointwise(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                                             std::string_view attr, c10::List<std::optional<Scalar>> scalars,
                                             std::optional<std::string_view> algorithm);
[[gnu::weak]] Tensor mkldnn_linear_pointwise_binary(const Tensor& x, const Tensor& other, const Tensor& weight,
                                                    const std::optional<Tensor>& bias, std::string_view attr);

}  // namespace at::native

/// LibTorch's stable C interface to every registered op (torch/csrc/inductor/aoti_torch/c/shim.h).
extern "C" [[gnu::weak]] std::int32_t aoti_torch_call_dispatcher(const char* name, const char* overload,
                                                                 std::uint64_t* stack);
#endif

namespace silica::device::onednn {

#if defined(__linux__) && defined(__x86_64__)

/// W (out, in) in oneDNN's blocked layout: opaque, without address or views; `to_dense()` gives W back.
inline Tensor pack(const Tensor& weight) {
    // The interface takes tensors as owning pointers, and an absent `batch_size` as 0.
    std::uint64_t stack[2] = {reinterpret_cast<std::uint64_t>(new Tensor(weight)), 0};
    if (aoti_torch_call_dispatcher("mkldnn::_reorder_linear_weight", "", stack) != 0) {
        TORCH_CHECK(false, "mkldnn::_reorder_linear_weight failed");
    }
    const auto* result = reinterpret_cast<Tensor*>(stack[0]);
    Tensor packed = *result;
    delete result;
    return packed;
}

/// act(x W^T + b) for a packed W. `attr` and `algorithm` in oneDNN's words: "none", "relu", "gelu" with "none" or
/// "tanh".
inline Tensor linear(const Tensor& x, const Tensor& packed, const std::optional<Tensor>& bias,
                     std::string_view attr = "none", std::optional<std::string_view> algorithm = std::nullopt) {
    return at::native::mkldnn_linear_pointwise(x, packed, bias, attr, c10::List<std::optional<at::Scalar>>(),
                                               algorithm);
}

/// x W^T + b + residual for a packed W.
inline Tensor linear_add(const Tensor& x, const Tensor& packed, const std::optional<Tensor>& bias,
                         const Tensor& residual) {
    return at::native::mkldnn_linear_pointwise_binary(x, residual, packed, bias, "add");
}

namespace detail {

/// Leaf 7 of cpuid, bit 23 of edx: without it packing float16 fails with a message on stderr.
inline bool has_avx512_fp16() {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx >> 23U & 1U) != 0;
}

/// Whether this LibTorch and processor pack and multiply this type: found out by doing it once.
inline bool works(c10::ScalarType dtype) {
    if (&at::native::mkldnn_linear_pointwise == nullptr || &at::native::mkldnn_linear_pointwise_binary == nullptr ||
        &aoti_torch_call_dispatcher == nullptr) {
        return false;
    }
    try {
        const Tensor w = at::ones({2, 2}, at::TensorOptions().dtype(dtype));
        const Tensor packed = pack(w);
        return onednn::linear(w, packed, std::nullopt).defined() && packed.to_dense().defined();
    } catch (const c10::Error&) {
        return false;
    }
}

}  // namespace detail

/// Whether weights of this type can be packed here.
inline bool packs(c10::ScalarType dtype) {
    static const bool fp32 = detail::works(c10::ScalarType::Float), bf16 = detail::works(c10::ScalarType::BFloat16),
                      fp16 = detail::has_avx512_fp16() && detail::works(c10::ScalarType::Half);
    switch (dtype) {
        case c10::ScalarType::Float:
            return fp32;
        case c10::ScalarType::BFloat16:
            return bf16;
        case c10::ScalarType::Half:
            return fp16;
        default:
            return false;
    }
}

#else

inline bool packs(c10::ScalarType) { return false; }
inline Tensor pack(const Tensor& weight) { return weight; }
inline Tensor linear(const Tensor& x, const Tensor&, const std::optional<Tensor>&, std::string_view = {},
                     std::optional<std::string_view> = {}) {
    return x;
}
inline Tensor linear_add(const Tensor& x, const Tensor&, const std::optional<Tensor>&, const Tensor&) { return x; }

#endif

}  // namespace silica::device::onednn
