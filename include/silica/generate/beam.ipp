#pragma once
/// Beam search.

#include "silica/core/compiled.hpp"
#include "silica/generate/beam.hpp"
#include "silica/generate/host_scores.hpp"
#include "silica/generate/prefill.hpp"
#include "silica/generate/processors.hpp"
#include "silica/generate/progress.hpp"
#include "silica/generate/random.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::generate {
namespace detail {

inline constexpr float out_of_the_question = -1e9F;

/// A text that is followed, or was finished.
struct Beam {
    std::vector<std::int64_t> ids;
    float score = 0;       ///< log p; of a finished one divided by length^penalty
    std::size_t from = 0;  ///< the beam that it continues
    bool finished = false;
    double log_probability = 0;  ///< of its new tokens, by the scores that they were chosen by
};

/// The indices of the `k` largest, largest first, of equals the first.
inline std::vector<std::size_t> largest_of(std::span<const float> values, std::size_t k) {
    const auto before = [&](std::size_t a, std::size_t b) {
        return values[a] > values[b] || (values[a] == values[b] && a < b);
    };
    std::vector<std::size_t> heap;  // the last of them on top
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (heap.size() == k) {
            if (!before(i, heap.front())) continue;
            std::ranges::pop_heap(heap, before);
            heap.pop_back();
        }
        heap.push_back(i);
        std::ranges::push_heap(heap, before);
    }
    std::ranges::sort_heap(heap, before);
    return heap;
}

/// The beams of one prompt.
class Beams {
public:
    Beams(const Plan& plan, std::size_t row)
        : n_(static_cast<std::size_t>(plan.config.num_beams.value_or(1))),
          keep_(std::max<std::size_t>(2, 1 + plan.ends.size()) * n_),
          early_(plan.config.early_stopping.value_or(EarlyStopping::no)),
          penalty_(plan.config.length_penalty.value_or(1)),
          start_(plan.start),
          max_length_(plan.max_length) {
        for (std::size_t i = 0; i < n_; ++i) {
            running.push_back({plan.history[row], i == 0 ? 0.0F : out_of_the_question, i});
            done.push_back({plan.history[row], out_of_the_question});
        }
    }

    std::vector<Beam> running, done;

    /// Takes the scores of what continues the running beams (beams x vocabulary). `hits(ids)`: the text ends there.
    /// `random`: candidates are drawn instead. `norms`: of each beam's scores, without what it had, log(sum of exp(s));
    /// or none.
    template <class Hits>
    void step(std::span<const float> scores, std::size_t vocab, Hits&& hits, const Random* random,
              std::span<const double> norms) {
        std::vector<Beam> candidates;
        std::vector<float> open;
        for (const auto i : random ? drawn(scores, *random) : largest_of(scores, keep_)) {
            const Beam& from = running[i / vocab];
            Beam next{from.ids, scores[i], i / vocab};
            if (!norms.empty()) {
                next.log_probability =
                    from.log_probability + static_cast<double>(scores[i] - from.score) - norms[i / vocab];
            }
            next.ids.push_back(static_cast<std::int64_t>(i % vocab));
            next.finished = hits(next.ids);
            open.push_back(next.score + (next.finished ? out_of_the_question : 0.0F));
            candidates.push_back(std::move(next));
        }
        all_hit_ = std::ranges::all_of(candidates, &Beam::finished);
        const auto length = candidates.front().ids.size();
        std::vector<Beam> going;
        for (const auto i : largest_of(open, n_)) {
            going.push_back(candidates[i]);
            going.back().score = open[i];
        }
        finish(std::move(candidates), length);
        running = std::move(going);
        improvable_ = improvable_ && can_improve(length);
    }

    [[nodiscard]] bool improvable() const noexcept { return improvable_; }
    [[nodiscard]] bool all_hit() const noexcept { return all_hit_; }
    [[nodiscard]] bool full() const { return std::ranges::all_of(done, &Beam::finished); }

private:
    /// The best of what was finished before and now. Of the candidates only the first `num_beams` may finish.
    void finish(std::vector<Beam> candidates, std::size_t length) {
        const auto divisor = static_cast<float>(std::pow(static_cast<double>(length - start_), penalty_));
        const bool closed = full() && early_ == EarlyStopping::yes;
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            Beam& c = candidates[i];
            c.finished = c.finished && i < n_;
            c.score /= divisor;
            c.score += closed ? out_of_the_question : 0.0F;
            c.score += improvable_ ? 0.0F : out_of_the_question;
            c.score += c.finished ? 0.0F : out_of_the_question;
        }
        std::vector<Beam> all = std::move(done);
        std::ranges::move(candidates, std::back_inserter(all));
        std::vector<float> scores;
        for (const Beam& b : all) scores.push_back(b.score);
        done.clear();
        for (const auto i : largest_of(scores, n_)) done.push_back(std::move(all[i]));
    }

    /// Whether the best running beam may become better than the worst finished one.
    [[nodiscard]] bool can_improve(std::size_t length) const {
        const bool to_the_end = early_ == EarlyStopping::never && penalty_ > 0;
        const auto reach = static_cast<double>((to_the_end ? max_length_ : length) - start_);
        const float best = running.front().score / static_cast<float>(std::pow(reach, penalty_));
        const float worst = std::ranges::min(done, {}, &Beam::score).score;
        return std::ranges::any_of(done,
                                   [&](const Beam& b) { return best > (b.finished ? worst : out_of_the_question); });
    }

    /// Without replacement, with the probabilities softmax(scores): the largest of score + Gumbel noise (Kool et al.
    /// 2019, https://arxiv.org/abs/1903.06059).
    [[nodiscard]] std::vector<std::size_t> drawn(std::span<const float> scores, const Random& random) const {
        std::vector<float> noisy(scores.begin(), scores.end());
        for (std::size_t i = 0; i < noisy.size(); ++i) {
            if (noisy[i] != forbidden)
                noisy[i] =
                    static_cast<float>(static_cast<double>(noisy[i]) + random.gumbel(static_cast<std::uint32_t>(i)));
        }
        return largest_of(noisy, keep_);
    }

    std::size_t n_, keep_;
    EarlyStopping early_;
    double penalty_;
    std::size_t start_, max_length_;
    bool improvable_ = true, all_hit_ = false;
};

/// The best num_return_sequences of each prompt, handed to the callback token by token.
inline Generated chosen(const Plan& plan, const std::vector<Beams>& all, const Hooks& hooks, const Clock& clock) {
    const auto n = static_cast<std::size_t>(plan.config.num_beams.value_or(1));
    const auto given = static_cast<std::size_t>(plan.config.num_return_sequences.value_or(1));
    Plan best = plan;
    best.config.max_time.reset();
    best.rows = static_cast<std::int64_t>(all.size() * given);
    best.history.clear();
    std::vector<std::vector<std::int64_t>> texts;
    std::vector<float> scores;
    std::vector<double> log_probabilities;
    std::size_t longest = 0;
    for (std::size_t b = 0; b < all.size(); ++b) {
        for (std::size_t i = 0; i < given; ++i) {
            const auto& ids = plan.history[b * n];
            best.history.emplace_back(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(plan.start));
            texts.push_back(all[b].done[i].ids);
            scores.push_back(all[b].done[i].score);
            if (hooks.log_probabilities) log_probabilities.push_back(all[b].done[i].log_probability);
            longest = std::max(longest, texts.back().size());
        }
    }
    Progress progress(best, hooks, clock);
    for (std::size_t r = 0; r < texts.size(); ++r) {
        for (std::size_t i = plan.start; i < texts[r].size() && !progress.ended(r); ++i) progress.take(r, texts[r][i]);
    }
    Generated out = std::move(progress).result();
    const bool no_pad = plan.config.pad_token_id.value_or(0) == 0;  // transformers takes 0 for "none" here
    out.sequences = Progress::sequences(texts, longest, plan.ends.empty() ? -1 : no_pad ? plan.ends.front() : plan.pad);
    out.scores = std::move(scores);
    out.log_probabilities = std::move(log_probabilities);
    return out;
}

}  // namespace detail

SILICA_INLINE Generated beam_search(Decoder& decoder, Plan plan, const Hooks& hooks) {
    check(plan);
    const Clock clock;
    const auto n = static_cast<std::size_t>(plan.config.num_beams.value_or(1));
    const auto batch = static_cast<std::size_t>(plan.batch);
    const auto stops = plan.config.stop_strings.value_or(std::vector<std::string>{});
    Processors processors(plan.config, plan.start, plan.max_length, hooks.processors);
    std::vector<detail::Beams> all;
    for (std::size_t b = 0; b < batch; ++b) all.emplace_back(plan, b * n);

    const auto hits = [&](const std::vector<std::int64_t>& ids) {
        return std::ranges::find(plan.ends, ids.back()) != plan.ends.end() || ids.size() >= plan.max_length ||
               (plan.config.max_time && clock.seconds() > *plan.config.max_time) ||
               completes(hooks.text, stops, std::span(ids).subspan(plan.start));
    };
    std::int64_t reused = 0;
    Tensor logits = prefill(decoder, plan, hooks, reused);
    HostScores scores;
    double prefilled = 0;
    for (std::uint32_t place = 0;; ++place) {
        scores.copy(decoder, logits);
        const auto vocab = static_cast<std::size_t>(logits.size(1));
        if (n * vocab < std::max<std::size_t>(2, 1 + plan.ends.size()) * n)
            throw InputError("num_beams cannot be followed in a vocabulary of " + std::to_string(vocab) + ".",
                             "use the most likely token: num_beams 1.");
        if (place == 0) prefilled = clock.seconds();
        for (std::size_t b = 0; b < batch; ++b) {
            std::vector<double> norms;
            bool all_forbidden = true;
            for (std::size_t i = 0; i < n; ++i) {
                const auto r = b * n + i;
                plan.history[r] = all[b].running[i].ids;
                const Scores row = scores.row(r);
                log_softmax(row);
                if (std::isnan(row.front())) no_numbers(r);
                processors(row, plan.row(r));
                const float most = largest(row);
                if (std::isnan(most)) no_numbers(r);
                all_forbidden = all_forbidden && most == forbidden;
                if (hooks.log_probabilities) norms.push_back(log_sum_exp(row));
                for (float& s : row) s += all[b].running[i].score;
            }
            if (all_forbidden && !plan.first_of_none) no_numbers(b * n);
            const Random random(plan.config.seed.value_or(0), static_cast<std::uint32_t>(b), place);
            all[b].step({scores.row(b * n).data(), n * vocab}, vocab, hits,
                        plan.config.do_sample.value_or(false) ? &random : nullptr, norms);
        }
        const bool full =
            plan.config.early_stopping == EarlyStopping::yes && std::ranges::all_of(all, &detail::Beams::full);
        if (std::ranges::none_of(all, &detail::Beams::improvable) || full ||
            std::ranges::all_of(all, &detail::Beams::all_hit))
            break;
        Tensor from = at::empty({plan.rows}, c10::ScalarType::Long),
               ids = at::empty({plan.rows}, c10::ScalarType::Long);
        for (std::size_t r = 0; r < batch * n; ++r) {
            const auto& beam = all[r / n].running[r % n];
            from.mutable_data_ptr<std::int64_t>()[r] = static_cast<std::int64_t>(r / n * n + beam.from);
            ids.mutable_data_ptr<std::int64_t>()[r] = beam.ids.back();
        }
        decoder.reorder(from);
        logits = decoder.step(decoder.on_device([&] { return ids.to(decoder.device()); }));
    }

    Generated out = detail::chosen(plan, all, hooks, clock);
    out.prefill_seconds = prefilled;
    out.decode_seconds = clock.seconds() - prefilled;
    return out;
}

}  // namespace silica::generate
