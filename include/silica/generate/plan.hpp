#pragma once
/// What a call of generation comes down to: lengths, start tokens, rows. Followed: transformers 5.23,
/// generation/utils.py, _prepare_special_tokens, _prepare_generated_length, _expand_inputs_for_generation.

#include "silica/generate/config.hpp"
#include "silica/generate/decoder.hpp"
#include "silica/generate/scores.hpp"

#include <cstdint>
#include <vector>

namespace silica::generate {

/// A call, checked: `rows` rows that start with the same number of tokens.
struct Plan {
    GenerationConfig config;  ///< with the family's special tokens where it had none
    Prompt prompt;            ///< on the CPU, a row for each text that is followed
    std::int64_t batch = 0, rows = 0;
    std::size_t start = 0, max_length = 0;           ///< tokens of a row before the first new one, and at the end
    std::vector<std::vector<std::int64_t>> history;  ///< (rows) tokens of the decoder so far, padding included
    std::vector<std::size_t> padding;                ///< (rows) of these, padding
    std::vector<std::vector<std::int64_t>> encoder;  ///< (rows) the encoder's text, or the prompt; no padding
    std::vector<std::int64_t> ends;                  ///< end tokens
    std::int64_t pad = 0;                            ///< what rows that ended are filled with
    std::int64_t prompt_tokens = 0;
    /// Whether the first token comes where every one is forbidden, as transformers has it; else that is an InputError.
    bool first_of_none = false;

    /// InputError where there is no such row.
    [[nodiscard]] Row row(std::size_t i) const;
};

/// Rows of all of `batch` texts, `times` of each. InputError for more than any device runs at once: they would fill the
/// host's memory first.
[[nodiscard]] std::int64_t rows_of_call(std::int64_t batch, std::int64_t times);

/// Throws InputError for further inputs of a prompt that are missing, or that a Prompt has a place of its own for.
void require_extra(const Named& extra);

/// Throws InputError unless the numbers and rows of a plan that was made by hand fit each other.
void check(const Plan& plan);

/// A call as a plan, of a prompt on the CPU. InputError for whatever is wrong with it.
[[nodiscard]] Plan plan(const DecoderFacts& facts, const Prompt& prompt, GenerationConfig c);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/plan.ipp"
#endif
