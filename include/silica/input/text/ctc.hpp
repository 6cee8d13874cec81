#pragma once
/// From a symbol for each frame to text: connectionist temporal classification. Graves et al. 2006, section 3.1.
/// Followed: transformers, models/wav2vec2/tokenization_wav2vec2.py.
///
///     auto decoder = silica::text::CtcDecoder::open("wav2vec2-base-960h");
///     auto text = decoder(ids);                                // text.text, .characters, .words

#include <silica/core/compiled.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace silica::text {

/// A character or a word, and its frames: from `start` on, up to `end` without it.
struct CtcSpan {
    std::string text;
    std::int64_t start, end;

    friend bool operator==(const CtcSpan&, const CtcSpan&) = default;
};

/// What was said, and when. The space between two words is a character; the text of spans is not put in lower case.
struct CtcText {
    std::string text;
    std::vector<CtcSpan> characters, words;
};

/// The symbols of a checkpoint. Its const members may be called from several threads at once.
class CtcDecoder {
public:
    /// vocab.json with tokenizer_config.json and its kin, of a checkpoint directory. A vocab.json of several languages
    /// (MMS) is read for `target_lang`; where that is empty, for the one that tokenizer_config.json names. ConfigError
    /// where the files are missing or damaged, InputError for a language that is not there.
    [[nodiscard]] static CtcDecoder open(const std::filesystem::path& directory, const std::string& target_lang = {});

    /// The symbols of frames, in order: those that follow themselves are one, and then the blank is left out.
    [[nodiscard]] CtcText operator()(std::span<const std::int64_t> ids) const;

    /// The languages of a vocab.json of several, sorted; none for one of one language.
    [[nodiscard]] const std::vector<std::string>& languages() const noexcept { return languages_; }

private:
    [[nodiscard]] const std::string& symbol(std::int64_t id) const;

    std::map<std::int64_t, std::string> symbols_;  // by id
    std::string unknown_ = "<unk>", between_ = " ";
    std::optional<std::string> blank_ = "<pad>";
    std::vector<std::string> languages_;
    bool delimited_ = true, lower_case_ = false, clean_up_ = false;
};

}  // namespace silica::text

#ifndef SILICA_COMPILED
#include "silica/input/text/ctc.ipp"
#endif
