#pragma once
/// The WordPiece decoder: joins continuing tokens, and tidies the spaces around punctuation.

#include <silica/input/text/json_place.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Every occurrence of `from`, left to right, becomes `to`.
inline void replace_all(std::string& text, std::string_view from, std::string_view to) {
    if (from.empty()) return;
    std::size_t at = text.find(from);
    if (at == std::string::npos) return;
    std::string out;
    std::size_t done = 0;
    for (; at != std::string::npos; at = text.find(from, done)) {
        out.append(text, done, at - done).append(to);
        done = at + from.size();
    }
    out.append(text, done);
    text.swap(out);
}

/// Undoes the spaces that word splitting left before punctuation and in English contractions.
inline void tidy_spaces(std::string& text) {
    if (text.find(' ') == std::string::npos) return;
    constexpr std::pair<const char*, const char*> rules[] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : rules) replace_all(text, from, to);
}

/// The same as transformers does it (`clean_up_tokenization_spaces`).
inline void clean_up(std::string& text) {
    constexpr std::pair<const char*, const char*> rules[] = {
        {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
        {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : rules) replace_all(text, from, to);
}

/// "token ##s" reads "tokens".
struct WordPieceDecoder {
    std::string prefix = "##";
    bool cleanup = true;

    [[nodiscard]] static WordPieceDecoder read(const JsonPlace& place) {
        return {place.at("prefix").string(), place.at("cleanup").boolean()};
    }
    void operator()(std::vector<std::string>& tokens) const {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            std::string& token = tokens[i];
            if (i > 0) {
                if (token.compare(0, prefix.size(), prefix) == 0) {
                    token.erase(0, prefix.size());
                } else {
                    token.insert(0, 1, ' ');
                }
            }
            if (cleanup) tidy_spaces(token);
        }
    }
};

}  // namespace silica::text
