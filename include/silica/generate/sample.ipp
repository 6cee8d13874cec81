#pragma once
/// One text per row.

#include "silica/core/compiled.hpp"
#include "silica/core/state_inputs.hpp"
#include "silica/generate/host_scores.hpp"
#include "silica/generate/prefill.hpp"
#include "silica/generate/processors.hpp"
#include "silica/generate/progress.hpp"
#include "silica/generate/random.hpp"
#include "silica/generate/sample.hpp"

#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace silica::generate {
namespace detail {

/// A token drawn with the probabilities softmax(scores), added up in double in the order of the vocabulary.
[[nodiscard]] inline std::int64_t draw(std::span<const float> scores, const Random& random, std::size_t row) {
    const float most = largest(scores);
    std::vector<std::pair<std::size_t, float>> likely;  // exp(score - most) of what can be
    double sum = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (scores[i] == forbidden) continue;
        likely.emplace_back(i, std::exp(scores[i] - most));
        sum += static_cast<double>(likely.back().second);
    }
    if (!(sum > 0) || !std::isfinite(sum)) no_numbers(row);
    double left = random.uniform() * sum;
    for (const auto& [i, weight] : likely) {
        left -= static_cast<double>(weight);
        if (left < 0) return static_cast<std::int64_t>(i);
    }
    return most_likely(scores);  // lost in rounding
}

/// What decides the token of each row at a place: (rows) float32.
[[nodiscard]] inline Tensor uniforms(std::uint64_t seed, std::int64_t rows, std::uint32_t place) {
    Tensor all = at::empty({rows}, c10::ScalarType::Float);
    auto* u = all.mutable_data_ptr<float>();
    for (std::int64_t r = 0; r < rows; ++r)
        u[r] = static_cast<float>(Random(seed, static_cast<std::uint32_t>(r), place).uniform());
    return all;
}

}  // namespace detail

SILICA_INLINE Generated sample(Decoder& decoder, Plan plan, const Hooks& hooks) {
    check(plan);
    const Clock clock;
    Processors processors(plan.config, plan.start, plan.max_length, hooks.processors);
    Progress progress(plan, hooks, clock);
    const bool sampled = plan.config.do_sample.value_or(false);
    const bool on_device = processors.empty() && !sampled && !hooks.log_probabilities;
    bool draws = sampled && processors.only_temperature() && !hooks.log_probabilities;  // the device is asked
    const double factor = sampled ? plan.config.temperature.value_or(1) : 1;
    const auto seed = plan.config.seed.value_or(0);
    const auto rows = static_cast<std::size_t>(plan.rows);

    std::int64_t reused = 0;
    Tensor logits = prefill(decoder, plan, hooks, reused), ids;
    const auto most_likely_of = [&](const Tensor& scores) {
        require_logits(scores);
        return decoder.most_likely(scores);
    };
    if (on_device) ids = most_likely_of(logits);
    HostScores scores;
    std::vector<double> log_probabilities(hooks.log_probabilities ? rows : 0);
    Tensor chosen = at::empty({plan.rows}, c10::ScalarType::Long);
    double prefilled = 0;
    for (std::uint32_t place = 0;; ++place) {
        if (draws) {
            const auto drawn = decoder.draw(logits, detail::uniforms(seed, plan.rows, place), factor);
            draws = drawn.has_value();
            if (draws) ids = *drawn;
        }
        const bool there = on_device || draws;
        bool by_host = !there;
        if (there) {
            require_row_each(draws ? "the drawn tokens" : "the most likely tokens", ids, plan.rows);
            chosen = decoder.on_device([&] { return ids.to(c10::Device(c10::DeviceType::CPU)).contiguous(); });
        }
        bool copied = false;
        for (std::size_t r = 0; r < rows; ++r) {
            auto* id = chosen.mutable_data_ptr<std::int64_t>() + r;
            if (there && *id >= 0) continue;
            by_host = true;
            if (progress.ended(r)) {
                if (there) *id = 0;
                continue;
            }
            if (on_device) no_numbers(r);
            if (!std::exchange(copied, true)) scores.copy(decoder, logits);
            const Scores row = scores.row(r);
            processors(row, plan.row(r));
            const Random random(seed, static_cast<std::uint32_t>(r), place);
            *id = sampled ? detail::draw(row, random, r) : most_likely(row);
            const bool none = *id < 0 || row[static_cast<std::size_t>(*id)] == forbidden;
            if (none && (*id < 0 || !plan.first_of_none)) no_numbers(r);
            if (hooks.log_probabilities) {
                const auto score = static_cast<double>(row[static_cast<std::size_t>(*id)]);
                log_probabilities[r] += factor * score - log_sum_exp(row, factor);
            }
        }
        if (place == 0) prefilled = clock.seconds();
        for (std::size_t r = 0; r < rows; ++r) {
            if (!progress.ended(r)) progress.take(r, chosen.const_data_ptr<std::int64_t>()[r]);
        }
        if (progress.done()) break;
        // A row that ended goes on in the state with whatever token: rows do not see each other.
        if (on_device)
            ids = decoder.greedy_step(ids);
        else
            logits = decoder.step(by_host ? decoder.on_device([&] { return chosen.to(decoder.device()); }) : ids);
    }
    keep(decoder, plan, hooks.held);
    Generated out = std::move(progress).result();
    out.held_tokens = reused;
    out.log_probabilities = std::move(log_probabilities);
    out.prefill_seconds = prefilled;
    out.decode_seconds = clock.seconds() - prefilled;
    return out;
}

}  // namespace silica::generate
