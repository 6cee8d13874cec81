// Ops of images and sound that carry no packed weights: against their equations in float64, on every device, in every
// precision; their laws; and what the MPS kernels hand to LibTorch.
#include <limits>
#include <numbers>

#include <ATen/ops/tensor.h>

#include "silica/op/average_pool.hpp"
#include "silica/op/group_norm.hpp"
#include "silica/op/max_pool.hpp"
#include "silica/op/resize.hpp"
#include "silica/op/scores.hpp"
#include "silica/op/sine_positions.hpp"
#include "silica/op/softmax.hpp"
#include "silica/run.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/op_inputs.hpp"
#include "support/refuses.hpp"

using namespace silica;

namespace {

template <class F>
void in_every_precision(F f) {
    boost::hana::for_each(test::precisions, [&](auto p) {
        using P = typename decltype(p)::type;
        INFO(P::name);
        f.template operator()<P>();
    });
}

/// x with other strides: cut out of a wider tensor that has its second dimension last.
Tensor channels_last_slice(const Tensor& x) {
    auto shape = x.movedim(1, -1).sizes().vec();
    shape.back() += 2;
    const Tensor slice = at::zeros(shape, x.options()).narrow(-1, 1, x.size(1)).movedim(-1, 1);
    slice.copy_(x);
    return slice;
}

/// Keys' cubic kernel with a = -0.75, at distance d.
double cubic(double d) {
    constexpr double a = -0.75;
    d = std::abs(d);
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    return 0;
}

/// What each of `to` new pixels takes of `from` old ones: (to, from) in float64.
Tensor resampling_matrix(std::int64_t from, std::int64_t to, Resampling how, bool align_corners) {
    const Tensor m = at::zeros({to, from}, at::kDouble);
    auto w = m.accessor<double, 2>();
    const auto last = static_cast<double>(from - 1);
    const auto clamped = [&](double i) { return static_cast<std::int64_t>(std::clamp(i, 0.0, last)); };
    for (std::int64_t i = 0; i < to; ++i) {
        const auto n = static_cast<double>(i);
        if (how == Resampling::nearest) {
            const float scale = static_cast<float>(from) / static_cast<float>(to);
            w[i][clamped(std::floor(static_cast<float>(i) * scale))] = 1;
            continue;
        }
        const double corners = to == 1 ? 0 : n * last / static_cast<double>(to - 1);
        double place = align_corners ? corners : (n + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
        if (how == Resampling::bilinear) place = std::clamp(place, 0.0, last);
        const double first = std::floor(place);
        for (int k = how == Resampling::bilinear ? 0 : -1; k <= (how == Resampling::bilinear ? 1 : 2); ++k) {
            const double d = place - (first + k);
            w[i][clamped(first + k)] += how == Resampling::bilinear ? std::max(0.0, 1 - std::abs(d)) : cubic(d);
        }
    }
    return m;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("resize makes each new pixel of those around its place", "", test::Devices) {
    if (!test::present<TestType>()) return;
    struct Sizes {
        std::vector<std::int64_t> x;
        std::int64_t height, width;
    };
    const std::vector<Sizes> sizes = {{{2, 3, 5, 7}, 5, 7},  {{2, 3, 5, 7}, 10, 14},   {{2, 3, 5, 7}, 1, 1},
                                      {{2, 3, 5, 7}, 3, 16}, {{2, 3, 5, 7}, 8, 2},     {{1, 1, 1, 1}, 3, 2},
                                      {{0, 2, 3, 3}, 4, 5},  {{1, 8, 14, 14}, 20, 15}, {{1, 1, 1, 9}, 1, 4},
                                      {{1, 2, 33, 1}, 70, 1}};
    in_every_precision([&]<class P>() {
        using E = Exec<TestType, P>;
        for (const auto& [shape, height, width] : sizes) {
            const Tensor x = test::random(shape, 1, P::compute), there = x.to(test::place<TestType>());
            const std::int64_t h = height, w = width;
            const auto compare = [&](Resampling how, bool align_corners) {
                CAPTURE(shape_text(shape), h, w, static_cast<int>(how), align_corners);
                const Tensor rows = resampling_matrix(x.size(2), h, how, align_corners);
                const Tensor columns = resampling_matrix(x.size(3), w, how, align_corners);
                const Tensor want = rows.matmul(x.to(at::kDouble)).matmul(columns.t());
                const double tolerance = how == Resampling::nearest ? 0 : test::tolerance<P>();
                const FallbackScope fallbacks;
                const Tensor y = run<op::Resize, E>(there, h, w, how, align_corners);
                CHECK(y.scalar_type() == P::compute);
                CHECK(y.device() == there.device());
                CHECK(test::differs(y, want, tolerance) == "");
                const Tensor strided = channels_last_slice(there);
                CHECK(test::differs(run<op::Resize, E>(strided, h, w, how, align_corners), want, tolerance) == "");
                CHECK(fallbacks.report().empty());
            };
            compare(Resampling::nearest, false);
            for (const bool align_corners : {false, true}) {
                compare(Resampling::bilinear, align_corners);
                compare(Resampling::bicubic, align_corners);
            }
        }
    });
}

TEMPLATE_LIST_TEST_CASE("max_pool takes the largest value of each window, exactly", "", test::Devices) {
    if (!test::present<TestType>()) return;
    struct Window {
        std::vector<std::int64_t> x;
        std::int64_t kernel, stride, padding;
    };
    const std::vector<Window> windows = {{{2, 3, 9, 7}, 3, 2, 1}, {{1, 1, 1, 1}, 1, 1, 0}, {{1, 2, 5, 6}, 2, 2, 0},
                                         {{0, 2, 5, 5}, 3, 2, 1}, {{1, 4, 4, 9}, 4, 3, 2}, {{2, 1, 6, 6}, 3, 1, 0},
                                         {{1, 1, 2, 2}, 3, 2, 1}};
    in_every_precision([&]<class P>() {
        using E = Exec<TestType, P>;
        for (const auto& c : windows) {
            CAPTURE(shape_text(c.x), c.kernel, c.stride, c.padding);
            const Tensor x = test::random(c.x, 1, P::compute) - 5;  // below 0, so that padding would win if it counted
            const Tensor there = x.to(test::place<TestType>()), in = x.to(at::kDouble);
            const auto places = [&](std::int64_t n) { return (n + 2 * c.padding - c.kernel) / c.stride + 1; };
            const Tensor want = at::empty({x.size(0), x.size(1), places(x.size(2)), places(x.size(3))}, at::kDouble);
            const auto inside = [&](std::int64_t place, std::int64_t size) {
                const auto first = place * c.stride - c.padding;
                return std::pair(std::max<std::int64_t>(first, 0), std::min(first + c.kernel, size));
            };
            for (std::int64_t i = 0; i < want.size(2) && x.numel() > 0; ++i) {
                for (std::int64_t j = 0; j < want.size(3); ++j) {
                    const auto [top, bottom] = inside(i, x.size(2));
                    const auto [left, right] = inside(j, x.size(3));
                    want.select(3, j).select(2, i).copy_(in.slice(2, top, bottom).slice(3, left, right).amax({2, 3}));
                }
            }
            const FallbackScope fallbacks;
            const auto pool = [&](const Tensor& t) { return run<op::MaxPool, E>(t, c.kernel, c.stride, c.padding); };
            const Tensor y = pool(there);
            CHECK(y.scalar_type() == P::compute);
            CHECK(y.device() == there.device());
            CHECK(test::differs(y, want, 0) == "");
            CHECK(test::differs(pool(channels_last_slice(there)), want, 0) == "");
            CHECK(fallbacks.report().empty());
        }
    });
}

TEMPLATE_LIST_TEST_CASE("average_pool is the mean over all positions, summed in float32", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const std::vector<std::vector<std::int64_t>> shapes = {{2, 3, 5},    {2, 3, 5, 7},    {1, 1, 1},
                                                               {0, 3, 4, 4}, {1, 2, 3, 1, 4}, {1, 2, 64, 64}};
        for (const auto& shape : shapes) {
            CAPTURE(shape_text(shape));
            const Tensor x = test::random(shape, 1, P::compute) + 100, there = x.to(test::place<TestType>());
            const Tensor want = x.to(at::kDouble).flatten(2).mean(2);
            const FallbackScope fallbacks;
            const Tensor y = run<op::AveragePool, E>(there);
            CHECK(y.scalar_type() == P::compute);
            CHECK(test::differs(y, want, test::tolerance<P>()) == "");
            CHECK(test::differs(run<op::AveragePool, E>(channels_last_slice(there)), want, test::tolerance<P>()) == "");
            CHECK(fallbacks.report().empty());
        }
    });
}

TEMPLATE_LIST_TEST_CASE("group_norm(x) = (x - mean) / sqrt(var + eps) * w + b over groups of channels at all positions",
                        "", test::Devices) {
    if (!test::present<TestType>()) return;
    struct Group {
        std::vector<std::int64_t> x;
        std::int64_t groups;
        double eps;
    };
    const std::vector<Group> all = {{{2, 6, 5}, 3, 1e-5},    {{2, 6, 5}, 6, 1e-5},     {{2, 6, 5}, 1, 0.1},
                                    {{1, 8, 3, 5}, 4, 1e-5}, {{1, 8, 7, 7}, 8, 1e-5},  {{3, 4}, 2, 1e-5},
                                    {{0, 4, 3}, 2, 1e-5},    {{1, 16, 257}, 16, 1e-5}, {{2, 4, 2, 3, 2}, 2, 1e-5},
                                    {{1, 512, 9}, 512, 1e-5}};
    in_every_precision([&]<class P>() {
        using E = Exec<TestType, P>;
        const auto home = test::place<TestType>();
        for (const auto& c : all) {
            CAPTURE(shape_text(c.x), c.groups);
            const Tensor x = (test::random(c.x, 1) * 3 + 1).to(P::compute);
            const Tensor w = test::random({c.x[1]}, 2, P::compute), b = test::random({c.x[1]}, 3, P::compute);
            const auto values = c10::multiply_integers(x.sizes().slice(1)) / c.groups;
            const Tensor z = x.to(at::kDouble).reshape({c.x[0], c.groups, values});
            const Tensor mean = z.mean(-1, true), var = ((z - mean) * (z - mean)).mean(-1, true);
            std::vector<std::int64_t> along(c.x.size(), 1);
            along[1] = c.x[1];
            const Tensor want = ((z - mean) / (var + c.eps).sqrt()).view(c.x) * w.to(at::kDouble).view(along) +
                                b.to(at::kDouble).view(along);
            const Tensor there = x.to(home), on_w = w.to(home), on_b = b.to(home);
            const FallbackScope fallbacks;
            const Tensor y = run<op::GroupNorm, E>(there, on_w, on_b, c.groups, c.eps);
            CHECK(y.scalar_type() == P::compute);
            CHECK(y.device() == home);
            CHECK(test::differs(y, want, 2 * test::tolerance<P>()) == "");
            CHECK(test::differs(run<op::GroupNorm, E>(channels_last_slice(there), on_w, on_b, c.groups, c.eps), want,
                                2 * test::tolerance<P>()) == "");
            CHECK(fallbacks.report().empty());
        }
        // A large mean does not spoil it in half precision: sums are in float32.
        const Tensor x = (test::random({1, 2, 1024}, 1) + 50).to(P::compute), z = x.to(at::kDouble);
        const Tensor mean = z.mean(-1, true), var = ((z - mean) * (z - mean)).mean(-1, true);
        const Tensor one = at::ones({2}, test::options_of<P>().device(home)), zero = at::zeros({2}, one.options());
        CHECK(test::differs(run<op::GroupNorm, E>(x.to(home), one, zero, 2, 1e-5), (z - mean) / (var + 1e-5).sqrt(),
                            4 * test::tolerance<P>()) == "");
    });
}

TEMPLATE_LIST_TEST_CASE("softmax(x)_i = exp(x_i) / sum of exp(x_j), for large x and -infinity too", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const double infinity = std::numeric_limits<double>::infinity();
        const std::vector<std::vector<std::int64_t>> shapes = {{7}, {3, 5}, {2, 3, 129}, {1, 1}, {0, 4}, {2, 0}};
        for (const auto& shape : shapes) {
            CAPTURE(shape_text(shape));
            const Tensor x = (test::random(shape, 1) * 20).to(P::compute);
            if (x.numel() > 4) x.view({-1}).slice(0, 1, 3).fill_(-infinity);
            const Tensor there = x.to(test::place<TestType>()), z = x.to(at::kDouble);
            const Tensor e = x.numel() == 0 ? z : (z - z.amax(-1, true)).exp();
            const Tensor want = x.numel() == 0 ? z : e / e.sum(-1, true);
            const FallbackScope fallbacks;
            const Tensor y = run<op::Softmax, E>(there);
            CHECK(y.scalar_type() == P::compute);
            CHECK(test::differs(y, want, test::tolerance<P>()) == "");
            if (x.dim() > 1)
                CHECK(test::differs(run<op::Softmax, E>(channels_last_slice(there)), want, test::tolerance<P>()) == "");
            CHECK(fallbacks.report().empty());
        }
    });
}

TEMPLATE_LIST_TEST_CASE("scores are scale q k^T", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([&]<class P>() {
        using E = Exec<TestType, P>;
        const Tensor q = test::random({2, 3, 5, 4}, 1, P::compute), k = test::random({2, 3, 7, 4}, 2, P::compute);
        const Tensor want = q.to(at::kDouble).matmul(k.to(at::kDouble).transpose(2, 3)) * 0.3;
        const auto there = [](const Tensor& t) { return t.to(test::place<TestType>()); };
        const FallbackScope fallbacks;
        CHECK(test::differs(run<op::Scores, E>(there(q), there(k), 0.3), want, 4 * test::tolerance<P>()) == "");
        const Tensor turned = there(q).transpose(1, 2).contiguous().transpose(1, 2);
        CHECK(test::differs(run<op::Scores, E>(turned, there(k), 0.3), want, 4 * test::tolerance<P>()) == "");
        CHECK(fallbacks.report().empty());
    });
}

TEMPLATE_LIST_TEST_CASE("sine_positions are sines and cosines of each cell's place in its image", "", test::Devices) {
    if (!test::present<TestType>()) return;
    using E = Exec<TestType, precision::Fp32>;
    const std::int64_t h = 3, w = 5, n = 4;
    const Tensor mask = at::ones({2, h, w}, at::kBool), divisors = at::tensor({1.0F, 2.0F, 30.0F, 40.0F});
    mask[1].slice(0, 2).fill_(false);
    mask[1].slice(1, 3).fill_(false);
    mask[1][0][1].fill_(false);
    const FallbackScope fallbacks;
    const Tensor got =
        run<op::SinePositions, E>(mask.to(test::place<TestType>()), divisors.to(test::place<TestType>()));
    CHECK(fallbacks.report().empty());
    Tensor want = at::empty({2, h * w, 2 * n}, at::kDouble);
    const auto in = [&](std::int64_t b, std::int64_t y, std::int64_t x) {
        return mask[b][y][x].item<bool>() ? 1.0 : 0.0;
    };
    for (std::int64_t b = 0; b < 2; ++b) {
        for (std::int64_t cell = 0; cell < h * w; ++cell) {
            const auto y = cell / w, x = cell % w;
            double above = 0, column = 0, left = 0, row = 0;
            for (std::int64_t i = 0; i < h; ++i) column += in(b, i, x), above += i <= y ? in(b, i, x) : 0;
            for (std::int64_t i = 0; i < w; ++i) row += in(b, y, i), left += i <= x ? in(b, y, i) : 0;
            for (std::int64_t i = 0; i < 2 * n; ++i) {
                const double part = i < n ? above / (column + 1e-6) : left / (row + 1e-6);
                const double angle = 2 * std::numbers::pi * part / divisors[i % n].item<double>();
                want[b][cell][i].fill_(i % 2 == 0 ? std::sin(angle) : std::cos(angle));
            }
        }
    }
    CHECK(test::differs(got, want, 2e-6) == "");
}

TEMPLATE_LIST_TEST_CASE("Ops of images refuse what does not fit, before a kernel sees it", "", test::Devices) {
    if (!test::present<TestType>()) return;
    using E = Exec<TestType, precision::Fp32>;
    const auto x = [](c10::IntArrayRef shape) { return test::random(shape, 1).to(test::place<TestType>()); };
    const auto refuses = [](std::string_view name, auto call) {
        CAPTURE(std::string(name));
        test::refuses<InputError>([&] { static_cast<void>(call()); }, {"Op '" + std::string(name) + "'"});
    };
    const Tensor image = x({1, 3, 4, 5}), longs = image.to(at::kLong);
    constexpr auto most = std::numeric_limits<std::int64_t>::max();

    const auto resize = [&](const Tensor& t, std::int64_t h, std::int64_t w, Resampling how = Resampling::bilinear,
                            bool align_corners = false) {
        refuses("resize", [&] { return run<op::Resize, E>(t, h, w, how, align_corners); });
    };
    resize(x({3, 4, 5}), 2, 2);
    resize(x({1, 0, 4, 5}), 2, 2);
    resize(x({1, 3, 0, 5}), 2, 2);
    resize(longs, 2, 2);
    resize(Tensor(), 2, 2);
    resize(image, 0, 2);
    resize(image, 2, -1);
    resize(image, most, 2);
    resize(image, std::int64_t{1} << 30, std::int64_t{1} << 30);  // more than 64 bits count
    resize(image, 2, 2, Resampling::nearest, true);

    const auto pool = [&](const Tensor& t, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
        refuses("max_pool", [&] { return run<op::MaxPool, E>(t, kernel, stride, padding); });
    };
    pool(x({3, 4, 5}), 3, 2, 1);
    pool(x({1, 3, 0, 5}), 3, 2, 1);
    pool(longs, 3, 2, 1);
    pool(image, 0, 2, 0);
    pool(image, 3, 0, 1);
    pool(image, 3, 2, -1);
    pool(image, 3, 2, 2);
    pool(image, 5, 1, 0);  // higher than the image
    pool(image, most, 1, most / 2);

    refuses("average_pool", [&] { return run<op::AveragePool, E>(x({2, 3})); });
    refuses("average_pool", [&] { return run<op::AveragePool, E>(x({2, 3, 0})); });
    refuses("average_pool", [&] { return run<op::AveragePool, E>(longs); });

    const auto norm = [&](const Tensor& t, const Tensor& w, const Tensor& b, std::int64_t groups) {
        refuses("group_norm", [&] { return run<op::GroupNorm, E>(t, w, b, groups, 1e-5); });
    };
    const Tensor three = x({3});
    norm(x({3}), three, three, 1);
    norm(image, x({4}), three, 1);
    norm(image, three, x({1}), 1);
    norm(image, three.to(at::kHalf), three, 1);
    norm(image, three, Tensor(), 1);
    norm(longs, three.to(at::kLong), three.to(at::kLong), 1);
    norm(image, three, three, 0);
    norm(image, three, three, 2);
    norm(image, three, three, -3);

    const auto scores = [&](const Tensor& q, const Tensor& k) {
        refuses("scores", [&] { return run<op::Scores, E>(q, k, 1.0); });
    };
    scores(x({1, 2, 3, 4}), x({1, 2, 3, 5}));
    scores(x({1, 2, 3, 4}), x({1, 1, 3, 4}));
    scores(x({2, 3, 4}), x({2, 3, 4}));
    scores(image, image.to(at::kHalf));
    scores(longs, longs);

    const auto sines = [&](const Tensor& mask, const Tensor& divisors) {
        refuses("sine_positions", [&] { return run<op::SinePositions, E>(mask, divisors); });
    };
    const Tensor cells = image[0] > 0;
    sines(cells[0], x({4}));
    sines(image[0], x({4}));
    sines(cells.slice(1, 0, 0), x({4}));
    sines(cells, x({3}));
    sines(cells, x({4}).to(at::kHalf));
    sines(cells, x({2, 2}));

    refuses("softmax", [&] { return run<op::Softmax, E>(longs); });
    refuses("softmax", [&] { return run<op::Softmax, E>(x({})); });
    refuses("softmax", [&] { return run<op::Softmax, E>(Tensor()); });
}

#ifdef SILICA_HAS_SIM_MPS

TEST_CASE("On MPS, ops of images are handed contiguous tensors: channels-last slices are read wrong") {
    using device::Mps;
    if (!test::present<Mps>()) return;
    using E = Exec<Chain<Mps>, precision::Fp32>;
    const Tensor x = channels_last_slice(test::random({2, 4, 5, 6}, 1).to(test::place<Mps>()));
    REQUIRE_FALSE(x.is_contiguous());
    const Tensor w = test::random({4}, 2).to(x.device());
    const auto contiguous = [](const char* op, auto call) {
        CAPTURE(op);
        const test::OpInputs inputs(op);
        static_cast<void>(call());
        REQUIRE_FALSE(inputs.calls().empty());
        CHECK(inputs.calls()[0].contiguous());
    };
    contiguous("aten::upsample_nearest2d", [&] { return run<op::Resize, E>(x, 3, 3, Resampling::nearest, false); });
    contiguous("aten::upsample_bilinear2d", [&] { return run<op::Resize, E>(x, 3, 3, Resampling::bilinear, false); });
    contiguous("aten::upsample_bicubic2d", [&] { return run<op::Resize, E>(x, 3, 3, Resampling::bicubic, true); });
    contiguous("aten::max_pool2d", [&] { return run<op::MaxPool, E>(x, 3, 2, 1); });
    contiguous("aten::mean", [&] { return run<op::AveragePool, E>(x); });
    contiguous("aten::group_norm", [&] { return run<op::GroupNorm, E>(x, w, w, 2, 1e-5); });
    contiguous("aten::matmul", [&] { return run<op::Scores, E>(x, x, 1.0); });
    contiguous("aten::softmax", [&] { return run<op::Softmax, E>(x); });
}

#endif
