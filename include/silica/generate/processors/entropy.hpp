#pragma once
/// Which tokens a sample is taken from, by the entropy of their distribution: typical, epsilon, eta and top-h sampling.
/// Followed: transformers, generation/logits_process.py. Each keeps at least `keep` tokens. InputError for
/// numbers out of range.

#include "silica/generate/ranges.hpp"
#include "silica/generate/scores.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace silica::generate {

/// - sum of p log p; tokens that cannot be add nothing.
[[nodiscard]] inline float entropy(std::span<const float> log_p) {
    double sum = 0;
    for (const float v : log_p) {
        if (const float term = v * std::exp(v); !std::isnan(term)) sum -= static_cast<double>(term);
    }
    return static_cast<float>(sum);
}

/// The tokens whose surprise is closest to the entropy, until they make up `p`. Meister et al. 2022,
/// https://arxiv.org/abs/2202.00666. Followed: TypicalLogitsWarper.
inline Processor typical_p(double p, std::int64_t keep) {
    Ranges::part("typical_p", p);
    Ranges::keep(keep);
    return [p = static_cast<float>(p), keep = static_cast<std::size_t>(keep)](Scores scores, const Row&) {
        if (scores.empty()) return;
        std::vector<float> distance(scores.begin(), scores.end());
        log_softmax(distance);
        const float h = entropy(distance);
        for (float& v : distance) v = std::abs(-v - h);
        const auto probability = softmax(scores);
        std::vector<std::size_t> order(scores.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::stable_sort(order, {}, [&](std::size_t i) { return distance[i]; });
        double sum = 0;
        std::size_t last = 0;
        for (const auto i : order) last += static_cast<float>(sum += static_cast<double>(probability[i])) < p ? 1 : 0;
        const float limit = distance[order[std::min(last, order.size() - 1)]];
        for (std::size_t rank = keep; rank < order.size(); ++rank) {
            if (distance[order[rank]] > limit) scores[order[rank]] = forbidden;
        }
    };
}

/// Forbids what is less likely than `limit` and not among the `keep` most likely.
inline void forbid_unlikely(Scores scores, float limit, std::int64_t keep) {
    const auto probability = softmax(scores);
    const float kept = kth_largest(scores, static_cast<std::size_t>(keep));
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (probability[i] < limit && scores[i] < kept) scores[i] = forbidden;
    }
}

/// What is at least so likely. Hewitt et al. 2022, https://arxiv.org/abs/2210.15191. Followed: EpsilonLogitsWarper.
inline Processor epsilon_cutoff(double epsilon, std::int64_t keep) {
    Ranges::cutoff("epsilon_cutoff", epsilon);
    Ranges::keep(keep);
    return [e = static_cast<float>(epsilon), keep](Scores scores, const Row&) { forbid_unlikely(scores, e, keep); };
}

/// The same with the limit min(eta, sqrt(eta) exp(-entropy)). Followed: EtaLogitsWarper.
inline Processor eta_cutoff(double eta, std::int64_t keep) {
    Ranges::cutoff("eta_cutoff", eta);
    Ranges::keep(keep);
    return [e = static_cast<float>(eta), keep](Scores scores, const Row&) {
        std::vector<float> log_p(scores.begin(), scores.end());
        log_softmax(log_p);
        forbid_unlikely(scores, std::min(e, std::sqrt(e) * std::exp(-entropy(log_p))), keep);
    };
}

/// Of the 100 most likely the first whose terms of the entropy make up `share` of it. Baghaei Potraghloo et al. 2025,
/// https://arxiv.org/abs/2509.02510. Followed: TopHLogitsWarper.
inline Processor top_h(double top) {
    Ranges::part("top_h", top);
    return [share = static_cast<float>(top)](Scores scores, const Row&) {
        const auto n = std::min<std::size_t>(100, scores.size());
        std::vector<std::size_t> order(scores.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(n), [&](auto a, auto b) {
            return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
        });
        std::vector<float> log_p;
        for (std::size_t i = 0; i < n; ++i) log_p.push_back(scores[order[i]]);
        log_softmax(log_p);
        const float limit = entropy(log_p) * share;
        double sum = 0;
        std::vector<std::pair<std::size_t, float>> kept;
        for (std::size_t i = 0; i < n; ++i) {
            const float p = std::exp(log_p[i]);
            sum -= static_cast<double>(p * std::log(p));  // NaN where p is 0: none after it
            if (i == 0 || static_cast<float>(sum) <= limit) kept.emplace_back(order[i], scores[order[i]]);
        }
        std::ranges::fill(scores, forbidden);
        for (const auto& [i, score] : kept) scores[i] = score;
    };
}

}  // namespace silica::generate
