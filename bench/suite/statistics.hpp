#pragma once
/// What can be said of times that were measured, without assuming how they are distributed.

#include <span>

namespace silica::bench::suite {

/// A median, and where it lies for all that is known. `low` and `high` are samples.
struct Interval {
    double low = 0, median = 0, high = 0;

    /// (high - low) / median: how well the median is known. 0 where the median is 0.
    [[nodiscard]] double relative_width() const { return median > 0 ? (high - low) / median : 0; }
};

/// The median and its interval of order statistics: the narrowest (x_(k), x_(n+1-k)) that covers the median of what was
/// sampled with `confidence`, by the binomial distribution of how many samples lie below it. Fewer than 6 samples
/// cannot cover it with 95 %; then it is all of them. InputError for no samples, those that are no numbers, and a
/// confidence outside (0, 1).
[[nodiscard]] Interval median_interval(std::span<const double> samples, double confidence = 0.95);

/// How much slower `b` is than `a`.
struct Comparison {
    double ratio = 1;          ///< median of b / median of a: 2 is twice the time
    double low = 1, high = 1;  ///< where the ratio lies
    double p = 1;              ///< how likely a difference this large is where there is none (Mann-Whitney, two-sided)
};

/// Two samples of positive times. The interval is Hodges and Lehmann's of the shift between the logarithms, that is
/// order statistics of all b_j / a_i, and holds the ratio of the medians. `p` is exact for samples without ties of at
/// most 25, and otherwise the normal approximation with corrections for ties and continuity. InputError for a sample
/// without values, or with values that are not positive.
[[nodiscard]] Comparison compared(std::span<const double> a, std::span<const double> b, double confidence = 0.95);

}  // namespace silica::bench::suite
