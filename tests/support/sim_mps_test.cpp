// The simulated MPS device refuses what a Mac refuses, in the same words, and takes what a Mac takes.
#include "support/sim_mps_test.hpp"
#include "silica/device/mps/bundled.hpp"

namespace sim = silica::test::sim_mps;
using at::Tensor;
using sim::contains, sim::mps, sim::on_mps, sim::thrown;

namespace {

/// `f` gives on the device what it gives on the host.
template <class F>
bool same(F f, at::ArrayRef<Tensor> inputs) {
    const std::vector<Tensor> host(inputs.begin(), inputs.end());
    std::vector<Tensor> device;
    for (const Tensor& t : inputs) device.push_back(t.defined() ? t.to(mps) : t);
    const Tensor want = f(host), got = f(device);
    return got.is_mps() && got.scalar_type() == want.scalar_type() && at::allclose(got.cpu(), want, 1e-5, 1e-6, true);
}

}  // namespace

TEST_CASE("Tensors go to the device and back unchanged, and the bytes are counted") {
    const Tensor x = at::randn({4, 5});
    sim::reset();
    const Tensor y = x.to(mps);
    CHECK(y.is_mps());
    CHECK(sim::counters().h2d_bytes == 80);
    CHECK(at::equal(y.cpu(), x));
    CHECK(sim::counters().d2h_bytes == 80);
    CHECK(sim::counters().implicit_syncs == 2);
    CHECK(at::equal(x.t().to(mps).cpu(), x.t()));
    CHECK(at::equal(x.to(mps, at::kHalf).cpu(), x.to(at::kHalf)));
    CHECK(at::equal(x.to(at::kDouble).to(mps, at::kFloat).cpu(), x));
    CHECK(y[0][0].item<float>() == x[0][0].item<float>());
    Tensor z = at::empty({4, 5}, on_mps);
    z.copy_(x.slice(0, 0, 1));
    CHECK(at::equal(z.cpu(), x.slice(0, 0, 1).expand({4, 5})));
}

TEST_CASE("Views share the memory of what they view") {
    const Tensor x = at::arange(24, on_mps).view({2, 3, 4});
    x.transpose(1, 2).select(0, 1).slice(0, 1, 3).fill_(7);
    CHECK(x.cpu().sum().item<int64_t>() == 12 * 11 / 2 + (12 + 15 + 16 + 19 + 20 + 23) + 6 * 7);
    CHECK(x.unsqueeze(0).expand({3, 2, 3, 4}).contiguous().is_mps());
    CHECK(x.permute({2, 0, 1}).reshape({-1}).size(0) == 24);
    Tensor out = at::empty({0}, on_mps);
    at::add_out(out, x, x);
    CHECK(at::equal(out.cpu(), x.cpu() * 2));
    const Tensor bits = at::ones({2}, on_mps).view(at::kInt);
    CHECK(bits.scalar_type() == at::kInt);
}

TEST_CASE("float64 is refused with LibTorch's TypeErrors") {
    const std::string factory =
        "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support "
        "float64. Please use float32 instead.";
    CHECK(thrown<c10::TypeError>([] { return at::empty({2}, on_mps.dtype(at::kDouble)); }) == factory);
    CHECK(thrown<c10::TypeError>([] { return at::zeros({2}, at::kDouble).to(mps); }) == factory);
    CHECK(thrown<c10::TypeError>([] { return at::ones({2}, on_mps).to(at::kDouble); }) == factory);
    CHECK(thrown<c10::TypeError>([] { return at::ones({2}, on_mps).sum(at::kDouble); }) == factory);
    CHECK(thrown<c10::TypeError>([] { return at::ones({2}, on_mps).to(c10::Device("cpu"), at::kDouble); }) ==
          "Cannot convert a float64 Tensor to MPS as the MPS framework doesn't support float64. Please use float32 "
          "instead.");
    CHECK(thrown<c10::TypeError>([] { return at::zeros({2}, at::kComplexDouble).to(mps); }) ==
          "Trying to convert ComplexDouble to the MPS backend but it does not have support for that dtype.");
    CHECK(thrown<c10::TypeError>([] { return at::zeros({2}).to(at::kFloat8_e4m3fn).to(mps); }) ==
          "Trying to convert Float8_e4m3fn to the MPS backend but it does not have support for that dtype.");
}

TEST_CASE("Ranks above 16 are refused") {
    const std::vector<int64_t> size(17, 1);
    CHECK(thrown<c10::Error>([&] { return at::empty(size, on_mps); }) ==
          "MPS supports tensors with dimensions <= 16, but got 17.");
}

TEST_CASE("Operands on the device and on the host do not mix, except scalars and indices") {
    const Tensor x = at::arange(12, on_mps.dtype(at::kFloat)).view({3, 4}), h = at::ones({3, 4});
    const std::string mixed =
        "Expected all tensors to be on the same device, but found at least two devices, mps:0 and cpu!";
    CHECK(thrown<c10::Error>([&] { return x + h; }) == mixed);
    CHECK(thrown<c10::Error>([&] { return at::cat({x, h}); }) == mixed);
    CHECK(thrown<c10::Error>([&] { return at::mm(h, x.t()); }) == mixed);
    CHECK(thrown<c10::Error>([&] { return at::linear(x, h); }) ==
          "Tensor for argument weight is on cpu but expected on mps");
    CHECK((x * at::scalar_tensor(2.0F)).is_mps());
    CHECK(x.index({at::tensor({0, 2}, at::kLong)}).size(0) == 2);
    Tensor y = x.clone();
    y.index_put_({at::tensor({0, 2}, at::kLong).to(mps)}, at::zeros({2, 4}, on_mps));
    CHECK(y.sum().item<float>() == 4 + 5 + 6 + 7);
}

TEST_CASE("Ops without an MPS kernel throw NotImplementedError in LibTorch's words, named as dispatch names them") {
    const Tensor x = at::arange(6, on_mps.dtype(at::kFloat)), i = at::zeros({1}, on_mps.dtype(at::kLong));
    const std::string text = thrown<c10::NotImplementedError>([&] { return x.take(i); });
    CHECK(contains(text,
                   "The operator 'aten::take' is not currently implemented for the MPS device. If you want this "
                   "op to be considered for addition please comment on "
                   "https://github.com/pytorch/pytorch/issues/141287 and mention use-case"));
    CHECK(contains(text,
                   "you can set the environment variable `PYTORCH_ENABLE_MPS_FALLBACK=1` to use the CPU as a "
                   "fallback for this op. WARNING: this will be slower than running natively on MPS."));
    const auto name = [](const auto& f) { return thrown<c10::NotImplementedError>(f); };
    CHECK(contains(name([&] { return x.mode(); }), "'aten::mode'"));
    CHECK(contains(name([&] { return at::heaviside(x, x); }), "'aten::heaviside.out'"));
    CHECK(contains(name([&] { return at::logspace(0, 1, 5, 10.0, on_mps); }), "'aten::logspace.out'"));
    CHECK(contains(name([&] { return at::adaptive_avg_pool3d(x.view({1, 1, 1, 2, 3}), {1, 2, 1}); }),
                   "'aten::_adaptive_avg_pool3d'"));
}

TEST_CASE("Convolutions with a dimension above 65536 are refused before macOS 15.1") {
    const sim::Settings settings;
    const Tensor sound = at::zeros({1, 1, 65540}, on_mps), filter = at::ones({1, 1, 3}, on_mps);
    const Tensor image = at::zeros({1, 1, 1, 65540}, on_mps), kernel = at::ones({1, 1, 1, 3}, on_mps);
    const std::string refused = "Output channels > 65536 not supported at the MPS device. ";
    sim::set_macos(15, 0);
    CHECK(thrown<c10::NotImplementedError>([&] { return at::conv1d(sound, filter); }) == refused);
    CHECK(thrown<c10::NotImplementedError>([&] { return at::conv2d(image, kernel); }) == refused);
    CHECK(at::conv1d(sound, filter, {}, 2).size(2) == 32769);
    sim::set_macos(15, 1);
    CHECK(at::conv1d(sound, filter).size(2) == 65538);
    CHECK(thrown<c10::Error>([] {
              return at::conv1d(at::ones({1, 1, 5}, on_mps.dtype(at::kInt)),
                                at::ones({1, 1, 3}, on_mps.dtype(at::kInt)));
          }) == "Convolution is supported only for Floating types");
    CHECK(contains(thrown<c10::Error>([&] { return at::conv2d(image.cpu(), kernel); }),
                   "slow_conv2d_forward_mps: input(device='cpu') and weight(device=mps:0')  must be on the same"));
    CHECK(contains(thrown<c10::Error>([&] { return at::conv2d(image, kernel.cpu()); }), "should be the same"));
}

TEST_CASE("Attention is counted by what would compute it on a Mac, by head size") {
    const auto attend = [](std::int64_t queries, std::int64_t size) {
        sim::reset();
        const Tensor q = at::randn({1, 2, queries, size}).to(mps), k = at::randn({1, 2, 9, size}).to(mps);
        static_cast<void>(at::scaled_dot_product_attention(q, k, k));
        return sim::counters().attention;
    };
    using Paths = std::map<std::string, std::size_t>;
    const bool many = !silica::device::mps::libtorch_before(2, 13);  // kernels for many queries came with 2.13
    CHECK(attend(1, 64) == Paths{{"few 64", 1}});
    CHECK(attend(8, 128) == Paths{{"few 128", 1}});
    CHECK(attend(9, 64) == Paths{{many ? "many 64" : "graph 64", 1}});
    CHECK(attend(1, 80) == Paths{{many ? "many 80" : "graph 80", 1}});
    CHECK(attend(1, 48) == Paths{{"graph 48", 1}});
    CHECK(attend(9, 48) == Paths{{"graph 48", 1}});
}

TEST_CASE("Attention is routed as in an Apple build") {
    const sim::Settings settings;
    const Tensor q = at::randn({1, 2, 5, 8});
    const auto attend = [](const Tensor& x) { return at::scaled_dot_product_attention(x, x, x, {}, 0.0, true); };
    const auto fused = "aten::_scaled_dot_product_attention_math_for_mps";
    {
        const sim::Recorder recorder;
        CHECK(at::allclose(attend(q.to(mps)).cpu(), attend(q), 1e-4, 1e-5));
        CHECK(recorder.ops() == std::vector<std::string>{"aten::copy_", fused, "aten::copy_"});
    }
    const Tensor permuted = q.to(mps).transpose(1, 2).contiguous().transpose(1, 2);
    for (const auto& [major, fuses] : {std::pair{14U, false}, std::pair{15U, true}}) {
        sim::set_macos(major);
        const sim::Recorder recorder;
        CHECK(at::allclose(attend(permuted).cpu(), attend(q), 1e-4, 1e-5));
        CHECK(recorder.saw(fused) == fuses);
        CHECK(recorder.saw("aten::_softmax") == !fuses);
    }
    const Tensor grouped = at::randn({1, 4, 5, 8}), k = at::randn({1, 2, 5, 8});
    const auto gqa = [](at::ArrayRef<Tensor> t) {
        return at::scaled_dot_product_attention(t[0], t[1], t[1], {}, 0.0, false, std::nullopt, true);
    };
    CHECK(same(gqa, {grouped, k}));
    CHECK(contains(thrown<c10::Error>([&] { return at::scaled_dot_product_attention(q.to(mps), q, q); }),
                   "to have the same device type"));
    const Tensor mask = at::ones({5, 5}, at::kBool).tril();
    CHECK(same([](auto t) { return at::scaled_dot_product_attention(t[0], t[0], t[0], t[1]); }, {q, mask}));
}
