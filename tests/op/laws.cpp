// What an op takes: every argument wrong in turn is an InputError that names the op, on every device, before a kernel
// sees it. (Run under the address sanitizer too: an own kernel trusts what passes.)
#include <limits>
#include <tuple>

#include <ATen/ops/_neg_view.h>
#include <ATen/ops/tensor.h>

#include "silica/op/argmax.hpp"
#include "silica/op/attention.hpp"
#include "silica/op/average_pool.hpp"
#include "silica/op/clamp.hpp"
#include "silica/op/conv_activation.hpp"
#include "silica/op/conv_add.hpp"
#include "silica/op/decode_attention.hpp"
#include "silica/op/draw.hpp"
#include "silica/op/embedding.hpp"
#include "silica/op/gated.hpp"
#include "silica/op/gelu.hpp"
#include "silica/op/group_norm.hpp"
#include "silica/op/layer_norm.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/op/linear_gated.hpp"
#include "silica/op/max_pool.hpp"
#include "silica/op/pool.hpp"
#include "silica/op/resize.hpp"
#include "silica/op/rms_norm_linear.hpp"
#include "silica/op/rms_norm_linear_gated.hpp"
#include "silica/op/rotary_store.hpp"
#include "silica/op/scores.hpp"
#include "silica/op/sine_positions.hpp"
#include "silica/op/softmax.hpp"
#include "silica/run.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/refuses.hpp"

using namespace silica;

namespace {

/// A tensor that the op writes to.
struct Cache {
    Tensor tensor;
};
InOut<Tensor> given(const Cache& c) { return {const_cast<Tensor&>(c.tensor)}; }  // the laws only look at it
template <class T>
const T& given(const T& arg) {
    return arg;
}

/// What an argument may never be, whatever the others are.
std::vector<Tensor> wrongs(const Tensor& t) {
    const Tensor host = t.cpu();
    std::vector<Tensor> all = {Tensor(), t.to(at::Device("meta"))};
    const auto other = t.scalar_type() == at::kLong ? at::kInt : at::kLong;
    all.push_back(host.to(other).to(t.device()));
    if (!t.device().is_cpu()) return all;  // others do not have these kinds
    for (const auto type : {at::kComplexFloat, at::kFloat8_e4m3fn}) all.push_back(t.to(type));
    all.push_back(t.to_sparse());
    if (t.scalar_type() != at::kBool) all.push_back(at::_neg_view(t));
    return all;
}
std::vector<std::optional<Tensor>> wrongs(const std::optional<Tensor>& t) {
    const auto all = wrongs(*t);
    return {all.begin(), all.end()};
}
std::vector<Cache> wrongs(const Cache& c) {
    std::vector<Cache> all;
    for (const auto& t : wrongs(c.tensor)) all.push_back({t});
    return all;
}
std::vector<op::Attends> wrongs(const op::Attends& right) {
    std::vector<op::Attends> all;
    for (const auto member : {&op::Attends::mask, &op::Attends::bias, &op::Attends::lengths}) {
        for (const auto& t : wrongs(*(right.*member))) all.emplace_back(right).*member = t;
    }
    return all;
}
std::vector<std::int64_t> wrongs(std::int64_t) { return {-1, std::numeric_limits<std::int64_t>::max()}; }
std::vector<double> wrongs(double) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity, 1e300};
}
template <class T>
    requires std::is_enum_v<T>
std::vector<T> wrongs(T) {
    return {static_cast<T>(-1), static_cast<T>(99)};
}
std::vector<bool> wrongs(bool) { return {}; }
template <class Op, class E>
std::vector<Prepared<Op, E>> wrongs(const Prepared<Op, E>&) {
    return {};  // weights are refused when they are packed
}

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

    /// A call of `Op` that is right, and all that are so but for one argument.
    template <class Op, class... Args>
    static void each_wrong(const Args&... args) {
        const std::tuple<Args...> right(args...);
        const auto call = [](const std::tuple<Args...>& with) {
            std::apply([](const auto&... a) { static_cast<void>(run<Op, E>(given(a)...)); }, with);
        };
        INFO(Op::name);
        CHECK_NOTHROW(call(right));
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (each_wrong_at<I>(right, call), ...);
        }(std::index_sequence_for<Args...>{});
    }

private:
    template <std::size_t I, class Tuple, class Call>
    static void each_wrong_at(const Tuple& right, const Call& call) {
        const auto all = wrongs(std::get<I>(right));
        for (std::size_t n = 0; n < all.size(); ++n) {
            INFO("argument " << I << ", wrong value " << n);
            auto with = right;
            std::get<I>(with) = all[n];
            test::refuses<InputError>([&] { call(with); }, {"Op '"});
        }
    }
};

}  // namespace

// checks/laws.py holds this test to name every op. Ranks and sizes that do not fit each other follow by op, those of
// images and convolutions in their own files.
TEMPLATE_LIST_TEST_CASE(
    "Every op refuses arguments without numbers, of other kinds of numbers, and numbers that are none", "",
    test::Devices) {
    if (!test::present<TestType>()) return;
    using T = On<TestType>;
    using E = typename T::E;
    const auto bools = [](c10::IntArrayRef shape) { return at::ones(shape, at::kBool).to(test::place<TestType>()); };
    const Tensor x = T::x({3, 64}), scale = T::x({64}), image = T::x({2, 4, 5, 6}), one = T::longs({1});
    const auto weight = T::weight(6, 64);
    const Prepared<op::Conv, E> kernel(op::PlainConv{T::x({6, 4, 3, 3}), T::x({6}), {{1, 1}, {0, 0}, {1, 1}}});

    T::template each_wrong<op::Activate>(x, Activation::silu);
    T::template each_wrong<op::Argmax>(x);
    T::template each_wrong<op::AveragePool>(image);
    T::template each_wrong<op::Clamp>(x, -1.0, 1.0);
    T::template each_wrong<op::Conv>(image, kernel);
    T::template each_wrong<op::ConvActivation>(image, kernel, Activation::relu);
    T::template each_wrong<op::ConvAdd>(image, kernel, T::x({2, 6, 3, 4}), Activation::relu);
    if constexpr (has_kernel<op::Draw, TestType, precision::Fp32>) T::template each_wrong<op::Draw>(x, T::x({3}), 0.7);
    T::template each_wrong<op::Embedding>(one, Prepared<op::Embedding, E>(x, std::nullopt));
    T::template each_wrong<op::Gated>(x, Activation::silu);
    T::template each_wrong<op::Gelu>(x);
    T::template each_wrong<op::GroupNorm>(image, T::x({4}), T::x({4}), std::int64_t{2}, 1e-5);
    T::template each_wrong<op::LayerNorm>(x, scale, scale, 1e-5);
    T::template each_wrong<op::Linear>(x, weight);
    T::template each_wrong<op::LinearActivation>(x, weight, Activation::gelu);
    T::template each_wrong<op::LinearAdd>(x, weight, T::x({3, 6}));
    T::template each_wrong<op::LinearGated>(x, weight, Activation::silu);
    T::template each_wrong<op::MaxPool>(image, std::int64_t{3}, std::int64_t{2}, std::int64_t{1});
    T::template each_wrong<op::Pool>(T::x({2, 3, 4}), bools({2, 3}), Pooling::mean);
    T::template each_wrong<op::Resize>(image, std::int64_t{4}, std::int64_t{7}, Resampling::bilinear, true);
    T::template each_wrong<op::RmsNorm>(x, scale, 1e-5);
    T::template each_wrong<op::RmsNormLinear>(x, scale, 1e-5, weight);
    T::template each_wrong<op::RmsNormLinearGated>(x, scale, 1e-5, weight, Activation::silu);
    T::template each_wrong<op::Scores>(image, image, 1.0);
    T::template each_wrong<op::SinePositions>(bools({2, 3, 4}), T::x({4}));
    T::template each_wrong<op::Softmax>(x);

    const Tensor q = T::x({2, 4, 3, 8}), k = T::x({2, 2, 5, 8}), turn = T::x({1, 1, 4});
    const op::Attends attends{.mask = bools({2, 1, 3, 5}), .bias = T::x({1, 4, 3, 5}), .lengths = T::longs({5, 3})};
    const std::optional<Tensor> mask = bools({2, 1, 1, 5});
    T::template each_wrong<op::Attention>(q, k, k, attends, 1.0);
    T::template each_wrong<op::DecodeAttention>(T::x({2, 4, 1, 8}), k, k, one, mask, 1.0);
    T::template each_wrong<op::Rotary>(q, T::x({1, 3, 4}), T::x({1, 3, 4}));
    const Cache keys{T::x({2, 2, 5, 8})}, values{T::x({2, 2, 5, 8})};
    T::template each_wrong<op::RotaryStore>(T::x({2, 1, 64}), turn, turn, keys, values, one);
    T::template each_wrong<op::StoreKv>(keys, values, T::x({2, 2, 1, 8}), T::x({2, 2, 1, 8}), one);
}

TEST_CASE("All tensors of an op of one kind that no op computes with are refused too") {
    using T = On<device::Cpu>;
    for (const auto type : {at::kLong, at::kBool, at::kComplexFloat, at::kFloat8_e4m3fn}) {
        const auto of = [&](c10::IntArrayRef shape) { return at::ones(shape).to(type); };
        const std::string word = c10::toString(type);
        const Tensor x = of({2, 4, 4, 6}), row = of({6}), image = of({4}), turn = of({1, 4, 3});
        T::refuses<op::LayerNorm>(word, x, row, row, 1e-5);
        T::refuses<op::RmsNorm>(word, x, row, 1e-5);
        T::refuses<op::GroupNorm>(word, x, image, image, std::int64_t{2}, 1e-5);
        T::refuses<op::Attention>(word, x, x, x, op::Attends{}, 1.0);
        T::refuses<op::Scores>(word, x, x, 1.0);
        T::refuses<op::Rotary>(word, x, turn, turn);
        const Tensor one = x.narrow(2, 0, 1), slot = T::longs({1}), cos = of({1, 1, 3});
        Tensor cache = x.clone();
        T::refuses<op::DecodeAttention>(word, one, x, x, slot, std::optional<Tensor>(), 1.0);
        T::refuses<op::StoreKv>(word, InOut<Tensor>{cache}, InOut<Tensor>{cache}, one, one, slot);
        T::refuses<op::RotaryStore>(word, of({2, 1, 72}), cos, cos, InOut<Tensor>{cache}, InOut<Tensor>{cache}, slot);
        const auto packs = [&]<class Op>(std::type_identity<Op>, typename Op::Source source) {
            CAPTURE(std::string(Op::name));
            test::refuses<InputError>([&] { Prepared<Op, T::E>{std::move(source)}; }, {"Op '", word});
        };
        packs(std::type_identity<op::Linear>(), {of({6, 4})});
        packs(std::type_identity<op::Embedding>(), {of({6, 4})});
        packs(std::type_identity<op::Conv>(), {of({6, 4, 1}), std::nullopt, {{1}, {0}, {1}}});
    }
    const Tensor w = T::x({6, 4});
    for (const Tensor& wrong : {w.to_sparse(), w.to(at::Device("meta")), at::_neg_view(w)}) {
        test::refuses<InputError>([&] { Prepared<op::Linear, T::E>(wrong, std::nullopt); },
                                  {"'linear'", "dense", "cpu"});
        test::refuses<InputError>([&] { Prepared<op::Linear, T::E>(w, wrong[0]); }, {"'linear'", "dense", "cpu"});
    }
}

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
    if constexpr (has_kernel<op::Draw, TestType, precision::Fp32>) {
        T::template refuses<op::Draw>("draw", x, T::x({2}), 0.7);
        T::template refuses<op::Draw>("draw", x, T::x({3, 1}), 0.7);
        T::template refuses<op::Draw>("draw", x, T::x({3}).to(at::kHalf), 0.7);
        T::template refuses<op::Draw>("draw", x, T::x({3}), 0.0);
    }
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
    step_refuses(one, k, T::x({2, 2, 5, 4}), filled, none);
    step_refuses(one, k, k, T::longs({3, 3}), none);
    step_refuses(one, k, k, filled.to(at::kInt), none);
    step_refuses(one, k, k, filled, mask.narrow(3, 0, 4));
    step_refuses(one, k, k, filled, mask.to(at::kHalf));
    if constexpr (TestType::type == c10::DeviceType::CPU) {  // where the host sees the numbers, they are checked too
        for (const std::int64_t n : {-1, 6}) {
            test::refuses<InputError>(
                [&] {
                    const op::Attends told{.lengths = T::longs({5, n})};
                    static_cast<void>(run<op::Attention, typename T::E>(q, k, k, told, 1.0));
                },
                {std::to_string(n) + " of 5 keys"});
        }
        for (const std::int64_t n : {-1, 0, 6}) {
            test::refuses<InputError>(
                [&] {
                    static_cast<void>(run<op::DecodeAttention, typename T::E>(one, k, k, T::longs({n}), none, 1.0));
                },
                {std::to_string(n) + " of 5 slots"});
        }
    }
}

TEMPLATE_LIST_TEST_CASE("Positions and caches refuse what does not fit", "", test::Devices) {
    if (!test::present<TestType>()) return;
    using T = On<TestType>;
    const Tensor x = T::x({2, 3, 16, 8}), angles = T::x({1, 16, 4});
    T::template refuses<op::Rotary>("rotary", x, T::x({1, 4, 4}), angles);
    T::template refuses<op::Rotary>("rotary", x, angles, T::x({1, 16, 8}));
    T::template refuses<op::Rotary>("rotary", x, T::x({3, 16, 4}), angles);
    T::template refuses<op::Rotary>("rotary", x, T::x({2, 16, 4}), angles);  // cos of each row, sin of all
    T::template refuses<op::Rotary>("rotary", x, angles, T::x({2, 16, 4}));
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
    step_refuses(qkv, turn, T::x({1, 1, 4}), slot);
    step_refuses(qkv, T::x({1, 1, 4}), turn, slot);
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
