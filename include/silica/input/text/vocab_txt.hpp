#pragma once
/// vocab.txt: the words of BERT's vocabulary.

#include <silica/core/error.hpp>
#include <silica/core/quote.hpp>
#include <silica/input/text/model/vocabulary_reader.hpp>
#include <silica/input/text/unicode.hpp>
#include <silica/input/text/utf8.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace silica::text {

/// The tokens of vocab.txt: one a line, without the white space at its end; the id is the line's number from 0. `file`
/// names it in errors.
[[nodiscard]] inline Vocabulary read_vocab_txt(std::string_view bytes, const std::string& file) {
    const auto refuse = [&](const std::string& why) {
        throw ConfigError(file + " " + why + ".", "Take the file from the model's repository again.");
    };
    if (const auto bad = utf8::first_invalid(bytes); bad != std::string::npos) {
        refuse("is not UTF-8 (byte " + std::to_string(bad) + ")");
    }
    const auto& classes = unicode::Classes::get();
    Vocabulary made;
    std::int32_t id = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto end = std::min(bytes.find('\n', at), bytes.size());
        std::string_view line = bytes.substr(at, end - at);
        while (!line.empty()) {
            const auto [c, length] = utf8::decode_before(line, line.size());
            if (!classes.is(c, unicode::is_space)) break;
            line.remove_suffix(length);
        }
        if (line.size() > longest_token) {
            refuse("has a token of " + std::to_string(line.size()) + " bytes, more than " +
                   std::to_string(longest_token) + ": " + quote(line));
        }
        if (id > JsonPlace::max_id) refuse("has more than " + std::to_string(JsonPlace::max_id) + " lines");
        made.add(line, id++);
        at = end + 1;
    }
    if (id == 0) refuse("is empty");
    return made;
}

}  // namespace silica::text
