#pragma once
/// Text token by token: what is handed out never changes later, never splits a character, and joined is the text of all
/// tokens. Works with any way of decoding whose text only grows, but for an end that later tokens may still change.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::generate {

/// How tokens become text.
struct TextOf {
    /// The text of tokens, special ones left out.
    std::function<std::string(std::span<const std::int64_t>)> decode = {};
    /// Tokens that change the text before them if anything does: the byte token <0xFF>, which turns the byte tokens
    /// before it into U+FFFD. They are tried to see how much text is final.
    std::vector<std::int64_t> probes = {};

    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(decode); }
    /// `decode(tokens)`; InputError where there is no such function.
    [[nodiscard]] std::string operator()(std::span<const std::int64_t> tokens) const;
};

/// The tokens of one row, and their text as it becomes final.
class TextStream {
public:
    explicit TextStream(TextOf text) : text_(std::move(text)) {}

    /// Takes a token -> what of the text is final now and was not before.
    [[nodiscard]] std::string push(std::int64_t id);
    /// The text behind what was handed out, as it is now.
    [[nodiscard]] const std::string& pending() const noexcept { return pending_; }

private:
    /// How much of `all` later tokens cannot change. A character whose first bytes are there reads U+FFFD so far.
    [[nodiscard]] std::size_t final_length(const std::string& all);

    /// Where all is final, tokens far back are not decoded again; some stay, since a text's first token is decoded
    /// apart.
    void forget(const std::string& all);

    TextOf text_;
    std::vector<std::int64_t> tokens_;
    std::size_t seam_ = 0;   // tokens before this place need no others to be decoded
    std::size_t given_ = 0;  // bytes of the text of tokens_ that were handed out
    std::string pending_;
};

/// Throws InputError for a stop string that is empty or not UTF-8.
void require_stop_strings(const std::vector<std::string>& stops);

/// Text that ends at a stop string, which is not handed out, nor what might become one.
class StoppedText {
public:
    /// What came of a token: text for the reader, and whether a stop string is complete.
    struct Piece {
        std::string text;
        bool stopped = false;
    };

    /// InputError for a stop string that is empty or not UTF-8: texts never split a character.
    StoppedText(TextOf text, std::vector<std::string> stops);

    /// Takes a token; `last`: no other follows.
    [[nodiscard]] Piece push(std::int64_t id, bool last);
    /// Text that was held back, where a row ends without a further token.
    [[nodiscard]] std::string rest() const { return held_ + stream_.pending(); }

private:
    /// The longest end of what is held that a stop string begins with.
    [[nodiscard]] std::size_t at_risk() const;

    TextStream stream_;
    std::vector<std::string> stops_;
    std::string held_;
};

/// Whether the text of `tokens` holds a stop string that its last token completes: for texts that are not followed
/// token by token. InputError for a stop string that is empty.
[[nodiscard]] bool completes(const TextOf& text, const std::vector<std::string>& stops,
                             std::span<const std::int64_t> tokens);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/text_stream.ipp"
#endif
