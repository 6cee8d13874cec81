#include "suite/report/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace silica::bench::suite::report {
namespace {

std::string printed(const char* format, int digits, double value) {
    char text[400];
    std::snprintf(text, sizeof text, format, digits, value);
    return text;
}

/// A round value in its shortest form: "0.5", "20000", "1e+08".
std::string tick_text(double value) { return printed("%.*g", value >= 1e-4 && value < 1e7 ? 7 : 3, value); }

}  // namespace

std::string fixed_text(double value, int digits) {
    if (!std::isfinite(value)) return "-";
    if (std::fabs(value) >= 1e7) return printed("%.*e", 2, value);
    return printed("%.*f", digits, value);
}

std::string number_text(double value) {
    const double size = std::fabs(value);
    if (size > 0 && size < 0.001) return printed("%.*e", 2, value);
    return fixed_text(value, size < 10 ? 3 : size < 100 ? 2 : size < 10000 ? 1 : 0);
}

std::string percent_text(double share) {
    return std::isfinite(share) ? fixed_text(100 * share, std::fabs(share) < 0.0995 ? 1 : 0) + " %" : "-";
}

std::string chance_text(double p) {
    if (!std::isfinite(p)) return "-";
    return p < 0.001 ? "< 0.001" : fixed_text(p, 3);
}

std::string mebibytes_text(double mb) { return fixed_text(mb, std::fabs(mb) < 1000 ? 1 : 0); }

double Axis::place(double value) const {
    const double first = ticks.front(), last = ticks.back();
    if (!(value > first)) return 0;  // NaN too
    if (value >= last) return 1;
    return logarithmic ? std::log(value / first) / std::log(last / first) : (value - first) / (last - first);
}

Axis linear_axis(double most) {
    if (!std::isfinite(most) || most <= 0 || most < 1e-300 || most > 1e300) most = 1;
    const double power = std::pow(10.0, std::floor(std::log10(most / 5)));
    const double part = most / 5 / power;
    const double step = power * (part <= 1.0000001 ? 1 : part <= 2.0000001 ? 2 : part <= 5.0000001 ? 5 : 10);
    const auto steps = std::max(1, static_cast<int>(std::ceil(most / step - 1e-9)));
    Axis axis;
    for (int i = 0; i <= steps; ++i) {
        axis.ticks.push_back(i * step);
        axis.texts.push_back(tick_text(i * step));
    }
    return axis;
}

Axis logarithmic_axis(double least, double most) {
    Axis axis{.ticks = {}, .texts = {}, .logarithmic = true};
    if (!std::isfinite(least) || !std::isfinite(most) || least < 1e-300 || most > 1e300 || least > most) {
        least = 0.1;
        most = 1;
    }
    const int from = static_cast<int>(std::floor(std::log10(least) + 1e-9));
    const int to = std::max(from + 1, static_cast<int>(std::ceil(std::log10(most) - 1e-9)));
    const int decades = to - from, every = (decades + 5) / 6;
    for (int d = from; d < to + every; d += every) axis.ticks.push_back(std::pow(10.0, d));
    if (decades <= 2) {
        std::vector<double> all;
        for (const double decade : axis.ticks)
            for (const double times : {1.0, 2.0, 5.0}) all.push_back(decade * times);
        // Down to one mark on each side of what is drawn.
        const auto above = std::ranges::find_if(all, [&](double t) { return t >= most * (1 - 1e-9); });
        if (above != all.end()) all.erase(std::max(above + 1, all.begin() + 2), all.end());
        while (all.size() > 2 && all[1] <= least * (1 + 1e-9)) all.erase(all.begin());
        axis.ticks = std::move(all);
    }
    for (const double t : axis.ticks) axis.texts.push_back(tick_text(t));
    return axis;
}

}  // namespace silica::bench::suite::report
