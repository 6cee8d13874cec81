#pragma once
/// The devices and precisions that tests run on, random tensors, and comparisons that say what differs.

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <tuple>

#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <boost/hana/for_each.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include "silica/core/inputs.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/cuda.hpp"
#include "silica/device/mps.hpp"
#include "silica/device/simulated.hpp"
#include "silica/precision/bf16.hpp"
#include "silica/precision/fp16.hpp"
#include "silica/precision/fp32.hpp"
#include "support/catch.hpp"

#ifdef SILICA_HAS_SIM_MPS
#include "support/sim_mps.hpp"
namespace silica::test {
namespace sim = sim_mps;
}
#endif

namespace silica::test {

/// Every device, for TEMPLATE_LIST_TEST_CASE. A test starts with `if (!present<TestType>()) return;`. CUDA only where
/// CMake found a GPU: elsewhere its tests could but skip, and cost a third of the time to compile.
#ifdef SILICA_TEST_CUDA
using Devices = std::tuple<device::Cpu, device::Mps, device::Cuda>;
#else
using Devices = std::tuple<device::Cpu, device::Mps>;
#endif

/// The unquantised precisions, for `boost::hana::for_each`.
inline constexpr auto precisions = boost::hana::tuple_t<precision::Fp32, precision::Fp16, precision::Bf16>;

/// Calls `f.operator()<P>()` for each of them.
template <class F>
void in_every_precision(F f) {
    boost::hana::for_each(precisions, [&](auto p) {
        using P = typename decltype(p)::type;
        INFO(P::name);
        f.template operator()<P>();
    });
}

/// Whether `D` can be used here; says what is left out where it cannot, and that a simulated device is one.
template <class D>
bool present() {
    static const Availability can = [] {
        const auto found = D::available();
        if (!found)
            skip(std::string(D::name) + ": " + found.reason);
        else if (const char* what = device::simulated(D::type))
            skip("real " + std::string(D::name) + ": " + what + " instead");
        return found;
    }();
    return static_cast<bool>(can);
}

/// Where tensors of `D` lie.
template <class D>
c10::Device place() {
    return D::type == c10::DeviceType::CPU ? c10::Device(D::type) : c10::Device(D::type, 0);
}

/// The type that values of `P` are computed in, as tensor options.
template <class P>
at::TensorOptions options_of() {
    return at::TensorOptions().dtype(P::compute);
}

/// Normal values, the same for the same seed and shape, rounded to `dtype`, on the CPU.
inline Tensor random(c10::IntArrayRef shape, std::uint64_t seed, at::ScalarType dtype = at::kFloat) {
    const auto& host = at::globalContext().defaultGenerator(c10::Device(c10::DeviceType::CPU));
    at::Generator generator = host.clone();
    generator.set_current_seed(seed + 1);
    return at::randn(shape, generator).to(dtype);
}

/// Whole numbers in [0, limit), int64, on the CPU.
inline Tensor random_ids(c10::IntArrayRef shape, std::int64_t limit, std::uint64_t seed) {
    const auto& host = at::globalContext().defaultGenerator(c10::Device(c10::DeviceType::CPU));
    at::Generator generator = host.clone();
    generator.set_current_seed(seed + 1);
    return at::randint(limit, shape, generator, at::TensorOptions().dtype(at::kLong));
}

/// How far an op may be from its equation in `P`, relative to 1 + |want|.
template <class P>
constexpr double tolerance() {
    switch (P::compute) {
        case c10::ScalarType::Half:
            return 4e-3;  // 2^-11, four roundings
        case c10::ScalarType::BFloat16:
            return 3e-2;  // 2^-8, four roundings
        default:
            return 1e-5;
    }
}

/// "" when |got - want| <= atol + rtol |want| everywhere, else where and by how much they differ. Types and devices may
/// differ, shapes may not; infinities and NaN must be at the same places.
inline std::string differs(const Tensor& got, const Tensor& want, double atol, double rtol) {
    if (!got.defined() || !want.defined()) return got.defined() == want.defined() ? "" : "one is not defined";
    if (got.sizes() != want.sizes())
        return "shape " + shape_text(got.sizes()) + " instead of " + shape_text(want.sizes());
    const Tensor a = got.detach().to(at::kCPU).to(at::kDouble).contiguous().view({-1});
    const Tensor b = want.detach().to(at::kCPU).to(at::kDouble).contiguous().view({-1});
    const auto *x = a.const_data_ptr<double>(), *y = b.const_data_ptr<double>();
    std::int64_t wrong = 0, worst = -1;
    double excess = -1;
    for (std::int64_t i = 0; i < a.numel(); ++i) {
        const double by = std::abs(x[i] - y[i]);
        const bool same = (std::isnan(x[i]) && std::isnan(y[i])) || x[i] == y[i] || by <= atol + rtol * std::abs(y[i]);
        if (same) continue;
        ++wrong;
        if (const double e = std::isnan(by) ? std::numeric_limits<double>::infinity() : by; e > excess)
            excess = e, worst = i;
    }
    if (wrong == 0) return "";
    std::ostringstream text;
    text << wrong << " of " << a.numel() << " elements of " << shape_text(want.sizes()) << " differ; element " << worst
         << " is " << x[worst] << " instead of " << y[worst];
    return text.str();
}

/// The same with one tolerance, relative to 1 + |want|.
inline std::string differs(const Tensor& got, const Tensor& want, double tolerance) {
    return differs(got, want, tolerance, tolerance);
}

/// ||got - want|| / ||want||, in float64.
inline double relative_error(const Tensor& got, const Tensor& want) {
    const Tensor a = got.detach().to(at::kCPU).to(at::kDouble), b = want.detach().to(at::kCPU).to(at::kDouble);
    return (a - b).norm().item<double>() / b.norm().item<double>();
}

}  // namespace silica::test
