#pragma once
/// Reading "vocab": an object of tokens and ids.

#include <silica/input/text/json_place.hpp>
#include <silica/input/text/vocabulary.hpp>

#include <algorithm>
#include <string>

namespace silica::text {

/// The tokens of a JSON object {token: id}. Ids must be different and lie close together.
[[nodiscard]] inline Vocabulary read_vocabulary(const JsonPlace& place) {
    if (!place.is_object()) place.fail("is no object of tokens and their ids");
    Vocabulary made;
    const auto limit = std::min<std::uint64_t>(JsonPlace::max_id, 8 * place.raw().size() + 65536);
    for (const auto& [token, id] : place.raw().items()) {
        if (!id.is_number_unsigned() || id.template get<std::uint64_t>() > limit) {
            place.fail(
                "gives the token " +
                nlohmann::json(token.substr(0, 100)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                " the id " + id.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 100) +
                ", which is no id of a vocabulary of " + std::to_string(place.raw().size()));
        }
        if (!made.add(token, id.template get<std::int32_t>()))
            place.fail("gives the id " + id.dump() + " to two tokens");
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
