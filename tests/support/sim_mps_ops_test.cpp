// The ops that the model families use run on the simulated MPS device, and give what the CPU gives.
#include "support/sim_mps_test.hpp"

#include <functional>

namespace sim = silica::test::sim_mps;
using at::Tensor;
using sim::mps;
using Tensors = std::vector<Tensor>;

namespace {

struct Case {
    std::string name;
    std::function<Tensor(const Tensors&)> run;
    Tensors inputs;
    bool float32_only = false;
};

Tensors on(c10::Device device, const Tensors& host, at::ScalarType dtype) {
    Tensors result;
    for (const Tensor& t : host) result.push_back(t.is_floating_point() ? t.to(device, dtype) : t.to(device));
    return result;
}

Tensor ids(at::IntArrayRef size, int64_t below) { return at::randint(0, below, size, at::kLong); }

std::vector<Case> cases() {
    const Tensor x = at::randn({2, 5, 8}), w = at::randn({4, 8}), b = at::randn({4}), g = at::rand({8}) + 0.5;
    const Tensor image = at::randn({1, 3, 8, 8}), sound = at::randn({1, 3, 20}), row = at::randn({2, 50});
    const Tensor mask = at::ones({5, 5}, at::kBool).tril();
    return {
        {"linear", [](auto& t) -> Tensor { return at::linear(t[0], t[1], t[2]); }, {x, w, b}},
        {"linear without bias", [](auto& t) -> Tensor { return at::linear(t[0], t[1]); }, {x, w}},
        {"addmm", [](auto& t) -> Tensor { return at::addmm(t[2], t[0][0], t[1].t()); }, {x, w, b}},
        {"mm", [](auto& t) -> Tensor { return at::mm(t[0], t[0].t()); }, {w}},
        {"bmm", [](auto& t) -> Tensor { return at::bmm(t[0], t[0].transpose(1, 2)); }, {x}},
        {"baddbmm",
         [](auto& t) -> Tensor { return at::baddbmm(at::zeros_like(t[1]), t[0], t[0].mT()); },
         {x, at::zeros({2, 5, 5})}},
        {"matmul", [](auto& t) -> Tensor { return at::matmul(t[0], t[1].t()); }, {x, w}},
        {"einsum", [](auto& t) -> Tensor { return at::einsum("bij,bkj->bik", {t[0], t[0]}); }, {x}},
        {"layer_norm", [](auto& t) -> Tensor { return at::layer_norm(t[0], {8}, t[1], t[1], 1e-12); }, {x, g}},
        {"rms_norm", [](auto& t) -> Tensor { return at::rms_norm(t[0], {8}, t[1], 1e-6); }, {x, g}},
        {"group_norm", [](auto& t) -> Tensor { return at::group_norm(t[0], 1, t[1], t[1]); }, {sound, at::ones({3})}},
        {"batch_norm",
         [](auto& t) -> Tensor { return at::batch_norm(t[0], t[1], t[1], t[1], t[1], false, 0.1, 1e-5, false); },
         {image, at::ones({3})}},
        {"gelu", [](auto& t) -> Tensor { return at::gelu(t[0]); }, {x}},
        {"gelu tanh", [](auto& t) -> Tensor { return at::gelu(t[0], "tanh"); }, {x}},
        {"silu", [](auto& t) -> Tensor { return at::silu(t[0]); }, {x}},
        {"relu", [](auto& t) -> Tensor { return at::relu(t[0]); }, {x}},
        {"tanh", [](auto& t) -> Tensor { return at::tanh(t[0]); }, {x}},
        {"sigmoid", [](auto& t) -> Tensor { return at::sigmoid(t[0]); }, {x}},
        {"hardtanh", [](auto& t) -> Tensor { return at::hardtanh(t[0], 0, 6); }, {x}},
        {"elu", [](auto& t) -> Tensor { return at::elu(t[0]); }, {x}},
        {"mish", [](auto& t) -> Tensor { return at::mish(t[0]); }, {x}},
        {"softplus", [](auto& t) -> Tensor { return at::softplus(t[0]); }, {x}},
        {"leaky_relu", [](auto& t) -> Tensor { return at::leaky_relu(t[0]); }, {x}},
        {"softmax", [](auto& t) -> Tensor { return at::softmax(t[0], -1); }, {x}},
        {"softmax in float32", [](auto& t) -> Tensor { return at::softmax(t[0], -1, at::kFloat); }, {x}},
        {"log_softmax", [](auto& t) -> Tensor { return at::log_softmax(t[0], -1); }, {x}},
        {"logsumexp", [](auto& t) -> Tensor { return at::logsumexp(t[0], {1}); }, {x}},
        {"attention", [](auto& t) -> Tensor { return at::scaled_dot_product_attention(t[0], t[0], t[0]); }, {x}},
        {"attention with a mask",
         [](auto& t) -> Tensor { return at::scaled_dot_product_attention(t[0], t[0], t[0], t[1]); },
         {x, mask}},
        {"embedding", [](auto& t) -> Tensor { return at::embedding(t[0], t[1]); }, {w, ids({2, 3}, 4)}},
        {"index_select", [](auto& t) -> Tensor { return at::index_select(t[0], 1, t[1]); }, {x, ids({3}, 5)}},
        {"index", [](auto& t) -> Tensor { return t[0].index({t[1]}); }, {x, ids({3}, 2)}},
        {"index by mask", [](auto& t) -> Tensor { return t[0].index({t[1]}); }, {at::randn({5, 5}), mask}},
        {"index_copy_",
         [](auto& t) -> Tensor { return t[0].clone().index_copy_(1, t[1], t[0].slice(1, 0, 1)); },
         {x, ids({1}, 5)}},
        {"index_add", [](auto& t) -> Tensor { return t[0].index_add(1, t[1], t[0].slice(1, 0, 1)); }, {x, ids({1}, 5)}},
        {"gather", [](auto& t) -> Tensor { return at::gather(t[0], 1, t[1]); }, {row, ids({2, 4}, 50)}},
        {"scatter",
         [](auto& t) -> Tensor { return at::scatter(t[0], 1, t[1], 7.0); },
         {row, at::arange(4).view({2, 2})}},
        {"masked_fill", [](auto& t) -> Tensor { return t[0].masked_fill(t[1], -1e4); }, {at::randn({5, 5}), mask}},
        {"where",
         [](auto& t) -> Tensor { return at::where(t[1], t[0], at::zeros_like(t[0])); },
         {at::randn({5, 5}), mask}},
        {"topk", [](auto& t) -> Tensor { return std::get<0>(at::topk(t[0], 5)); }, {row}},
        {"sort", [](auto& t) -> Tensor { return std::get<0>(at::sort(t[0], -1, true)); }, {row}},
        {"argsort", [](auto& t) -> Tensor { return at::argsort(t[0], true, -1, true); }, {row}},
        {"argmax", [](auto& t) -> Tensor { return at::argmax(t[0], -1); }, {row}},
        {"max over a dimension", [](auto& t) -> Tensor { return std::get<0>(at::max(t[0], -1)); }, {row}},
        {"amax", [](auto& t) -> Tensor { return at::amax(t[0], {1}); }, {row}},
        {"cumsum", [](auto& t) -> Tensor { return at::cumsum(t[0], 1); }, {row}},
        {"cumsum of integers", [](auto& t) -> Tensor { return at::cumsum(t[0], 1); }, {ids({2, 9}, 5)}},
        {"mean", [](auto& t) -> Tensor { return t[0].mean(at::IntArrayRef{1}); }, {x}},
        {"var", [](auto& t) -> Tensor { return at::var(t[0], at::IntArrayRef{-1}, false); }, {x}},
        {"norm", [](auto& t) -> Tensor { return at::norm(t[0], 2, {-1}, true); }, {x}},
        {"linalg_vector_norm",
         [](auto& t) -> Tensor { return at::linalg_vector_norm(t[0], 2, at::IntArrayRef{-1}); },
         {x}},
        {"multinomial of one",
         [](auto& t) -> Tensor { return at::multinomial(t[0], 1); },
         {at::one_hot(ids({2}, 9), 9).to(at::kFloat)}},
        {"conv1d",
         [](auto& t) -> Tensor { return at::conv1d(t[0], t[1], t[2], 2, 1); },
         {sound, at::randn({6, 3, 4}), at::randn({6})}},
        {"conv1d in groups",
         [](auto& t) -> Tensor {
             return at::conv1d(t[0], t[1], Tensor(), at::IntArrayRef{1}, at::IntArrayRef{64}, 1, 3);
         },
         {sound, at::randn({6, 1, 128})}},
        {"conv1d dilated",
         [](auto& t) -> Tensor { return at::conv1d(t[0], t[1], Tensor(), at::IntArrayRef{1}, at::IntArrayRef{0}, 3); },
         {sound, at::randn({6, 3, 4})}},
        {"conv2d",
         [](auto& t) -> Tensor { return at::conv2d(t[0], t[1], t[2], 2); },
         {image, at::randn({5, 3, 2, 2}), at::randn({5})}},
        {"conv3d",
         [](auto& t) -> Tensor { return at::conv3d(t[0], t[1]); },
         {image.unsqueeze(2), at::randn({5, 3, 1, 2, 2})}},
        {"conv_transpose1d",
         [](auto& t) -> Tensor { return at::conv_transpose1d(t[0], t[1], t[2], 2); },
         {sound, at::randn({3, 2, 4}), at::randn({2})}},
        {"conv_transpose2d",
         [](auto& t) -> Tensor { return at::conv_transpose2d(t[0], t[1]); },
         {image, at::randn({3, 2, 4, 4})}},
        {"avg_pool1d", [](auto& t) -> Tensor { return at::avg_pool1d(t[0], 2); }, {sound}},
        {"avg_pool2d", [](auto& t) -> Tensor { return at::avg_pool2d(t[0], 2); }, {image}},
        {"max_pool1d", [](auto& t) -> Tensor { return at::max_pool1d(t[0], 2); }, {sound}},
        {"max_pool2d", [](auto& t) -> Tensor { return at::max_pool2d(t[0], 3, 2, 1); }, {image}},
        {"adaptive_avg_pool1d", [](auto& t) -> Tensor { return at::adaptive_avg_pool1d(t[0], 5); }, {sound}},
        {"adaptive_avg_pool2d", [](auto& t) -> Tensor { return at::adaptive_avg_pool2d(t[0], {4, 4}); }, {image}},
        {"upsample_bicubic2d",
         [](auto& t) -> Tensor { return at::upsample_bicubic2d(t[0], {16, 16}, false); },
         {image}},
        {"upsample_bilinear2d",
         [](auto& t) -> Tensor { return at::upsample_bilinear2d(t[0], {16, 16}, false); },
         {image}},
        {"upsample_nearest2d", [](auto& t) -> Tensor { return at::upsample_nearest2d(t[0], {16, 16}); }, {image}},
        {"upsample_linear1d", [](auto& t) -> Tensor { return at::upsample_linear1d(t[0], 31, false); }, {sound}},
        {"bicubic with antialiasing",
         [](auto& t) -> Tensor { return at::_upsample_bicubic2d_aa(t[0], {4, 4}, false); },
         {image},
         true},
        {"grid_sampler",
         [](auto& t) -> Tensor { return at::grid_sampler(t[0], t[1], 0, 0, false); },
         {image, at::rand({1, 4, 4, 2})}},
        {"pad", [](auto& t) -> Tensor { return at::constant_pad_nd(t[0], {1, 2}, 0); }, {sound}},
        {"reflection_pad1d", [](auto& t) -> Tensor { return at::reflection_pad1d(t[0], {2, 2}); }, {sound}},
        {"weight_norm",
         [](auto& t) -> Tensor { return at::_weight_norm(t[0], t[1], 0); },
         {at::randn({4, 3, 2}), at::rand({4, 1, 1})}},
        {"stft",
         [](auto& t) -> Tensor {
             return at::view_as_real(at::stft(t[0], 100, 50, 100, t[1], true, "reflect", false, true, true));
         },
         {at::randn({1, 400}), at::hann_window(100)},
         true},
        {"rfft", [](auto& t) -> Tensor { return at::fft_rfft(t[0]).abs(); }, {at::randn({1, 400})}, true},
        {"unfold", [](auto& t) -> Tensor { return t[0].unfold(1, 4, 2).contiguous(); }, {row}},
        {"im2col", [](auto& t) -> Tensor { return at::im2col(t[0], {2, 2}, {1, 1}, {0, 0}, {2, 2}); }, {image}},
        {"repeat_interleave", [](auto& t) -> Tensor { return at::repeat_interleave(t[0], 2, 1); }, {x}},
        {"roll and flip", [](auto& t) -> Tensor { return t[0].roll(1, 0).flip({1}); }, {x}},
        {"tril", [](auto& t) -> Tensor { return at::tril(t[0]); }, {x}},
        {"cat and stack",
         [](auto& t) -> Tensor { return at::stack({at::cat({t[0], t[0]}, 1), t[0].repeat({1, 2, 1})}); },
         {x}},
        {"bucketize", [](auto& t) -> Tensor { return at::bucketize(t[0], t[1]); }, {row, at::arange(9).to(at::kFloat)}},
        {"isin", [](auto& t) -> Tensor { return at::isin(t[0], t[1]); }, {ids({9}, 5), ids({2}, 5)}},
        {"nonzero", [](auto& t) -> Tensor { return at::nonzero(t[0]); }, {mask}},
        {"cdist", [](auto& t) -> Tensor { return at::cdist(t[0], t[0].flip({1})); }, {x}, true},
        {"pow, exp, log, sqrt, rsqrt",
         [](auto& t) -> Tensor { return t[0].pow(2).add(1).log().exp().sqrt().rsqrt(); },
         {x}},
        {"sin, cos, erf, clamp",
         [](auto& t) -> Tensor { return t[0].sin().add(t[0].cos()).erf().clamp(-0.5, 0.5); },
         {x}},
        {"lerp, addcmul, div by trunc",
         [](auto& t) -> Tensor { return at::addcmul(t[0], t[0], t[0]).lerp(t[0], 0.5).div(3, "trunc"); },
         {x}},
        {"comparison and logic",
         [](auto& t) -> Tensor { return (t[0] > 0).logical_and(t[0] < 1).logical_not().any(-1); },
         {x}},
        {"remainder, floor_divide",
         [](auto& t) -> Tensor { return t[0].remainder(3) + t[0].floor_divide(2); },
         {ids({9}, 100)}},
        {"one_hot", [](auto& t) -> Tensor { return at::one_hot(t[0], 9); }, {ids({4}, 9)}},
        {"pixel_shuffle", [](auto& t) -> Tensor { return at::pixel_shuffle(t[0], 2); }, {at::randn({1, 4, 3, 3})}},
        {"glu", [](auto& t) -> Tensor { return at::glu(t[0], -1); }, {x}},
        {"meshgrid, linspace", [](auto& t) -> Tensor { return t[0] + at::linspace(-1, 1, 8, t[0].options()); }, {x}},
    };
}

}  // namespace

TEST_CASE("The families' ops give on the device what they give on the CPU, in every floating-point type") {
    at::Generator(at::detail::getDefaultCPUGenerator()).set_current_seed(7);  // `manual_seed` asks for the accelerator
    for (const Case& c : cases()) {
        for (const auto dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
            if (c.float32_only && dtype != at::kFloat) continue;
            INFO(c.name << " in " << dtype);
            try {
                const Tensor want = c.run(on(c10::Device("cpu"), c.inputs, dtype));
                const Tensor got = c.run(on(mps, c.inputs, dtype));
                CHECK(got.is_mps());
                CHECK(got.scalar_type() == want.scalar_type());
                const double tolerance = dtype == at::kFloat ? 1e-5 : 2e-2;
                CHECK(at::allclose(got.cpu().to(at::kFloat), want.to(at::kFloat), tolerance, tolerance, true));
            } catch (const c10::Error& e) {
                FAIL_CHECK(e.what_without_backtrace());
            }
        }
    }
}

TEST_CASE("Ops that only the CPU lacks in half precision run on the device") {
    const Tensor image = at::randn({1, 3, 8, 8});
    const Tensor want = at::_upsample_bicubic2d_aa(image.to(at::kHalf).to(at::kFloat), {4, 4}, false).to(at::kHalf);
    CHECK(at::equal(at::_upsample_bicubic2d_aa(image.to(mps, at::kHalf), {4, 4}, false).cpu(), want));
    Tensor out = at::empty({0}, at::TensorOptions().device(mps).dtype(at::kHalf));
    at::_upsample_bicubic2d_aa_out(out, image.to(mps, at::kHalf), {4, 4}, false);
    CHECK(at::equal(out.cpu(), want));
}

TEST_CASE("Int4 weights: packed and multiplied as on MPS") {
    const int64_t n = 16, k = 64, group = 32;
    const Tensor q = at::randint(0, 16, {n, k}, at::kByte), scale = at::rand({k / group, n}),
                 zero = at::randn({k / group, n});
    const Tensor even = q.slice(1, 0, k, 2), odd = q.slice(1, 1, k, 2);
    const Tensor packed = at::_convert_weight_to_int4pack(even.bitwise_left_shift(4).bitwise_or(odd).to(mps), 2);
    CHECK(packed.sizes() == at::IntArrayRef({2, 2, 32, 1}));
    const Tensor x = at::randn({3, k}), table = at::stack({scale, zero}, -1);
    const Tensor each_scale = scale.t().repeat_interleave(group, 1), each_zero = zero.t().repeat_interleave(group, 1);
    const Tensor want = at::matmul(x, ((q.to(at::kFloat) - 8) * each_scale + each_zero).t());
    const Tensor got = at::_weight_int4pack_mm(x.to(mps), packed, group, table.to(mps));
    CHECK(at::allclose(got.cpu(), want, 1e-4, 1e-4));
    CHECK_THROWS(at::_weight_int4pack_mm(x.to(mps), packed, 16, table.to(mps)));
}
