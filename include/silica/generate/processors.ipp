#pragma once
/// All that changes scores, in order.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/generate/processors.hpp"
#include "silica/generate/processors/bias.hpp"
#include "silica/generate/processors/entropy.hpp"
#include "silica/generate/processors/length.hpp"
#include "silica/generate/processors/ngrams.hpp"
#include "silica/generate/processors/penalties.hpp"
#include "silica/generate/processors/warpers.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace silica::generate {
namespace detail {

/// Whether a value is there and is not the one that means "off".
inline bool differs(const std::optional<double>& value, double off) { return value && *value != off; }

}  // namespace detail

SILICA_INLINE void Processors::add(Processor p) {
    if (!p) throw InputError("A processor is empty: there is nothing to call.", "give a function, or leave it out.");
    all_.push_back(std::move(p));
}

SILICA_INLINE Processors::Processors(const GenerationConfig& c, std::size_t prompt, std::size_t max_length,
                                     const std::vector<Processor>& more) {
    const auto ends = c.eos_token_id.value_or(std::vector<std::int64_t>{});
    if (c.sequence_bias) add(AddBias(*c.sequence_bias));
    if (detail::differs(c.encoder_repetition_penalty, 1))
        add(encoder_repetition_penalty(*c.encoder_repetition_penalty));
    if (detail::differs(c.repetition_penalty, 1)) add(repetition_penalty(*c.repetition_penalty));
    if (detail::differs(c.frequency_penalty, 0) || detail::differs(c.presence_penalty, 0))
        add(frequency_penalty(c.frequency_penalty.value_or(0), c.presence_penalty.value_or(0)));
    if (const auto n = c.no_repeat_ngram_size.value_or(0); n > 0) add(no_repeat_ngrams(static_cast<std::size_t>(n)));
    if (const auto n = c.encoder_no_repeat_ngram_size.value_or(0); n > 0)
        add(no_encoder_ngrams(static_cast<std::size_t>(n)));
    if (c.bad_words_ids && !c.bad_words_ids->empty()) add(forbid_words(*c.bad_words_ids, ends));
    const auto least = c.min_new_tokens ? prompt + static_cast<std::size_t>(*c.min_new_tokens)
                                        : static_cast<std::size_t>(c.min_length.value_or(0));
    if (least > prompt && !ends.empty()) add(no_end_before(least, ends));
    if (c.forced_bos_token_id && prompt <= 1) add(force_at({*c.forced_bos_token_id}, 1));
    if (c.forced_eos_token_id) add(force_at(*c.forced_eos_token_id, max_length - 1));
    if (c.remove_invalid_values.value_or(false)) add(remove_invalid);
    if (c.exponential_decay_length_penalty) add(urge_end(*c.exponential_decay_length_penalty, ends));
    if (c.suppress_tokens && !c.suppress_tokens->empty()) add(suppress(*c.suppress_tokens));
    if (c.begin_suppress_tokens && !c.begin_suppress_tokens->empty()) {
        const bool forced_first = prompt == 1 && c.forced_bos_token_id;
        add(suppress_at(*c.begin_suppress_tokens, prompt + (forced_first ? 1 : 0)));
    }
    for (const auto& each : more) add(each);
    if (c.do_sample.value_or(false)) add_warpers(c, static_cast<std::int64_t>(ends.size()));
    if (c.renormalize_logits.value_or(false)) add([](Scores scores, const Row&) { log_softmax(scores); });
}

SILICA_INLINE void Processors::add_warpers(const GenerationConfig& c, std::int64_t ends) {
    const std::int64_t keep = c.num_beams.value_or(1) > 1 ? std::max<std::int64_t>(ends, 1) + 1 : 1;
    if (detail::differs(c.temperature, 1)) {
        add(temperature(*c.temperature));
        tempered_ = true;
    }
    if (c.top_h) add(top_h(*c.top_h));
    if (const auto k = c.top_k.value_or(50); k != 0) add(top_k(k, keep));
    if (c.top_p.value_or(1) < 1) add(top_p(*c.top_p, keep));
    if (c.min_p) add(min_p(*c.min_p, keep));
    if (c.typical_p.value_or(1) < 1) add(typical_p(*c.typical_p, keep));
    if (c.epsilon_cutoff.value_or(0) > 0) add(epsilon_cutoff(*c.epsilon_cutoff, keep));
    if (c.eta_cutoff.value_or(0) > 0) add(eta_cutoff(*c.eta_cutoff, keep));
}

}  // namespace silica::generate
