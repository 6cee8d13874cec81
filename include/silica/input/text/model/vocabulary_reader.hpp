#pragma once
/// Reading "vocab": an object of tokens and ids.

#include <silica/core/quote.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/vocabulary.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::text {

/// A token of more bytes is damage: those of real files stay far below it, and every place of a text is compared with
/// the longest.
inline constexpr std::size_t longest_token = 512;

/// ConfigError where a token is too long.
inline void check_token(const JsonPlace& place, std::string_view token) {
    if (token.size() > longest_token) {
        place.fail("has a token of " + std::to_string(token.size()) + " bytes, more than " +
                   std::to_string(longest_token) + ": " + quote(token));
    }
}

/// The tokens of a JSON object {token: id}. Ids must be different and lie close together.
[[nodiscard]] inline Vocabulary read_vocabulary(const JsonPlace& place) {
    if (!place.is_object()) place.fail("is no object of tokens and their ids");
    Vocabulary made;
    const auto& members = place.raw().object();
    const auto limit = std::min(JsonPlace::max_id, 8 * static_cast<std::int64_t>(members.size()) + 65536);
    for (const auto& [token, id] : members) {
        if (!id.is_integer() || id.integer() < 0 || id.integer() > limit) {
            place.fail("gives the token " + quote(token) + " the id " + id.brief() +
                       ", which is no id of a vocabulary of " + std::to_string(members.size()));
        }
        check_token(place, token);
        if (!made.add(token, static_cast<std::int32_t>(id.integer())))
            place.fail("gives the id " + id.brief() + " to two tokens");
    }
    return made;
}

/// Throws ConfigError: a word has no tokens, and the token that stands for such words is missing.
[[noreturn]] inline void missing_unknown(const std::string& token) {
    throw ConfigError("The tokenizer met a word that it has no tokens for, and its unknown token \"" + token +
                          "\" is not in the vocabulary.",
                      "Set model.unk_token in tokenizer.json to a token of the vocabulary.");
}

}  // namespace silica::text
