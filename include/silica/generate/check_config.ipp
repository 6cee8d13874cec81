#pragma once
/// Parameters out of range.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/generate/check_config.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace silica::generate {
namespace detail {

/// One parameter at a time, each with its key in the error.
struct Ranges {
    /// InputError unless `right`, or absent.
    template <class T, class Right>
    static void require(std::string_view key, const std::optional<T>& value, Right&& right, const char* remedy) {
        if (!value || right(*value)) return;
        std::ostringstream text;
        text << *value;
        throw InputError(std::string(key) + " is " + text.str() + ".", remedy);
    }
    /// From `least` to what 32 bits hold: larger numbers are damage, and would overflow where they are added up.
    static void whole(std::string_view key, const std::optional<std::int64_t>& value, std::int64_t least) {
        require(
            key, value, [&](auto v) { return v >= least; }, (std::to_string(least) + " or more is needed.").c_str());
        require(
            key, value, [](auto v) { return v <= most_of_any; },
            ("at most " + std::to_string(most_of_any) + " is possible.").c_str());
    }
    static constexpr std::int64_t most_of_any = std::numeric_limits<std::int32_t>::max();
    static void positive(std::string_view key, const std::optional<double>& value, const char* remedy) {
        require(key, value, [](double v) { return v > 0 && std::isfinite(v); }, remedy);
    }
    static void share(std::string_view key, const std::optional<double>& value) {
        require(key, value, [](double v) { return v >= 0 && v <= 1; }, "a number from 0 to 1 is needed.");
    }
    static void finite(std::string_view key, const std::optional<double>& value) {
        require(key, value, [](double v) { return std::isfinite(v); }, "a finite number is needed.");
    }
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
    using R = detail::Ranges;
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
    R::positive("repetition_penalty", c.repetition_penalty, "a number over 0 is needed; 1 is no penalty.");
    R::positive("encoder_repetition_penalty", c.encoder_repetition_penalty,
                "a number over 0 is needed; 1 is no penalty.");
    if (sample) {
        R::positive("temperature", c.temperature,
                    "a number over 0 is needed; for the most likely token set do_sample to false.");
        R::whole("top_k", c.top_k, 0);
        R::share("top_p", c.top_p);
        R::share("min_p", c.min_p);
        R::require(
            "top_h", c.top_h, [](double v) { return v > 0 && v <= 1; }, "a number over 0, at most 1, is needed.");
        R::require(
            "typical_p", c.typical_p, [](double v) { return v > 0 && v <= 1; },
            "a number over 0, at most 1, is needed.");
        R::require(
            "epsilon_cutoff", c.epsilon_cutoff, [](double v) { return v >= 0 && v < 1; },
            "a number from 0 to below 1 is needed.");
        R::require(
            "eta_cutoff", c.eta_cutoff, [](double v) { return v >= 0 && v < 1; },
            "a number from 0 to below 1 is needed.");
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
        R::require(
            "sequence_bias", std::optional(s.bias), [](double v) { return !std::isnan(v); }, "a number is needed.");
    }
    for (const auto& text : c.stop_strings.value_or(std::vector<std::string>{})) {
        if (text.empty()) throw InputError("stop_strings has an empty string.", "remove it.");
    }

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
