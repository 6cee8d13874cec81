// The CPU's own attention, with each instruction set that this machine has, against float64.
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include <ATen/Parallel.h>

#include "silica/device/cpu/attend.hpp"
#include "silica/device/cpu/flash_attention.hpp"
#include "silica/device/cpu/isa/attend.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/instruction_sets.hpp"

using namespace silica;
using device::cpu::isa::Isa;
using test::sets;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
constexpr at::ScalarType type_of = c10::CppTypeToScalarType<T>::value;

/// softmax(scale q k^T + mask) v in float64; zeros where nothing is attended to.
Tensor equation(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask, bool causal,
                double scale) {
    const auto group = q.size(1) / k.size(1);
    const auto wide = [&](const Tensor& t) { return t.to(at::kDouble).repeat_interleave(group, 1); };
    Tensor scores = q.to(at::kDouble).matmul(wide(k).transpose(-2, -1)) * scale;
    if (mask) scores = scores + mask->to(at::kDouble);
    if (causal) {
        const Tensor keep = at::arange(q.size(2)).unsqueeze(1) >= at::arange(k.size(2)).unsqueeze(0);
        scores = at::where(keep, scores, at::full({}, -infinity, at::kDouble));
    }
    const Tensor most = scores.amax(-1, true), none = most == -infinity;
    const Tensor e = (scores - at::where(none, at::zeros({}, at::kDouble), most)).exp(), sum = e.sum(-1, true);
    return (e / at::where(none, at::ones({}, at::kDouble), sum)).matmul(wide(v));
}

struct Shape {
    std::int64_t batch, heads, kv_heads, queries, keys, d, dv;
};

/// (batch, heads, tokens, d) cut from a longer row, so that it is strided.
template <class T>
Tensor heads_of(std::int64_t batch, std::int64_t heads, std::int64_t tokens, std::int64_t d, std::uint64_t seed) {
    return test::random({batch, tokens, heads + 1, d}, seed, type_of<T>).narrow(2, 0, heads).transpose(1, 2);
}

template <class T>
void check(Isa set, const Shape& s, const std::optional<Tensor>& mask, bool causal) {
    CAPTURE(static_cast<int>(set), s.batch, s.heads, s.kv_heads, s.queries, s.keys, s.d, s.dv, causal);
    using Flash = device::cpu::FlashAttention<T>;
    const Tensor q = heads_of<T>(s.batch, s.heads, s.queries, s.d, 1),
                 k = heads_of<T>(s.batch, s.kv_heads, s.keys, s.d, 2),
                 v = heads_of<T>(s.batch, s.kv_heads, s.keys, s.dv, 3);
    const Tensor y = at::full({s.batch, s.heads, s.queries, s.dv}, 7, q.options());
    const auto strides = [](const Tensor& t) { return typename Flash::Strides{t.stride(0), t.stride(1), t.stride(2)}; };
    std::optional<Tensor> all;
    if (mask) all = mask->expand({s.batch, s.heads, s.queries, s.keys});
    const double scale = 1 / std::sqrt(static_cast<double>(s.d));
    Flash{.q = q.const_data_ptr<T>(),
          .k = k.const_data_ptr<T>(),
          .v = v.const_data_ptr<T>(),
          .of_q = strides(q),
          .of_k = strides(k),
          .of_v = strides(v),
          .batch = s.batch,
          .heads = s.heads,
          .kv_heads = s.kv_heads,
          .queries = s.queries,
          .keys = s.keys,
          .d = s.d,
          .dv = s.dv,
          .scale = static_cast<float>(scale),
          .offset = causal ? 0 : s.keys,
          .window = std::numeric_limits<std::int64_t>::max() / 2,
          .lengths = nullptr,
          .mask = all ? all->const_data_ptr<float>() : nullptr,
          .of_mask = all ? strides(*all) : typename Flash::Strides{},
          .y = y.mutable_data_ptr<T>(),
          .of_y = strides(y)}
        .run(set);
    const double tolerance = std::is_same_v<T, float> ? 3e-6 : std::is_same_v<T, c10::Half> ? 1e-3 : 8e-3;
    CHECK(test::differs(y, equation(q, k, v, mask, causal, scale), tolerance) == "");
}

}  // namespace

TEMPLATE_TEST_CASE("Attention by blocks is its equation on every instruction set", "", float, c10::BFloat16,
                   c10::Half) {
    for (const int threads : {1, 3}) {
        at::set_num_threads(threads);
        for (const Isa set : sets()) {
            if (!test::computed(device::cpu::isa::tiling<float>(set).vectors > 0, set, "attention by blocks")) continue;
            for (const auto& s :
                 {Shape{1, 1, 1, 1, 1, 1, 1}, Shape{2, 3, 3, 7, 9, 8, 8}, Shape{1, 4, 2, 49, 65, 5, 3},
                  Shape{1, 2, 1, 100, 130, 64, 64}, Shape{2, 2, 2, 48, 64, 80, 20}, Shape{1, 1, 1, 145, 40, 33, 130},
                  Shape{1, 6, 2, 20, 200, 128, 128},
                  // several blocks of keys, and values whose last panel is not full
                  Shape{1, 2, 1, 100, 200, 72, 72}, Shape{1, 1, 1, 50, 131, 16, 100}, Shape{1, 1, 1, 60, 140, 7, 9}}) {
                check<TestType>(set, s, {}, false);
                check<TestType>(set, s, {}, true);
                const Tensor added = test::random({s.batch, s.heads, s.queries, s.keys}, 4) * 2;
                check<TestType>(set, s, added, false);
                check<TestType>(set, s, added.slice(0, 0, 1).slice(1, 0, 1), false);
                check<TestType>(set, s, added.slice(1, 0, 1).slice(2, 0, 1), false);
            }
        }
    }
    at::set_num_threads(2);
}

TEMPLATE_TEST_CASE("Queries without a key give zeros, and keys that are masked at first do not disturb later ones", "",
                   float, c10::BFloat16) {
    for (const Isa set : sets()) {
        if (!test::computed(device::cpu::isa::tiling<float>(set).vectors > 0, set, "attention by blocks")) continue;
        const Shape s{1, 2, 2, 60, 150, 16, 16};
        const Tensor mask = at::zeros({1, 1, 60, 150});
        mask.select(2, 3).fill_(-static_cast<float>(infinity));                       // one query sees nothing
        mask.slice(2, 20, 30).slice(3, 0, 140).fill_(-static_cast<float>(infinity));  // some only the last keys
        mask.slice(2, 40, 45).slice(3, 5, 150).fill_(-static_cast<float>(infinity));  // some only the first
        check<TestType>(set, s, mask, false);
    }
}

TEMPLATE_TEST_CASE("Attention of one query is its equation on every instruction set", "", float, c10::BFloat16,
                   c10::Half) {
    for (const Isa set : sets()) {
        for (const auto& s : {Shape{1, 1, 1, 1, 1, 1, 1}, Shape{1, 8, 1, 1, 130, 64, 64}, Shape{1, 9, 1, 1, 64, 33, 5},
                              Shape{1, 3, 1, 1, 200, 80, 20}, Shape{1, 20, 1, 1, 70, 16, 48}}) {
            for (const std::int64_t parts : {1, 2, 3}) {
                CAPTURE(static_cast<int>(set), s.heads, s.keys, s.d, s.dv, parts);
                const Tensor q = test::random({1, s.heads, 1, s.d}, 1, type_of<TestType>),
                             k = heads_of<TestType>(1, 1, s.keys, s.d, 2),
                             v = heads_of<TestType>(1, 1, s.keys, s.dv, 3);
                const Tensor y = at::full({1, s.heads, 1, s.dv}, 7, q.options());
                const std::int64_t stride = s.heads * (s.dv + 2), length = (s.keys + parts - 1) / parts;
                std::vector<float> sums(static_cast<std::size_t>(parts * stride));
                for (std::int64_t p = 0; p < parts; ++p) {
                    const device::cpu::isa::Attend<TestType> a{.q = q.const_data_ptr<TestType>(),
                                                               .keys = k.const_data_ptr<TestType>(),
                                                               .values = v.const_data_ptr<TestType>(),
                                                               .ldk = k.stride(2),
                                                               .ldv = v.stride(2),
                                                               .group = s.heads,
                                                               .d = s.d,
                                                               .dv = s.dv,
                                                               .begin = std::min(s.keys, p * length),
                                                               .end = std::min(s.keys, (p + 1) * length),
                                                               .scale = 0.3F,
                                                               .sums = sums.data() + p * stride};
                    device::cpu::isa::attend(set, a);
                }
                const device::cpu::isa::MergeArguments<TestType> merge{
                    sums.data(), parts, stride, s.heads, s.dv, y.mutable_data_ptr<TestType>()};
                device::cpu::isa::on<device::cpu::isa::Merge>(set, &merge);
                const double tolerance = std::is_same_v<TestType, float>       ? 3e-6
                                         : std::is_same_v<TestType, c10::Half> ? 1e-3
                                                                               : 8e-3;
                CHECK(test::differs(y, equation(q, k, v, {}, false, static_cast<double>(0.3F)), tolerance) == "");
            }
        }
    }
}
