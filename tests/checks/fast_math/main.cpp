// A program that is compiled with -ffast-math and links silica::compiled: its kernels are exact all the same,
// infinities, NaN and denormal halves included.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include "silica/device/cpu/flash_attention.hpp"
#include "silica/device/cpu/gate.hpp"
#include "silica/device/cpu/packed_linear.hpp"

#include <ATen/ops/ones.h>

using namespace silica;

namespace {

int failures = 0;

void check(bool fine, const char* what) {
    if (fine) return;
    std::printf("failed: %s\n", what);
    ++failures;
}

/// By bits: this file is compiled for a world without NaN.
bool is_nan(float f) {
    std::uint32_t u = 0;
    std::memcpy(&u, &f, sizeof u);
    return (u & 0x7fffffffU) > 0x7f800000U;
}
Tensor from_bits(const std::vector<std::uint32_t>& all) {
    const Tensor t = at::empty({1, static_cast<std::int64_t>(all.size())}, at::kFloat);
    std::memcpy(t.mutable_data_ptr(), all.data(), all.size() * sizeof(float));
    return t;
}

constexpr std::uint32_t infinity = 0x7f800000U, one = 0x3f800000U, nan = 0x7fc00000U;

void test_silu() {
    const std::int64_t n = 4001;
    const Tensor x = at::ones({1, 2 * n}, at::kFloat);
    float* const gate = x.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < n; ++i) gate[i] = static_cast<float>(i - 2000) * 0.04F;
    const Tensor y = device::cpu::gate(x, Activation::silu);
    double worst = 0;
    for (std::int64_t i = 0; i < n; ++i) {
        const double g = gate[i], want = g / (1 + std::exp(-g));
        worst = std::fmax(worst, std::fabs(y.const_data_ptr<float>()[i] - want) / (1 + std::fabs(want)));
    }
    check(worst < 1e-6, "silu against float64");
    const Tensor odd = device::cpu::gate(from_bits({nan, infinity, one, one}), Activation::silu);
    std::uint32_t bits = 0;
    std::memcpy(&bits, odd.const_data_ptr<float>() + 1, sizeof bits);
    check(is_nan(odd.const_data_ptr<float>()[0]), "silu of NaN");
    check(bits == infinity, "silu of infinity");
}

/// Queries beside keys of which some are masked with -infinity; q and k are such that scores go from -60 to 60.
void test_softmax() {
    constexpr std::int64_t tokens = 40, d = 16;
    constexpr std::size_t size = tokens * d;
    std::vector<float> q(size, 1.0F), k(size), v(size), mask(std::size_t{tokens * tokens}), y(size);
    for (std::int64_t j = 0; j < tokens; ++j) {
        for (std::int64_t i = 0; i < d; ++i) {
            k[static_cast<std::size_t>(j * d + i)] = static_cast<float>(j - 20) * 3 / static_cast<float>(d);
            v[static_cast<std::size_t>(j * d + i)] = static_cast<float>((7 * j + i) % 11);
        }
    }
    const std::uint32_t never = 0xff800000U;
    for (std::int64_t r = 0; r < tokens; ++r)
        for (std::int64_t j = r; j < tokens; ++j)
            std::memcpy(&mask[static_cast<std::size_t>(r * tokens + j)], &never, 4);
    using Flash = device::cpu::FlashAttention<float>;
    const Flash::Strides rows{0, 0, d};
    const Flash problem{.q = q.data(),
                        .k = k.data(),
                        .v = v.data(),
                        .of_q = rows,
                        .of_k = rows,
                        .of_v = rows,
                        .batch = 1,
                        .heads = 1,
                        .kv_heads = 1,
                        .queries = tokens,
                        .keys = tokens,
                        .d = d,
                        .dv = d,
                        .scale = 1,
                        .offset = tokens,
                        .window = std::numeric_limits<std::int64_t>::max(),
                        .lengths = nullptr,
                        .mask = mask.data(),
                        .of_mask = {0, 0, tokens},
                        .y = y.data(),
                        .of_y = rows};
    const auto set = device::cpu::isa::best();
    if (device::cpu::isa::tiling<float>(set).vectors == 0) return;  // left to LibTorch
    device::cpu::attend(set, problem);
    double worst = 0;
    for (std::int64_t r = 0; r < tokens; ++r) {  // the first one attends to nothing
        for (std::int64_t i = 0; i < d; ++i) {
            double sum = 0, total = 0;
            for (std::int64_t j = 0; j < r; ++j) {
                const double e = std::exp(static_cast<double>(j - r) * 3);
                total += e, sum += e * static_cast<double>((7 * j + i) % 11);
            }
            const double want = r == 0 ? 0 : sum / total;
            worst = std::fmax(worst, std::fabs(y[static_cast<std::size_t>(r * d + i)] - want));
        }
    }
    check(worst < 1e-5, "masked softmax against float64");
}

void test_halves() {
    const Tensor w = at::empty({1, 16}, at::kHalf), x = at::ones({1, 16}, at::kHalf);
    for (std::int64_t i = 0; i < 16; ++i) w.mutable_data_ptr<c10::Half>()[i].x = 1;  // 2^-24
    const Tensor y = device::cpu::PackedLinear{w, {}}(x * 1024);
    check(y.const_data_ptr<c10::Half>()[0].x == 0x1400, "denormal halves with flush to zero");  // 2^-10
}

}  // namespace

int main() {
    test_silu();
    test_softmax();
    test_halves();
    if (failures == 0) std::printf("-ffast-math: kernels are exact\n");
    return failures == 0 ? 0 : 1;
}
