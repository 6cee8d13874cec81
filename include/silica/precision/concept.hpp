#pragma once
/// What a precision policy states, and how a device says that it cannot run one. Smallest example: precision/fp32.hpp.

#include <c10/core/ScalarType.h>

#include <concepts>
#include <string_view>

namespace silica {

/// A precision: in what products are computed, and so what a kernel's `pack` is given (`compute`); what kernels keep of
/// the weights of products (`storage`); in what sums and norms are reduced. A quantised one says in which precision
/// the rest is: embeddings, norms, convolutions (`plain`; of the others, itself).
template <class P>
concept PrecisionPolicy = requires {
    { P::name } -> std::convertible_to<std::string_view>;
    { P::storage } -> std::convertible_to<c10::ScalarType>;
    { P::compute } -> std::convertible_to<c10::ScalarType>;
    { P::reduce } -> std::convertible_to<c10::ScalarType>;
    { P::quantised } -> std::convertible_to<bool>;
    typename P::plain;
    requires !P::plain::quantised && P::plain::compute == P::compute;
};

/// In a `Kernel<Op, Device, AnyPrecision>`: serves every precision whose weights are not quantised.
struct AnyPrecision;

/// False where a device cannot hold or compute a precision; specialised in the header of the device or the precision.
template <class Precision, class Device>
inline constexpr bool runs_on = true;

namespace precision {

/// The precision a device (or a chain's first device) is at its best with: float16 on Mps, bfloat16 on Cuda, float32
/// on Cpu.
template <class DeviceOrChain>
using Default = typename DeviceOrChain::default_precision;

}  // namespace precision
}  // namespace silica
