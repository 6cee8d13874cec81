// What is CUDA's own: kernels compiled at run time and what serves without them, sizes that are awkward for them,
// graphs. Without an NVIDIA GPU the plain kernels are run on CPU tensors: they are what a LibTorch without NVRTC falls
// back to.
#include <limits>

#include <ATen/ops/tensor.h>

#include "silica/device/cuda/graph.hpp"
#include "silica/run.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"

using namespace silica;
using device::Cuda;
namespace cuda = device::cuda;

namespace {

using Kept = std::optional<Tensor>;

/// Own kernels off while it is alive.
class WithoutOwnKernels {
public:
    WithoutOwnKernels() { cuda::own_kernels = false; }
    ~WithoutOwnKernels() { cuda::own_kernels = true; }
    WithoutOwnKernels(const WithoutOwnKernels&) = delete;
    WithoutOwnKernels& operator=(const WithoutOwnKernels&) = delete;
};

template <class F>
void in_every_precision(F f) {
    boost::hana::for_each(test::precisions, [&](auto p) {
        using P = typename decltype(p)::type;
        INFO(P::name);
        f.template operator()<P>();
    });
}

/// The GPU, or the CPU where there is none.
c10::Device somewhere() { return Cuda::available() ? test::place<Cuda>() : c10::Device(c10::DeviceType::CPU); }

Tensor f64(const Tensor& t) { return t.to(at::kCPU).to(at::kDouble); }

template <class P>
double sum_tolerance(std::int64_t n) {
    return test::tolerance<P>() * std::max(1.0, std::sqrt(static_cast<double>(n)) / 4);
}

Tensor activation(const Tensor& x, Activation act) {
    return act == Activation::silu ? x / (1 + (-x).exp()) : act == Activation::relu ? x.clamp_min(0) : x;
}

/// All four products with `rows` rows of `k` values and `n` outputs, against their equations.
template <class P>
void check_products(std::int64_t rows, std::int64_t k, std::int64_t n, bool biased) {
    CAPTURE(rows, k, n, biased);
    const auto home = somewhere();
    const double scale = 1 / std::sqrt(static_cast<double>(k));
    const Tensor x = test::random({rows, k}, 1, P::compute), r = test::random({rows, n}, 2, P::compute);
    const Tensor w = (test::random({2 * n, k}, 3) * scale).to(P::compute), b = test::random({2 * n}, 4, P::compute);
    const Tensor there = x.to(home), all = w.to(home);
    const auto weights = [&](std::int64_t outputs) {
        return op::Plain{all.narrow(0, 0, outputs), biased ? Kept(b.narrow(0, 0, outputs).to(home)) : std::nullopt};
    };
    const Tensor y = f64(x).matmul(f64(w).t()) + (biased ? f64(b) : at::zeros({2 * n}, at::kDouble));
    const Tensor first = y.narrow(1, 0, n), second = y.narrow(1, n, n);
    const double tolerance = sum_tolerance<P>(64);
    const Tensor scale_there = (1 + test::random({k}, 5) / 8).to(P::compute), unit = scale_there.to(home);
    const Tensor h = f64(Kernel<op::RmsNorm, Cuda>::run(there, unit, 1e-5));
    const Tensor normed = h.matmul(f64(w).t()) + (biased ? f64(b) : at::zeros({2 * n}, at::kDouble));
    CHECK(test::differs(Kernel<op::RmsNormLinear, Cuda>::run(there, unit, 1e-5, weights(n)), normed.narrow(1, 0, n),
                        tolerance) == "");
    CHECK(test::differs(Kernel<op::RmsNormLinearGated, Cuda>::run(there, unit, 1e-5, weights(2 * n), Activation::silu),
                        activation(normed.narrow(1, 0, n), Activation::silu) * normed.narrow(1, n, n),
                        2 * tolerance) == "");
    CHECK(test::differs(Kernel<op::Linear, Cuda>::run(there, weights(n)), first, tolerance) == "");
    CHECK(test::differs(Kernel<op::LinearAdd, Cuda>::run(there, weights(n), r.to(home)), first + f64(r), tolerance) ==
          "");
    CHECK(test::differs(Kernel<op::LinearActivation, Cuda>::run(there, weights(n), Activation::relu),
                        activation(first, Activation::relu), tolerance) == "");
    CHECK(test::differs(Kernel<op::LinearGated, Cuda>::run(there, weights(2 * n), Activation::silu),
                        activation(first, Activation::silu) * second, 2 * tolerance) == "");
}

struct Cache {
    std::int64_t batch, heads, kv_heads, d, capacity, filled;
};

/// op::DecodeAttention with each kind of mask; the cache holds NaN beyond what is filled.
template <class P>
void check_decode_attention(const Cache& c) {
    CAPTURE(c.batch, c.heads, c.kv_heads, c.d, c.capacity, c.filled);
    const auto home = somewhere();
    const Tensor q = test::random({c.batch, c.heads, 1, c.d}, 1, P::compute);
    const Tensor k = test::random({c.batch, c.kv_heads, c.capacity, c.d}, 2, P::compute);
    const Tensor v = test::random({c.batch, c.kv_heads, c.capacity, c.d}, 3, P::compute);
    const Tensor filled = at::full({1}, c.filled, at::kLong);
    Tensor beyond_k = k.clone(), beyond_v = v.clone();
    if (Cuda::available() && cuda::has_nvrtc() && c.d % 32 == 0) {  // what is not filled is not read
        beyond_k.narrow(2, c.filled, c.capacity - c.filled).fill_(std::numeric_limits<double>::quiet_NaN());
        beyond_v.narrow(2, c.filled, c.capacity - c.filled).fill_(std::numeric_limits<double>::quiet_NaN());
    }
    Tensor kept = test::random({c.batch, 1, 1, c.capacity}, 4) > -0.5;
    if (c.batch > 1) kept[0].fill_(false);  // attends to nothing
    const Tensor added = test::random({1, c.heads, 1, c.capacity}, 5);
    const double scale = 1 / std::sqrt(static_cast<double>(c.d));
    const auto group = c.heads / c.kv_heads;
    const auto repeated = [&](const Tensor& t) { return f64(t.narrow(2, 0, c.filled)).repeat_interleave(group, 1); };
    const Tensor scores = f64(q).matmul(repeated(k).transpose(-2, -1)) * scale;
    for (const Kept& mask : {Kept(), Kept(kept), Kept(added), Kept(added.to(P::compute))}) {
        Tensor s = scores;
        if (mask && mask->scalar_type() == at::kBool)
            s = at::where(mask->narrow(3, 0, c.filled), s, -std::numeric_limits<double>::infinity());
        else if (mask)
            s = s + f64(*mask).narrow(3, 0, c.filled);
        const Tensor e = (s - s.amax(-1, true).clamp_min(-1e300)).exp(), sum = e.sum(-1, true);
        const Tensor want = (e / at::where(sum == 0, at::ones({}, at::kDouble), sum)).matmul(repeated(v));
        if (mask && mask->scalar_type() == at::kFloat && P::compute != at::kFloat && !cuda::has_nvrtc()) continue;
        CAPTURE(mask ? std::string(c10::toString(mask->scalar_type())) : "no mask");
        const Tensor y =
            Kernel<op::DecodeAttention, Cuda>::run(q.to(home), beyond_k.to(home), beyond_v.to(home), filled.to(home),
                                                   mask ? Kept(mask->to(home)) : mask, scale);
        CHECK(y.scalar_type() == P::compute);
        CHECK(test::differs(y, want, test::tolerance<P>()) == "");
    }
}

/// op::RotaryStore: q turned, k turned and v in slot `slot`, all else in the caches as it was.
template <class P>
void check_rotary_store(const Cache& c, std::int64_t slot) {
    CAPTURE(c.batch, c.heads, c.kv_heads, c.d, slot);
    const auto home = somewhere();
    const Tensor qkv = test::random({c.batch, 1, (c.heads + 2 * c.kv_heads) * c.d}, 1, P::compute);
    for (const auto rows : {std::int64_t{1}, c.batch}) {
        const Tensor angle = test::random({rows, 1, c.d / 2}, 2);
        const Tensor cos = angle.cos().to(P::compute), sin = angle.sin().to(P::compute);
        const Tensor k = test::random({c.batch, c.kv_heads, c.capacity, c.d}, 3, P::compute), v = k * 2;
        Tensor keys = k.to(home, k.scalar_type(), false, true), values = v.to(home, v.scalar_type(), false, true);
        const Tensor at = at::full({1}, slot, at::kLong).to(home);
        const Tensor q = Kernel<op::RotaryStore, Cuda>::run(qkv.to(home), cos.to(home), sin.to(home),
                                                            InOut<Tensor>{keys}, InOut<Tensor>{values}, at);
        const Tensor x = f64(qkv).view({c.batch, 1, c.heads + 2 * c.kv_heads, c.d}).transpose(1, 2);
        const auto half = c.d / 2;
        const auto turned = [&](const Tensor& t) {
            const Tensor a = t.narrow(-1, 0, half), b = t.narrow(-1, half, half), cs = f64(cos).unsqueeze(1),
                         sn = f64(sin).unsqueeze(1);
            return at::cat({a * cs - b * sn, b * cs + a * sn}, -1);
        };
        Tensor want_k = f64(k), want_v = f64(v);
        want_k.narrow(2, slot, 1).copy_(turned(x.narrow(1, c.heads, c.kv_heads)));
        want_v.narrow(2, slot, 1).copy_(x.narrow(1, c.heads + c.kv_heads, c.kv_heads));
        CHECK(test::differs(q, turned(x.narrow(1, 0, c.heads)), test::tolerance<P>()) == "");
        CHECK(test::differs(keys, want_k, test::tolerance<P>()) == "");
        CHECK(test::differs(values, want_v, 0) == "");
    }
}

template <class P>
void check_rows_and_gates() {
    const auto home = somewhere();
    for (const std::int64_t n : {1, 7, 8, 64, 896, 1001, 2048}) {
        CAPTURE(n);
        const Tensor x = test::random({3, n}, 1, P::compute), w = test::random({n}, 2, P::compute);
        const Tensor norm = f64(x) / ((f64(x) * f64(x)).mean(-1, true) + 1e-5).sqrt();
        CHECK(test::differs(Kernel<op::RmsNorm, Cuda>::run(x.to(home), w.to(home), 1e-5), norm * f64(w),
                            test::tolerance<P>()) == "");
        const Tensor both = test::random({2, 1, 2 * n}, 3, P::compute);
        for (const auto& [name, act] : activation_names) {
            CAPTURE(std::string(name));
            const Tensor want = f64(Kernel<op::Activate, Cuda>::run(both.narrow(-1, 0, n).to(at::kDouble), act)) *
                                f64(both.narrow(-1, n, n));
            CHECK(test::differs(Kernel<op::Gated, Cuda>::run(both.to(home), act), want, test::tolerance<P>()) == "");
        }
        Tensor y = test::random({2, n}, 4, P::compute);
        y[0][n / 2] = 100;
        y[0][n - 1] = 100;                                       // the first of equals
        y[1][n / 3] = std::numeric_limits<double>::quiet_NaN();  // above all numbers
        const Tensor at = Kernel<op::Argmax, Cuda>::run(y.to(home)).to(at::kCPU);
        CHECK(at.scalar_type() == at::kLong);
        CHECK(at[0].item<std::int64_t>() == n / 2);
        CHECK(at[1].item<std::int64_t>() == n / 3);
    }
    const Tensor none = at::full({1, 40}, -std::numeric_limits<double>::infinity(), test::options_of<P>());
    CHECK(Kernel<op::Argmax, Cuda>::run(none.to(home)).item<std::int64_t>() == 0);
}

const std::vector<Cache> caches = {
    {1, 4, 4, 64, 1, 1},      {1, 8, 2, 64, 192, 129}, {2, 14, 2, 64, 700, 333}, {2, 4, 1, 128, 300, 300},
    {1, 4, 2, 96, 40, 7},     {1, 2, 2, 32, 64, 33},   {3, 6, 2, 256, 513, 512}, {1, 4, 1, 64, 5000, 4097},
    {1, 6, 1, 128, 4500, 77}, {1, 2, 1, 20, 16, 9},    {1, 3, 3, 80, 65, 64},    {1, 32, 4, 64, 2048, 2048},
};

}  // namespace

TEST_CASE("Own CUDA kernels say why they are missing, or are there") {
    const auto& driver = cuda::Driver::get();
    CHECK(driver.usable == driver.reason.empty());
    CHECK(cuda::has_nvrtc() == driver.usable);
    if (!driver.usable) test::skip("own CUDA kernels: " + driver.reason);
    const WithoutOwnKernels off;
    CHECK(!cuda::has_nvrtc());
}

TEST_CASE("A kernel that does not compile is an error with the compiler's words") {
    if (!cuda::Driver::get().usable) return;
    const cuda::KernelSource wrong{"wrong", "extern \"C\" __global__ void wrong() { nonsense; }"};
    CHECK_THROWS_WITH(cuda::detail::compile(wrong, 80),
                      test::ContainsSubstring("wrong") && test::ContainsSubstring("nonsense"));
}

TEST_CASE("Without own kernels LibTorch's compute the same on CUDA") {
    const WithoutOwnKernels off;
    in_every_precision([]<class P>() {
        check_products<P>(1, 64, 24, true);
        check_products<P>(3, 40, 5, false);
        for (const auto& c : caches) {
            if (c.capacity <= 700) check_decode_attention<P>(c);
        }
        check_rotary_store<P>({2, 4, 2, 64, 16, 0}, 5);
        check_rows_and_gates<P>();
    });
}

TEST_CASE("Own CUDA kernels: products of few rows, of every size") {
    if (!test::present<Cuda>()) return;
    in_every_precision([]<class P>() {
        for (const auto& [k, n] : {std::pair<std::int64_t, std::int64_t>{8, 1},
                                   {24, 3},
                                   {1001, 7},
                                   {896, 1152},
                                   {2048, 1030},
                                   {5632, 130},
                                   {64, 17000}}) {
            check_products<P>(1, k, n, n % 2 == 0);
        }
        for (const std::int64_t rows : {2, 3, 4, 5}) {  // five are LibTorch's
            check_products<P>(rows, 24, 3, true);
            check_products<P>(rows, 896, 1152, rows % 2 == 0);
        }
        check_products<P>(4, 8192, 64, false);  // x is too large for a block's memory
    });
}

TEST_CASE("Own CUDA kernels: weights and inputs that begin at an odd address") {
    if (!test::present<Cuda>()) return;
    using E = Exec<Cuda, precision::Bf16>;
    const auto home = test::place<Cuda>();
    const Tensor x = test::random({65}, 1, at::kBFloat16), w = test::random({9 * 64 + 1}, 2, at::kBFloat16);
    const Tensor in = x.narrow(0, 1, 64), matrix = w.narrow(0, 1, 9 * 64).view({9, 64});
    const Tensor want = f64(matrix).matmul(f64(in));
    const Tensor odd = w.to(home).narrow(0, 1, 9 * 64).view({9, 64}),
                 even = matrix.to(home, at::kBFloat16, false, true);
    for (const Tensor& weight : {odd, even.contiguous()}) {
        const Prepared<op::Linear, E> packed(weight, std::nullopt);
        CHECK(test::differs(run<op::Linear, E>(x.to(home).narrow(0, 1, 64), packed), want, 6e-2) == "");
    }
}

TEST_CASE("Own CUDA kernels: attention to a cache of every size, head and mask") {
    if (!test::present<Cuda>()) return;
    in_every_precision([]<class P>() {
        for (const auto& c : caches) check_decode_attention<P>(c);
    });
}

TEST_CASE("Own CUDA kernels: rotary with its store, norms, gates, argmax") {
    if (!test::present<Cuda>()) return;
    in_every_precision([]<class P>() {
        for (const auto& c : caches) check_rotary_store<P>(c, c.filled - 1);
        check_rows_and_gates<P>();
    });
}

TEST_CASE("A CUDA graph does its work again on what its tensors hold then") {
    if (!test::present<Cuda>()) return;
    REQUIRE(cuda::Graph::available());
    const auto home = test::place<Cuda>();
    const auto options = at::TensorOptions().dtype(at::kFloat).device(home);
    const Tensor x = at::ones({1, 64}, options), w = at::ones({8, 64}, options);
    Tensor y;
    const auto work = [&] {
        const Tensor h = Kernel<op::Linear, Cuda>::run(x, op::Plain{w});
        y = Kernel<op::LinearAdd, Cuda>::run(at::cat({h, h, h, h, h, h, h, h}, -1), op::Plain{w}, h);
        x.add_(1);
    };
    work();
    CHECK(y[0][0].item<float>() == 64 * 64 + 64);
    cuda::Graph graph;
    cuda::record(graph, home, work);
    for (int step = 2; step < 6; ++step) {
        graph.replay();
        const float h = 64 * static_cast<float>(step);
        CHECK(y[0][7].item<float>() == 64 * h + h);
        const Tensor other = at::full({1 << 16}, -1, options);  // memory of the graph is its own
        CHECK(other[0].item<float>() == -1);
    }
    CHECK(x[0][0].item<float>() == 6);
}

TEST_CASE("A throw while a CUDA graph is recorded comes through, and the next recording works") {
    if (!test::present<Cuda>()) return;
    const auto home = test::place<Cuda>();
    const Tensor x = at::zeros({4}, at::TensorOptions().device(home));
    {
        cuda::Graph graph;
        CHECK_THROWS_AS(cuda::record(graph, home,
                                     [&] {
                                         x.add_(1);
                                         throw InputError("A mistake.", "none.");
                                     }),
                        InputError);
    }
    cuda::Graph graph;
    cuda::record(graph, home, [&] { x.add_(1); });
    graph.replay();
    graph.replay();
    CHECK(x[0].item<float>() == 2);
}
