#pragma once
/// Whether a row became slower or faster, decided so that neither noise nor the number of rows decides it.

#include <span>
#include <string_view>
#include <vector>

#include "suite/report/entry.hpp"

namespace silica::bench::suite::report {

/// `same`: the ratio's whole interval lies within the bound. `unclear`: it reaches over the bound, so more samples or a
/// quieter machine are needed. `untested`: too few samples. `simulated`: never judged.
enum class Verdict { slower, faster, same, unclear, untested, simulated };

/// "slower", "faster", "same", "unclear", "too few samples", "simulated".
[[nodiscard]] std::string_view name_of(Verdict verdict);

/// How likely the largest wrong claim among all may be.
inline constexpr double significance = 0.05;
/// Fewer samples on either side can show nothing at that level.
inline constexpr std::size_t least_samples = 4;
/// A change that matters, where nothing else is said.
inline constexpr double usual_bound = 0.05;

/// `slower`: the interval of the ratio lies wholly above 1 + bound, and p < 0.05; `faster`: wholly below 1 / (1 +
/// bound), and p < 0.05. `p` is the comparison's own for one row, and Holm's where many rows are tested at once.
[[nodiscard]] Verdict verdict_on(const Comparison& comparison, double p, double bound);

/// Holm's correction: adjusted chances, in the order given. Those that are not numbers count as 1.
[[nodiscard]] std::vector<double> holm(std::span<const double> p);

/// A row and an earlier one of the same key.
struct Change {
    const Entry *earlier = nullptr, *now = nullptr;
    Comparison comparison{.ratio = none, .low = none, .high = none, .p = none};  ///< now against earlier
    double p = none;  ///< after Holm, or the comparison's own
    Verdict verdict = Verdict::untested;
};

/// Whether a verdict is spoken over all rows together (Holm), or over each for itself.
enum class Correction { holm, each };

/// Judges pairs of measured rows.
[[nodiscard]] std::vector<Change> judged(std::span<const std::pair<const Entry*, const Entry*>> earlier_and_now,
                                         double bound, Correction correction);

}  // namespace silica::bench::suite::report
