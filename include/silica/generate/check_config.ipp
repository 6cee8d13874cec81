#pragma once
/// Parameters out of range.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/generate/check_config.hpp"
#include "silica/generate/ranges.hpp"
#include "silica/generate/text_stream.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::generate {
namespace detail {

/// The same of ids.
struct IdRanges : Ranges {
    /// InputError for ids that the vocabulary does not have; without a vocabulary, for negative ones.
    static void ids(std::string_view key, const std::optional<std::vector<std::int64_t>>& ids,
                    std::optional<std::int64_t> vocab) {
        if (!ids) return;
        for (const auto id : *ids) {
            if (id >= 0 && (!vocab || id < *vocab)) continue;
            throw InputError(
                std::string(key) + " is " + std::to_string(id) +
                    (vocab ? ", which is no token: ids from 0 to " + std::to_string(*vocab - 1) + " exist (vocab_size)."
                           : ", which is no token."),
                "correct generation_config.json, or use the tokenizer of this checkpoint.");
        }
    }
    static void id(std::string_view key, const std::optional<std::int64_t>& value, std::optional<std::int64_t> vocab) {
        if (value) ids(key, std::vector{*value}, vocab);
    }
};

}  // namespace detail

SILICA_INLINE void check(const GenerationConfig& c, const DecoderFacts& facts) {
    using R = detail::IdRanges;
    const bool sample = c.do_sample.value_or(false);
    const auto beams = c.num_beams.value_or(1);
    R::whole("max_length", c.max_length, 1);
    R::whole("max_new_tokens", c.max_new_tokens, 1);
    R::whole("min_length", c.min_length, 0);
    R::whole("min_new_tokens", c.min_new_tokens, 0);
    R::positive("max_time", c.max_time, "a number of seconds over 0 is needed.");
    R::whole("num_beams", c.num_beams, 1);
    R::whole("num_return_sequences", c.num_return_sequences, 1);
    R::whole("no_repeat_ngram_size", c.no_repeat_ngram_size, 0);
    R::whole("encoder_no_repeat_ngram_size", c.encoder_no_repeat_ngram_size, 0);
    R::whole("prefill_chunk_size", c.prefill_chunk_size, 0);
    R::finite("length_penalty", c.length_penalty);
    R::finite("frequency_penalty", c.frequency_penalty);
    R::finite("presence_penalty", c.presence_penalty);
    R::penalty("repetition_penalty", c.repetition_penalty);
    R::penalty("encoder_repetition_penalty", c.encoder_repetition_penalty);
    if (sample) {
        R::temperature(c.temperature);
        R::whole("top_k", c.top_k, 0);
        R::share("top_p", c.top_p);
        R::share("min_p", c.min_p);
        R::part("top_h", c.top_h);
        R::part("typical_p", c.typical_p);
        R::cutoff("epsilon_cutoff", c.epsilon_cutoff);
        R::cutoff("eta_cutoff", c.eta_cutoff);
    }
    if (const auto n = c.num_return_sequences.value_or(1); n > 1 && !sample && beams == 1) {
        throw InputError("num_return_sequences is " + std::to_string(n) + ", but the most likely text is one.",
                         "set do_sample, or num_beams to as many or more.");
    } else if (beams > 1 && n > beams) {
        throw InputError("num_return_sequences is " + std::to_string(n) + ", num_beams " + std::to_string(beams) + ".",
                         "ask for as many texts as there are beams, or fewer.");
    }
    if (const auto& decay = c.exponential_decay_length_penalty) {
        R::whole("exponential_decay_length_penalty: start", std::optional(decay->start), -R::most_of_any);
        R::finite("exponential_decay_length_penalty: factor", std::optional(decay->factor));
    }
    if (c.exponential_decay_length_penalty && (!c.eos_token_id || c.eos_token_id->empty()))
        throw InputError("exponential_decay_length_penalty needs an end token.", "set eos_token_id.");

    R::ids("eos_token_id", c.eos_token_id, facts.vocab_size);
    if (c.forced_eos_token_id && c.forced_eos_token_id->empty())
        throw InputError("forced_eos_token_id is an empty list.", "name a token, or leave it out.");
    R::ids("forced_eos_token_id", c.forced_eos_token_id, facts.vocab_size);
    // suppress_tokens and begin_suppress_tokens beyond the vocabulary forbid nothing, as in transformers: small models
    // keep the lists of large ones.
    R::id("forced_bos_token_id", c.forced_bos_token_id, facts.vocab_size);
    if (facts.encoder_decoder) R::id("decoder_start_token_id", c.decoder_start_token_id, facts.vocab_size);
    const auto sequence = [&](std::string_view key, const std::vector<std::int64_t>& tokens) {
        if (tokens.empty()) throw InputError(std::string(key) + " has an empty list of tokens.", "remove it.");
        R::ids(key, tokens, facts.vocab_size);
    };
    for (const auto& word : c.bad_words_ids.value_or(std::vector<std::vector<std::int64_t>>{}))
        sequence("bad_words_ids", word);
    for (const auto& s : c.sequence_bias.value_or(std::vector<SequenceBias>{})) {
        sequence("sequence_bias", s.tokens);
        R::number("sequence_bias", s.bias);
    }
    if (c.stop_strings) require_stop_strings(*c.stop_strings);

    const auto all_suppressed = [&](const std::vector<std::int64_t>& forced) {
        return !forced.empty() && c.suppress_tokens && std::ranges::all_of(forced, [&](auto id) {
            return std::ranges::find(*c.suppress_tokens, id) != c.suppress_tokens->end();
        });
    };
    if ((c.forced_bos_token_id && all_suppressed({*c.forced_bos_token_id})) ||
        (c.forced_eos_token_id && all_suppressed(*c.forced_eos_token_id))) {
        throw InputError("suppress_tokens forbids every token that forced_bos_token_id or forced_eos_token_id forces.",
                         "remove them from one of the two; min_new_tokens puts off the end.");
    }
}

}  // namespace silica::generate
