#pragma once
/// Which tokens a sample is taken from: temperature, top-k, top-p, min-p. Followed: transformers,
/// generation/logits_process.py. Each keeps at least `keep` tokens. InputError for numbers out of range.

#include "silica/generate/ranges.hpp"
#include "silica/generate/scores.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace silica::generate {

/// Divides. Followed: TemperatureLogitsWarper.
inline Processor temperature(double t) {
    Ranges::temperature(t);
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
    Ranges::whole("top_k", k, 1);
    Ranges::keep(keep);
    return [k = static_cast<std::size_t>(std::max(k, keep))](Scores scores, const Row&) {
        if (k < scores.size()) forbid_below(scores, kth_largest(scores, k));
    };
}

/// Tokens that are too unlikely to be among the most likely: those whose probability has an exponent (base 2) below
/// `exponent`. Together they make up `mass`.
struct Tail {
    std::uint32_t exponent = 0;
    double mass = 0;

    static std::uint32_t exponent_of(float p) { return std::bit_cast<std::uint32_t>(p) >> 23U; }

    /// The longest tail of at most `limit` that leaves `keep` tokens.
    Tail(std::span<const float> probability, float limit, std::size_t keep) {
        std::array<double, 512> masses{};
        std::array<std::size_t, 512> counts{};
        for (const float p : probability) {
            ++counts[exponent_of(p)];
            if (p > 0) masses[exponent_of(p)] += static_cast<double>(p);  // after top-k most are 0
        }
        for (auto left = probability.size(); exponent < 255; ++exponent) {
            if (static_cast<float>(mass + masses[exponent]) > limit || left - counts[exponent] < keep) break;
            mass += masses[exponent];
            left -= counts[exponent];
        }
    }
};

/// The fewest of the most likely whose probabilities make up `p`; of equals the later ones. Holtzman et al. 2019,
/// https://arxiv.org/abs/1904.09751. Followed: TopPLogitsWarper; only what is near the limit is sorted.
inline Processor top_p(double p, std::int64_t keep) {
    Ranges::share("top_p", p);
    Ranges::keep(keep);
    return [limit = static_cast<float>(1 - p), keep = static_cast<std::size_t>(keep)](Scores scores, const Row&) {
        const auto probability = softmax(scores);
        const Tail tail(probability, limit, keep);
        std::vector<std::size_t> rising;
        for (std::size_t i = 0; i < scores.size(); ++i) {
            if (Tail::exponent_of(probability[i]) >= tail.exponent)
                rising.push_back(i);
            else
                scores[i] = forbidden;
        }
        std::ranges::sort(rising, [&](std::size_t a, std::size_t b) {
            return scores[a] < scores[b] || (scores[a] == scores[b] && a < b);
        });
        double sum = tail.mass;
        for (std::size_t rank = 0; rank + keep < rising.size(); ++rank) {
            sum += static_cast<double>(probability[rising[rank]]);
            if (static_cast<float>(sum) > limit) break;
            scores[rising[rank]] = forbidden;
        }
    };
}

/// What is at least `p` times as likely as the most likely. Nguyen et al. 2024, https://arxiv.org/abs/2407.01082.
/// Followed: MinPLogitsWarper.
inline Processor min_p(double p, std::int64_t keep) {
    Ranges::share("min_p", p);
    Ranges::keep(keep);
    return [p = static_cast<float>(p), keep = static_cast<std::size_t>(keep)](Scores scores, const Row&) {
        const auto probability = softmax(scores);
        const float limit = p * largest(probability);
        const float kept = kth_largest(scores, keep);
        for (std::size_t i = 0; i < scores.size(); ++i) {
            if (probability[i] < limit && scores[i] < kept) scores[i] = forbidden;
        }
    };
}

}  // namespace silica::generate
