#pragma once
/// Which tokens a sample is taken from: temperature, top-k, top-p, min-p. Followed: transformers,
/// generation/logits_process.py. Each keeps at least `keep` tokens.

#include "silica/generate/scores.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

namespace silica::generate {

/// Divides. Followed: TemperatureLogitsWarper.
inline Processor temperature(double t) {
    return [t = static_cast<float>(t)](Scores scores, const Row&) {
        for (float& s : scores) s /= t;
    };
}

/// Forbids what is below `limit`.
inline void forbid_below(Scores scores, float limit) {
    for (float& s : scores) s = s < limit ? forbidden : s;
}

/// The k most likely, and what is as likely as the k-th. Followed: TopKLogitsWarper.
inline Processor top_k(std::int64_t k, std::int64_t keep) {
    return [k = static_cast<std::size_t>(std::max(k, keep))](Scores scores, const Row&) {
        if (k < scores.size()) forbid_below(scores, kth_largest(scores, k));
    };
}

/// The fewest of the most likely whose probabilities make up `p`; of equals the later ones. Holtzman et al. 2019,
/// https://arxiv.org/abs/1904.09751. Followed: TopPLogitsWarper. What surely goes is not sorted.
inline Processor top_p(double p, std::int64_t keep) {
    return [limit = static_cast<float>(1 - p), keep = static_cast<std::size_t>(keep),
            order = std::vector<std::int64_t>()](Scores scores, const Row&) mutable {
        const auto probability = softmax(scores);
        const auto rises = [&](std::int64_t a, std::int64_t b) {
            const float x = scores[static_cast<std::size_t>(a)], y = scores[static_cast<std::size_t>(b)];
            return x < y || (x == y && a < b);
        };
        const auto mass = [&](std::int64_t id) {
            return static_cast<double>(probability[static_cast<std::size_t>(id)]);
        };
        order.resize(scores.size());
        std::iota(order.begin(), order.end(), std::int64_t{0});
        // The tail is split off where it is certain to go: what it makes up together is not over the limit.
        double tail = 0;
        auto top = order.begin();
        for (std::size_t n = 256; n < order.size(); n *= 8) {
            const auto split = order.end() - static_cast<std::ptrdiff_t>(n);
            std::nth_element(order.begin(), split, order.end(), rises);
            const double below =
                std::accumulate(order.begin(), split, 0.0, [&](double s, auto id) { return s + mass(id); });
            if (static_cast<float>(below) > limit) continue;
            tail = below;
            top = split;
            break;
        }
        std::sort(top, order.end(), rises);
        const auto last = order.end() - static_cast<std::ptrdiff_t>(std::min(keep, order.size()));
        for (auto at = order.begin(); at != last; ++at) {
            if (at >= top && static_cast<float>(tail += mass(*at)) > limit) break;
            scores[static_cast<std::size_t>(*at)] = forbidden;
        }
    };
}

/// What is at least `p` times as likely as the most likely. Nguyen et al. 2024, https://arxiv.org/abs/2407.01082.
/// Followed: MinPLogitsWarper.
inline Processor min_p(double p, std::int64_t keep) {
    return [p = static_cast<float>(p), keep = static_cast<std::size_t>(keep)](Scores scores, const Row&) {
        const auto probability = softmax(scores);
        const float limit = p * *std::ranges::max_element(probability);
        const float kept = kth_largest(scores, keep);
        for (std::size_t i = 0; i < scores.size(); ++i) {
            if (probability[i] < limit && scores[i] < kept) scores[i] = forbidden;
        }
    };
}

}  // namespace silica::generate
