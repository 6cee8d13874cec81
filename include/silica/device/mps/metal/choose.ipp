#pragma once
/// How a token is chosen, and how the kernels prove themselves.

#include "silica/core/compiled.hpp"
#include "silica/device/mps/metal/choose.hpp"
#include "silica/device/mps/metal/choose.metal.hpp"

#include <ATen/ops/argmax.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace silica::device::mps::metal {
namespace choose_detail {

/// Choose of the text.
struct Constants {
    std::uint32_t n, share, parts;
    float factor;
};

/// A threadgroup looks at this many scores of a row.
inline constexpr std::int64_t share = 8192;
/// A draw's sums of so many are exact to what `draw_join` takes for rounding.
inline constexpr std::int64_t most_drawn = std::int64_t{1} << 20;

inline Constants constants_of(const Tensor& x, std::int64_t share_of, double temperature) {
    const auto n = x.size(1);
    return {static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(share_of),
            static_cast<std::uint32_t>((n + share_of - 1) / share_of), static_cast<float>(1 / temperature)};
}

inline Tensor argmax(const Functions& f, const Tensor& scores, std::int64_t share_of = share) {
    const Tensor x = scores.contiguous();
    const Constants c = constants_of(x, share_of, 1);
    const auto rows = x.size(0);
    const Tensor values = at::empty({rows, c.parts}, x.options().dtype(at::kFloat));
    const Tensor places = at::empty({rows, c.parts}, x.options().dtype(at::kInt)),
                 y = at::empty({rows}, x.options().dtype(at::kLong));
    const std::array<Argument, 4> first{x, values, places, c}, second{values, places, y, c};
    f[0]->run(first, {{c.parts, static_cast<std::uint64_t>(rows), 1}, threads_of(*f[0], 256)});
    f[1]->run(second, {{static_cast<std::uint64_t>(rows), 1, 1}, 32});
    return y;
}

inline Tensor draw(const Functions& f, const Tensor& scores, const Tensor& uniform, double temperature,
                   const Tensor& most, std::int64_t share_of = share) {
    const Tensor x = scores.contiguous();
    const Constants c = constants_of(x, share_of, temperature);
    const auto rows = x.size(0);
    const Tensor weights = at::empty({rows, c.parts}, x.options().dtype(at::kFloat)),
                 y = at::empty({rows}, x.options().dtype(at::kLong));
    const std::array<Argument, 4> first{x, most, weights, c};
    const std::array<Argument, 6> second{x, most, weights, uniform, y, c};
    f[0]->run(first, {{c.parts, static_cast<std::uint64_t>(rows), 1}, threads_of(*f[0], 256)});
    f[1]->run(second, {{static_cast<std::uint64_t>(rows), 1, 1}, 32});
    return y;
}

/// Several parts, equal largest scores, NaN.
inline double prove_argmax(at::ScalarType type, const Functions& f) {
    const c10::Device device(c10::DeviceType::MPS, 0);
    const Tensor host = noise({4, 200}, 1, type, at::kCPU).to(at::kFloat);
    auto* x = host.mutable_data_ptr<float>();
    x[70] = x[140] = x[199] = 3;
    x[200] = 2;
    x[799] = 2;
    x[433] = std::numeric_limits<float>::quiet_NaN();
    const std::array<std::int64_t, 4> want{70, 0, 33, 199};
    const Tensor got = argmax(f, host.to(device, type), 64).cpu();
    return std::equal(want.begin(), want.end(), got.const_data_ptr<std::int64_t>()) ? 0 : 2;
}

/// Against the running sums of softmax by LibTorch: on one of them nothing may be sure, beside it the right token must.
inline double prove_draw(at::ScalarType type, const Functions& f) {
    const c10::Device device(c10::DeviceType::MPS, 0);
    const double temperature = 0.7;
    const Tensor scores = noise({1, 150}, 2, type, device) * 3;
    const Tensor sums = at::cumsum(at::softmax(scores.to(at::kFloat) / temperature, -1), -1).cpu().contiguous();
    const Tensor most = at::argmax(scores.contiguous(), -1);
    const auto* upto = sums.const_data_ptr<float>();
    double worst = 0;
    for (std::int64_t turn = 0; turn < 12; ++turn) {
        const auto edge = static_cast<double>(upto[5 + 12 * turn]);
        for (const double beside : {-4e-4, 0.0, 4e-4}) {
            const double uniform = edge + beside;
            const Tensor u = at::full({1}, uniform, at::TensorOptions().dtype(at::kFloat).device(device));
            const auto got = draw(f, scores, u, temperature, most, 64).cpu().item<std::int64_t>();
            const auto want = std::upper_bound(upto, upto + 150, static_cast<float>(uniform)) - upto;
            const double lower = want == 0 ? 0 : static_cast<double>(upto[want - 1]);
            const double apart = std::min(uniform - lower, static_cast<double>(upto[want]) - uniform);
            if (!(got == want && apart > 5e-5) && !(got == -1 && apart < 3e-4)) worst = 2;
        }
    }
    return worst;
}

inline const Own& kernel_of(Family family, at::ScalarType type) {
    return own(family, static_cast<std::uint64_t>(type_number(type)), [&]() -> Described {
        const bool drawn = family == Family::draw;
        Source source{{"argmax_part", "argmax_join"}, choose_text, {{"TYPE", type_number(type)}}};
        if (drawn) source.names = {"weigh_part", "draw_join"};
        return {source, (drawn ? "draw " : "argmax ") + source.variant(),
                [=](const Functions& f) { return drawn ? prove_draw(type, f) : prove_argmax(type, f); }};
    });
}

inline Serves serve(Family family, const Tensor& x) {
    if (x.dim() != 2 || x.numel() == 0 || x.size(1) >= std::int64_t{1} << 31 || x.size(0) >= 65536 ||
        type_number(x.scalar_type()) < 0 || !has_own())
        return Serves::no;
    return kernel_of(family, x.scalar_type()).serves() ? Serves::yes : Serves::failed;
}

}  // namespace choose_detail

SILICA_INLINE Serves argmax_serves(const Tensor& scores) { return choose_detail::serve(Family::argmax, scores); }
SILICA_INLINE Serves draw_serves(const Tensor& scores) {
    if (scores.dim() == 2 && scores.size(1) > choose_detail::most_drawn) return Serves::no;
    const Serves most = argmax_serves(scores);
    return most == Serves::yes ? choose_detail::serve(Family::draw, scores) : most;
}

SILICA_INLINE Tensor argmax(const Tensor& scores) {
    return choose_detail::argmax(choose_detail::kernel_of(Family::argmax, scores.scalar_type()).functions, scores);
}

SILICA_INLINE Tensor draw(const Tensor& scores, const Tensor& uniform, double temperature) {
    return choose_detail::draw(choose_detail::kernel_of(Family::draw, scores.scalar_type()).functions, scores,
                               uniform.contiguous(), temperature, metal::argmax(scores));
}

}  // namespace silica::device::mps::metal
