#pragma once
/// How text is chosen: the keys of generation_config.json. Followed: transformers 5.23,
/// generation/configuration_utils.py, whose names, defaults and meaning these are.

#include "silica/core/reflect.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace silica::generate {

/// When beam search stops: `yes` with the first num_beams finished texts; `no` when the best running one can hardly
/// become better than the worst finished one; `never` when it cannot.
enum class EarlyStopping { no, yes, never };

/// What is added to the score of the last of `tokens` when those before it were just written.
struct SequenceBias {
    std::vector<std::int64_t> tokens;
    double bias = 0;
};

/// From the `start`-th new token on, the score s of the end tokens grows by |s| (factor^(new tokens - start) - 1).
struct LengthDecay {
    std::int64_t start = 0;
    double factor = 1;
};

/// What is absent is as the checkpoint says, else as the default beside it. Sampling keys matter with do_sample only,
/// those of beams with num_beams over 1.
struct GenerationConfig {
    std::optional<std::int64_t> max_length = {};      ///< tokens in all, prompt included. Default: prompt + 20
    std::optional<std::int64_t> max_new_tokens = {};  ///< goes before max_length
    std::optional<std::int64_t> min_length = {};      ///< 0
    std::optional<std::int64_t> min_new_tokens = {};  ///< goes before min_length
    std::optional<double> max_time = {};              ///< seconds; the step that is running ends
    std::optional<std::vector<std::string>> stop_strings = {};      ///< text that ends a row, where decoding is at hand
    std::optional<bool> do_sample = {};                             ///< false: the most likely token
    std::optional<std::int64_t> num_beams = {};                     ///< 1
    std::optional<EarlyStopping> early_stopping = {};               ///< no
    std::optional<double> length_penalty = {};                      ///< 1: score / length^penalty
    std::optional<std::int64_t> num_return_sequences = {};          ///< 1: texts per prompt, at most num_beams
    std::optional<double> temperature = {};                         ///< 1: logits / temperature
    std::optional<std::int64_t> top_k = {};                         ///< 50; 0: all
    std::optional<double> top_p = {};                               ///< 1: the most likely that make up so much
    std::optional<double> min_p = {};                               ///< off: this share of the largest probability
    std::optional<double> top_h = {};                               ///< off: this share of the entropy of the top 100
    std::optional<double> typical_p = {};                           ///< 1: the most typical that make up so much
    std::optional<double> epsilon_cutoff = {};                      ///< 0: the least probability
    std::optional<double> eta_cutoff = {};                          ///< 0: the same, lower where the entropy is high
    std::optional<double> repetition_penalty = {};                  ///< 1: scores of tokens that were there before
    std::optional<double> encoder_repetition_penalty = {};          ///< 1: of tokens of the encoder's text, upwards
    std::optional<double> frequency_penalty = {};                   ///< 0: less this for each time a token was written
    std::optional<double> presence_penalty = {};                    ///< 0: less this where a token was written
    std::optional<std::int64_t> no_repeat_ngram_size = {};          ///< 0: no n tokens in a row twice
    std::optional<std::int64_t> encoder_no_repeat_ngram_size = {};  ///< 0: none of the encoder's text
    std::optional<std::vector<std::vector<std::int64_t>>> bad_words_ids = {};  ///< never completed
    std::optional<std::vector<SequenceBias>> sequence_bias = {};               ///< none
    std::optional<std::vector<std::int64_t>> suppress_tokens = {};             ///< never written
    std::optional<std::vector<std::int64_t>> begin_suppress_tokens = {};       ///< not written first
    std::optional<std::int64_t> forced_bos_token_id = {};                      ///< the first after a single token
    std::optional<std::vector<std::int64_t>> forced_eos_token_id = {};         ///< the last, at max_length
    std::optional<LengthDecay> exponential_decay_length_penalty = {};          ///< none
    std::optional<bool> remove_invalid_values = {};                            ///< NaN to 0, infinities to the largest
    std::optional<bool> renormalize_logits = {};                               ///< log-softmax at the end
    std::optional<std::int64_t> bos_token_id = {};                             ///< what an empty prompt starts with
    std::optional<std::vector<std::int64_t>> eos_token_id = {};                ///< one or several; {}: none
    std::optional<std::int64_t> pad_token_id = {};                             ///< the first eos
    std::optional<std::int64_t> decoder_start_token_id = {};                   ///< bos
    std::optional<std::int64_t> prefill_chunk_size = {};                       ///< 2048; 0: prompts whole
    std::optional<std::uint64_t> seed = {};  ///< 0; of the samples. No key of generation_config.json, so not reflected
    /// Whether a text may go on where the context is full, as transformers lets it, and not end there. No key either.
    bool beyond_context = false;
};

/// true, false or "never".
void read_json(EarlyStopping& value, const Json& json, const std::string& path);
/// [[tokens], bias].
void read_json(SequenceBias& value, const Json& json, const std::string& path);
/// [start, factor].
void read_json(LengthDecay& value, const Json& json, const std::string& path);

}  // namespace silica::generate

BOOST_HANA_ADAPT_STRUCT(silica::generate::GenerationConfig, max_length, max_new_tokens, min_length, min_new_tokens,
                        max_time, stop_strings, do_sample, num_beams, early_stopping, length_penalty,
                        num_return_sequences, temperature, top_k, top_p, min_p, top_h, typical_p, epsilon_cutoff,
                        eta_cutoff, repetition_penalty, encoder_repetition_penalty, frequency_penalty, presence_penalty,
                        no_repeat_ngram_size, encoder_no_repeat_ngram_size, bad_words_ids, sequence_bias,
                        suppress_tokens, begin_suppress_tokens, forced_bos_token_id, forced_eos_token_id,
                        exponential_decay_length_penalty, remove_invalid_values, renormalize_logits, bos_token_id,
                        eos_token_id, pad_token_id, decoder_start_token_id, prefill_chunk_size);

namespace silica::generate {

/// `first`, and where it is silent, `then`.
[[nodiscard]] GenerationConfig merged(GenerationConfig first, const GenerationConfig& then);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/config.ipp"
#endif
