/// A precision of your own, from outside the library: weights stored in bfloat16, products in float32. One kernel for
/// the op with weights; everything else uses the kernels for any precision.

#include <cmath>
#include <cstdio>

#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>

#include "silica/device/cpu.hpp"
#include "silica/nn/linear.hpp"

namespace mine {

/// Half the memory of float32 for the weights; inputs and results stay float32.
struct Bf16Weights {
    static constexpr std::string_view name = "bf16-weights";
    static constexpr c10::ScalarType storage = c10::ScalarType::BFloat16, compute = c10::ScalarType::Float,
                                     reduce = c10::ScalarType::Float;
    static constexpr bool quantised = true;  // products need a kernel that knows this storage
    using plain = silica::precision::Fp32;   // the rest: embeddings, norms
};
static_assert(silica::PrecisionPolicy<Bf16Weights>);

}  // namespace mine

template <>
struct silica::Kernel<silica::op::Linear, silica::device::Cpu, mine::Bf16Weights> {
    using Packed = op::Plain;
    static Packed pack(op::Linear::Source s) {
        return {s.weight.to(mine::Bf16Weights::storage), std::move(s.bias)};
    }
    static Tensor run(const Tensor& x, const Packed& w) { return at::linear(x, w.weight.to(x.scalar_type()), w.bias); }
};

int main() {
    using namespace silica;
    using Here = Exec<device::Cpu, mine::Bf16Weights>;
    const Tensor w = at::randn({6, 8}), b = at::randn({6}), x = at::randn({3, 8});
    const auto layer = nn::Linear<Here>::own({w, b});
    const Tensor want = at::linear(x, w, b), got = layer(x);
    const float worst = (got - want).abs().max().item<float>();
    std::printf("float32 results from bfloat16 weights, largest difference %.4f\n", static_cast<double>(worst));
    return got.scalar_type() == at::kFloat && worst < 0.1F ? 0 : 1;
}
