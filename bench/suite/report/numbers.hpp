#pragma once
/// Numbers as people read them, and the marks of an axis.

#include <cstdint>
#include <string>
#include <vector>

namespace silica::bench::suite::report {

/// `value` with `digits` decimals. "-" for what is not finite.
[[nodiscard]] std::string fixed_text(double value, int digits);

/// About four significant digits: "1.328", "13.28", "132.8", "13280", "1.33e+09". "-" for what is not finite.
[[nodiscard]] std::string number_text(double value);

/// A share of 1 in percent: "3.1 %". "-" for what is not finite.
[[nodiscard]] std::string percent_text(double share);

/// A chance: "0.034", "< 0.001". "-" for what is not finite.
[[nodiscard]] std::string chance_text(double p);

/// Mebibytes: "168.7", "13107". "-" for what is not finite.
[[nodiscard]] std::string mebibytes_text(double mb);

/// The marks of an axis, from the first to the last; what is drawn lies between them.
struct Axis {
    std::vector<double> ticks;       ///< ascending, two or more
    std::vector<std::string> texts;  ///< one for each
    bool logarithmic = false;

    /// Where a value lies on the axis: 0 at the first tick, 1 at the last; what lies beyond is at the end.
    [[nodiscard]] double place(double value) const;
};

/// From 0 to `most` or a little more in about five steps of 1, 2 or 5 times a power of ten. [0, 1] unless `most` is
/// finite and positive.
[[nodiscard]] Axis linear_axis(double most);

/// From `least` or less to `most` or more in powers of ten, or in 1, 2, 5 where the range is short. Both must be
/// positive and finite; otherwise [0.1, 1].
[[nodiscard]] Axis logarithmic_axis(double least, double most);

}  // namespace silica::bench::suite::report
