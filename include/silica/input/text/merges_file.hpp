#pragma once
/// merges.txt: the merges of byte-pair encoding.

#include <silica/core/error.hpp>
#include <silica/core/quote.hpp>
#include <silica/input/text/model/bpe_merges.hpp>
#include <silica/input/text/utf8.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace silica::text {

/// Reads merges.txt: two tokens a line. `file` names it in errors.
[[nodiscard]] inline Merges read_merges_txt(std::string_view bytes, const Vocabulary& vocabulary,
                                            const std::string& file) {
    Merges made;
    std::size_t number = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto end = std::min(bytes.find('\n', at), bytes.size());
        std::string_view line = bytes.substr(at, end - at);
        at = end + 1;
        ++number;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.starts_with("#version")) continue;
        const auto refuse = [&](const std::string& why) {
            throw ConfigError(file + ": line " + std::to_string(number) + " " + why + ".",
                              "Take merges.txt and vocab.json from the model's repository again.");
        };
        const auto space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
            refuse("is not two tokens with a space between");
        }
        const auto missing = made.add(line.substr(0, space), line.substr(space + 1), vocabulary, 0);
        if (!missing.empty()) refuse("needs the token " + quote(utf8::lossy(missing)) + ", which is not in vocab.json");
    }
    return made;
}

}  // namespace silica::text
