#include "suite/report/verdict.hpp"

#include <algorithm>
#include <numeric>

namespace silica::bench::suite::report {

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::slower:
            return "slower";
        case Verdict::faster:
            return "faster";
        case Verdict::same:
            return "same";
        case Verdict::unclear:
            return "unclear";
        case Verdict::untested:
            return "too few samples";
        case Verdict::simulated:
            break;
    }
    return "simulated";
}

Verdict verdict_on(const Comparison& comparison, double p, double bound) {
    const double most = 1 + bound, least = 1 / most;
    if (comparison.low > most && p < significance) return Verdict::slower;
    if (comparison.high < least && p < significance) return Verdict::faster;
    return comparison.low >= least && comparison.high <= most ? Verdict::same : Verdict::unclear;
}

std::vector<double> holm(std::span<const double> p) {
    std::vector<std::size_t> order(p.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto chance = [&](std::size_t i) { return p[i] >= 0 && p[i] <= 1 ? p[i] : 1.0; };
    std::ranges::stable_sort(order, {}, chance);
    std::vector<double> adjusted(p.size());
    double most = 0;
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
        // the smallest is tested among all, the next among the others, and none may overtake the one before
        most = std::max(most, std::min(1.0, static_cast<double>(order.size() - rank) * chance(order[rank])));
        adjusted[order[rank]] = most;
    }
    return adjusted;
}

std::vector<Change> judged(std::span<const std::pair<const Entry*, const Entry*>> earlier_and_now, double bound,
                           Correction correction) {
    std::vector<Change> changes;
    std::vector<double> chances;
    std::vector<std::size_t> tested;
    for (const auto& [earlier, now] : earlier_and_now) {
        Change change{.earlier = earlier, .now = now};
        const bool simulated = earlier->marks.simulated || now->marks.simulated;
        if (!earlier->samples.empty() && !now->samples.empty()) {
            change.comparison = compared(earlier->samples, now->samples);
            change.p = change.comparison.p;
        }
        if (simulated) {
            change.verdict = Verdict::simulated;
        } else if (std::min(earlier->samples.size(), now->samples.size()) >= least_samples) {
            tested.push_back(changes.size());
            chances.push_back(change.comparison.p);
        }
        changes.push_back(change);
    }
    if (correction == Correction::holm) chances = holm(chances);
    for (std::size_t i = 0; i < tested.size(); ++i) {
        auto& change = changes[tested[i]];
        change.p = chances[i];
        change.verdict = verdict_on(change.comparison, change.p, bound);
    }
    return changes;
}

}  // namespace silica::bench::suite::report
