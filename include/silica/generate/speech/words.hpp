#pragma once
/// Tokens as words. Followed: transformers 5.23, models/whisper/tokenization_whisper.py, _combine_tokens_into_words
/// and the functions below it.

#include "silica/core/compiled.hpp"
#include "silica/generate/text_stream.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::generate {

/// A word, and which of the tokens it is made of: [from, to).
struct WordTokens {
    std::string text;
    std::size_t from = 0, to = 0;
};

/// Whether a language (its code, "ja") is written without spaces between the words.
[[nodiscard]] bool has_no_spaces(std::string_view language);

/// The words of a text's tokens, which have no times and no special ones among them. Split where what is decoded so far
/// is whole characters. `spaces`: what does not begin with a space and is no punctuation belongs to the word before it;
/// else each is a word. Then punctuation goes to its neighbours, such as "(" to the right and ")" to the left.
[[nodiscard]] std::vector<WordTokens> words_of(const TextOf& text, std::span<const std::int64_t> tokens, bool spaces);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/words.ipp"
#endif
