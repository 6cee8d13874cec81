#include "difference.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

#include "silica/checkpoint/text.hpp"

namespace silica::bench {
namespace {

using at::Tensor;
using checkpoint::tuple_text;

/// Largest ||got - want|| / ||want|| in a precision.
constexpr std::pair<std::string_view, double> limits[] = {
    {"float16", 5e-3}, {"bfloat16", 4e-2}, {"int8", 5e-2}, {"int4", 2e-1}};

std::string number(double x) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", x);
    return text;
}

bool exact(const Tensor& t) { return !t.is_floating_point() && !t.is_complex(); }

template <class T>
void each_pair(const Tensor& got, const Tensor& want, c10::ScalarType type, auto&& f) {
    const c10::Device cpu(c10::DeviceType::CPU);
    const Tensor g = got.detach().to(cpu).to(type).contiguous(), w = want.to(type).contiguous();
    const T *a = g.const_data_ptr<T>(), *b = w.const_data_ptr<T>();
    for (std::int64_t i = 0; i < g.numel(); ++i) f(a[i], b[i]);
}

}  // namespace

Difference compare(const Tensor& got, const Tensor& want, std::string_view precision, Tolerance tolerance) {
    Difference d;
    if (got.sizes() != want.sizes()) {
        d.problem = "shape " + tuple_text(got.sizes().vec()) + ", the reference has " + tuple_text(want.sizes().vec());
        return d;
    }
    if (exact(got) != exact(want) || got.is_complex() || want.is_complex()) {
        d.problem = std::string("type ") + c10::toString(got.scalar_type()) + ", the reference has " +
                    c10::toString(want.scalar_type());
        return d;
    }
    d.elements = got.numel();
    double sum = 0, squares = 0, norm = 0;
    const auto count = [&](double difference, double magnitude) {
        d.largest = std::max(d.largest, difference);
        sum += difference;
        squares += difference * difference;
        norm += magnitude * magnitude;
    };
    if (exact(want)) {
        d.rule = "equal";
        each_pair<std::int64_t>(got, want, c10::ScalarType::Long, [&](std::int64_t g, std::int64_t w) {
            d.outside += g != w ? 1 : 0;
            count(std::abs(static_cast<double>(g) - static_cast<double>(w)), static_cast<double>(w));
        });
    } else {
        each_pair<double>(got, want, c10::ScalarType::Double, [&](double g, double w) {
            if (!std::isfinite(g) || !std::isfinite(w)) {
                if (g != w && !(std::isnan(g) && std::isnan(w))) ++d.not_finite;
                return;
            }
            const double difference = std::abs(g - w);
            d.outside += difference > tolerance.atol + tolerance.rtol * std::abs(w) ? 1 : 0;
            count(difference, w);
        });
    }
    d.mean = d.elements == 0 ? 0 : sum / static_cast<double>(d.elements);
    d.relative = squares == 0 ? 0 : norm == 0 ? std::numeric_limits<double>::infinity() : std::sqrt(squares / norm);
    if (exact(want)) {
        d.passed = d.outside == 0;
    } else if (precision == "float32") {
        d.rule = "|got - want| <= " + number(tolerance.atol) + " + " + number(tolerance.rtol) + " |want|";
        d.passed = d.outside == 0 && d.not_finite == 0;
    } else {
        const auto* limit = std::ranges::find(limits, precision, &std::pair<std::string_view, double>::first);
        const double most = limit == std::end(limits) ? limits[0].second : limit->second;
        d.rule = "||got - want|| <= " + number(most) + " ||want||";
        d.outside = 0;
        d.passed = d.relative <= most && d.not_finite == 0;
    }
    return d;
}

Difference compare_texts(const Tensor& got, const Tensor& want, std::int64_t start, std::string_view precision) {
    Difference d;
    if (got.dim() != 2 || want.dim() != 2 || got.size(0) != want.size(0) || precision == "float32") {
        d = compare(got, want, precision, {});
    } else {
        d.rule = "not judged";
        d.judged = false;
        d.passed = true;
        d.elements = want.numel();
    }
    if (got.dim() != 2 || want.dim() != 2 || got.size(0) != want.size(0)) return d;
    const auto type = c10::ScalarType::Long;
    const Tensor g = got.to(type).contiguous(), w = want.to(type).contiguous();
    const auto first = std::min(start, std::min(g.size(1), w.size(1)));
    std::int64_t equal = 0;
    for (std::int64_t r = 0; r < w.size(0); ++r) {
        const auto* a = g.const_data_ptr<std::int64_t>() + r * g.size(1);
        const auto* b = w.const_data_ptr<std::int64_t>() + r * w.size(1);
        equal += std::mismatch(a + first, a + g.size(1), b + first, b + w.size(1)).first - (a + first);
    }
    const auto all = w.size(0) * (w.size(1) - first);
    d.leading = all == 0 ? 1.0 : static_cast<double>(equal) / static_cast<double>(all);
    return d;
}

}  // namespace silica::bench
