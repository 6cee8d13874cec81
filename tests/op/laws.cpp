// What an op takes: every argument wrong in turn is an InputError that names the op, on every device, before a kernel
// sees it. (Run under the address sanitizer too: an own kernel trusts what passes.)
#include <ATen/ops/tensor.h>

#include "silica/op/argmax.hpp"
#include "silica/op/attention.hpp"
#include "silica/op/decode_attention.hpp"
#include "silica/op/embedding.hpp"
#include "silica/op/gated.hpp"
#include "silica/op/gelu.hpp"
#include "silica/op/layer_norm.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/op/linear_gated.hpp"
#include "silica/op/pool.hpp"
#include "silica/op/rms_norm_linear.hpp"
#include "silica/op/rms_norm_linear_gated.hpp"
#include "silica/op/rotary_store.hpp"
#include "silica/run.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/refuses.hpp"

using namespace silica;

namespace {

/// Tensors on a device, and ops run there on wrong ones.
template <class D>
struct On {
    using E = Exec<D, precision::Fp32>;

    static Tensor x(c10::IntArrayRef shape) { return test::random(shape, 1).to(test::place<D>()); }
    static Tensor longs(std::vector<std::int64_t> values) { return at::tensor(values, at::kLong).to(test::place<D>()); }
    static Prepared<op::Linear, E> weight(std::int64_t out, std::int64_t in) {
        return Prepared<op::Linear, E>(x({out, in}), x({out}));
    }

    template <class Op, class... Args>
    static void refuses(std::string_view word, const Args&... args) {
        CAPTURE(std::string(Op::name), std::string(word));
        test::refuses<InputError>([&] { static_cast<void>(run<Op, E>(args...)); }, {"Op '", word});
    }
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("Ops of rows refuse weights of another size or type", "", test::Devices) {
    if (!test::present<TestType>()) return;
    using T = On<TestType>;
    const Tensor x = T::x({3, 64}), w = T::x({64}), half = w.to(at::kHalf);
    T::template refuses<op::RmsNorm>("rms_norm", x, T::x({8}), 1e-5);
    T::template refuses<op::RmsNorm>("rms_norm", x, T::x({64, 1}), 1e-5);
    T::template refuses<op::RmsNorm>("Half", x, half, 1e-5);
    T::template refuses<op::LayerNorm>("layer_norm", x, T::x({8}), w, 1e-5);
    T::template refuses<op::LayerNorm>("layer_norm", x, w, T::x({65}), 1e-5);
    T::template refuses<op::LayerNorm>("layer_norm", x, w, half, 1e-5);
    T::template refuses<op::LayerNorm>("undefined", x, w, Tensor(), 1e-5);
    T::template refuses<op::Gelu>("undefined", Tensor());
    T::template refuses<op::Gated>("gated", T::x({3, 5}), Activation::silu);
    T::template refuses<op::Argmax>("argmax", T::x({3}));
    T::template refuses<op::Argmax>("argmax", T::x({3, 0}));
    const Tensor h = T::x({2, 3, 4}), mask = at::ones({2, 3}, at::kBool).to(h.device());
    T::template refuses<op::Pool>("pool", T::x({2, 3}), mask, Pooling::mean);
    T::template refuses<op::Pool>("pool", h, mask.narrow(1, 0, 2), Pooling::mean);
    T::template refuses<op::Pool>("pool", h, mask.to(at::kLong), Pooling::mean);
}

TEMPLATE_LIST_TEST_CASE("Products refuse inputs of another width or type, and weights whose parts do not fit", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    using T = On<TestType>;
    using E = typename T::E;
    const auto w = T::weight(6, 64);
    const Tensor x = T::x({3, 64}), narrow = T::x({3, 63}), half = x.to(at::kHalf), scale = T::x({64});
    T::template refuses<op::Linear>("linear", narrow, w);
    T::template refuses<op::Linear>("Half", half, w);
    T::template refuses<op::LinearActivation>("linear", narrow, w, Activation::gelu);
    T::template refuses<op::LinearAdd>("linear_add", narrow, w, T::x({3, 6}));
    T::template refuses<op::LinearAdd>("linear_add", x, w, T::x({3, 5}));
    T::template refuses<op::LinearAdd>("linear_add", x, w, T::x({2, 6}));
    T::template refuses<op::LinearAdd>("linear_add", x, w, T::x({6}));
    T::template refuses<op::LinearAdd>("linear_add", x, w, T::x({3, 6}).to(at::kHalf));
    T::template refuses<op::LinearGated>("linear_gated", narrow, w, Activation::silu);
    T::template refuses<op::LinearGated>("linear_gated", x, T::weight(5, 64), Activation::silu);
    T::template refuses<op::RmsNormLinear>("rms_norm", x, T::x({8}), 1e-5, w);
    T::template refuses<op::RmsNormLinear>("linear", narrow, T::x({63}), 1e-5, w);
    T::template refuses<op::RmsNormLinearGated>("rms_norm", x, T::x({8}), 1e-5, w, Activation::silu);
    T::template refuses<op::RmsNormLinearGated>("linear_gated", x, scale, 1e-5, T::weight(5, 64), Activation::silu);

    const auto packs = [](op::Plain source) {
        test::refuses<InputError>([&] { Prepared<op::Linear, E>{std::move(source)}; }, {"'linear'", "weight"});
    };
    packs({T::x({64, 8}), T::x({3})});
    packs({T::x({64, 8}), T::x({64}).to(at::kHalf)});
    packs({T::x({64})});
    packs({Tensor()});
    test::refuses<InputError>([&] { Prepared<op::Embedding, E>(T::x({8}), std::nullopt); }, {"'embedding'"});
    const Prepared<op::Embedding, E> table(T::x({8, 4}), std::nullopt);
    T::template refuses<op::Embedding>("embedding", T::longs({1}).to(at::kInt), table);
}

TEMPLATE_LIST_TEST_CASE("Attention refuses heads, masks and lengths that do not fit", "", test::Devices) {
    if (!test::present<TestType>()) return;
    using T = On<TestType>;
    const Tensor q = T::x({2, 4, 3, 8}), k = T::x({2, 2, 5, 8});
    const op::Attends all;
    const auto refuses = [&](const Tensor& qq, const Tensor& kk, const Tensor& vv, const op::Attends& a = {}) {
        T::template refuses<op::Attention>("attention", qq, kk, vv, a, 1.0);
    };
    refuses(q, T::x({2, 2, 5, 4}), k);  // d of k
    refuses(T::x({2, 5, 3, 8}), k, k);  // 5 heads on 2
    refuses(T::x({1, 4, 3, 8}), k, k);  // rows
    refuses(q, k, T::x({2, 2, 6, 8}));  // keys without values
    refuses(q, k, T::x({2, 1, 5, 8}));  // heads of v
    refuses(q.select(0, 0), k, k);      // rank
    refuses(q.to(at::kHalf), k, k);     // type
    refuses(q, T::x({2, 0, 5, 8}), T::x({2, 0, 5, 8}));
    const Tensor mask = at::ones({2, 1, 1, 5}, at::kBool).to(q.device());
    refuses(q, k, k, {.mask = mask.narrow(3, 0, 4)});
    refuses(q, k, k, {.mask = mask.to(at::kLong)});
    refuses(q, k, k, {.bias = T::x({2, 3, 3, 5})});
    refuses(q, k, k, {.bias = mask});
    refuses(q, k, k, {.lengths = T::longs({5})});
    refuses(q, k, k, {.lengths = T::longs({5, 5}).to(at::kInt)});
    refuses(q, k, k, {.offset = -1});
    refuses(q, k, k, {.offset = 6});
    refuses(q, k, k, {.window = 2});
    refuses(q, k, k, {.offset = 2, .window = 0});
    if (TestType::type != c10::DeviceType::CPU) refuses(q, k, k, {.mask = mask.cpu()});

    const Tensor one = T::x({2, 4, 1, 8}), filled = T::longs({3});
    const std::optional<Tensor> none;
    const auto step_refuses = [&](const Tensor& qq, const Tensor& kk, const Tensor& vv, const Tensor& n,
                                  const std::optional<Tensor>& m) {
        T::template refuses<op::DecodeAttention>("decode_attention", qq, kk, vv, n, m, 1.0);
    };
    step_refuses(q, k, k, filled, none);
    step_refuses(T::x({3, 4, 1, 8}), k, k, filled, none);
    step_refuses(T::x({2, 3, 1, 8}), k, k, filled, none);
    step_refuses(T::x({2, 4, 1, 7}), k, k, filled, none);
    step_refuses(one, k, T::x({2, 2, 4, 8}), filled, none);
    step_refuses(one, k, k, T::longs({3, 3}), none);
    step_refuses(one, k, k, filled.to(at::kInt), none);
    step_refuses(one, k, k, filled, mask.narrow(3, 0, 4));
}

TEMPLATE_LIST_TEST_CASE("Positions and caches refuse what does not fit", "", test::Devices) {
    if (!test::present<TestType>()) return;
    using T = On<TestType>;
    const Tensor x = T::x({2, 3, 16, 8}), angles = T::x({1, 16, 4});
    T::template refuses<op::Rotary>("rotary", x, T::x({1, 4, 4}), angles);
    T::template refuses<op::Rotary>("rotary", x, angles, T::x({1, 16, 8}));
    T::template refuses<op::Rotary>("rotary", x, T::x({3, 16, 4}), angles);
    T::template refuses<op::Rotary>("rotary", x.narrow(3, 0, 7), angles, angles);
    T::template refuses<op::Rotary>("rotary", x, angles.to(at::kHalf), angles);

    Tensor keys = T::x({2, 2, 4, 8}), values = T::x({2, 2, 4, 8});
    const auto store_refuses = [&](const Tensor& k, const Tensor& v, const Tensor& slots) {
        T::template refuses<op::StoreKv>("store_kv", InOut<Tensor>{keys}, InOut<Tensor>{values}, k, v, slots);
    };
    const Tensor two = T::x({2, 2, 2, 8}), slots = T::longs({0, 3});
    store_refuses(T::x({3, 2, 2, 8}), two, slots);
    store_refuses(T::x({2, 1, 2, 8}), two, slots);
    store_refuses(two, T::x({2, 2, 2, 7}), slots);
    store_refuses(two, two, T::longs({0}));
    store_refuses(two, two, slots.to(at::kInt));
    store_refuses(two.to(at::kHalf), two, slots);
    store_refuses(T::x({2, 2, 5, 8}), T::x({2, 2, 5, 8}), T::longs({0, 1, 2, 3, 0}));

    const Tensor qkv = T::x({2, 1, (4 + 2 * 2) * 8}), turn = T::x({2, 1, 4}), slot = T::longs({3});
    const auto step_refuses = [&](const Tensor& q, const Tensor& cos, const Tensor& sin, const Tensor& at) {
        T::template refuses<op::RotaryStore>("rotary_store", q, cos, sin, InOut<Tensor>{keys}, InOut<Tensor>{values},
                                             at);
    };
    step_refuses(T::x({3, 1, 64}), turn, turn, slot);  // rows that the cache does not have
    step_refuses(T::x({2, 2, 64}), turn, turn, slot);
    step_refuses(T::x({2, 1, 60}), turn, turn, slot);
    step_refuses(T::x({2, 1, 32}), turn, turn, slot);  // no query is left
    step_refuses(T::x({2, 1, 56}), turn, turn, slot);  // 3 heads on 2
    step_refuses(qkv, T::x({2, 1, 8}), turn, slot);
    step_refuses(qkv, turn, T::x({2, 2, 4}), slot);
    step_refuses(qkv, turn, turn, T::longs({0, 1}));
    step_refuses(qkv.to(at::kHalf), turn, turn, slot);
    if constexpr (TestType::type == c10::DeviceType::CPU) {  // where the host sees the numbers, they are checked too
        const auto store = [&](std::vector<std::int64_t> at) {
            static_cast<void>(run<op::StoreKv, typename T::E>(InOut<Tensor>{keys}, InOut<Tensor>{values}, two, two,
                                                              T::longs(std::move(at))));
        };
        test::refuses<InputError>([&] { store({0, 1000}); }, {"slot 1000 of a cache of 4"});
        test::refuses<InputError>([&] { store({-1, 0}); }, {"slot -1"});
        test::refuses<InputError>(
            [&] {
                static_cast<void>(run<op::RotaryStore, typename T::E>(qkv, turn, turn, InOut<Tensor>{keys},
                                                                      InOut<Tensor>{values}, T::longs({4})));
            },
            {"slot 4 of a cache of 4"});
        const Prepared<op::Embedding, typename T::E> table(T::x({8, 4}), std::nullopt);
        test::refuses<InputError>([&] { static_cast<void>(run<op::Embedding, typename T::E>(T::longs({8}), table)); },
                                  {"holds 8", "0 to 7"});
    }
}

TEST_CASE("An op that runs on one device refuses tensors of another") {
    if (!test::present<device::Mps>()) return;
    using T = On<device::Mps>;
    const Tensor here = test::random({3, 64}, 1), there = T::x({3, 64});
    T::refuses<op::Gelu>("cpu", here);
    T::refuses<op::Linear>("cpu", here, T::weight(6, 64));
    T::refuses<op::LinearAdd>("cpu", there, T::weight(6, 64), test::random({3, 6}, 2));
    On<device::Cpu>::refuses<op::Gelu>("mps", there);
}
