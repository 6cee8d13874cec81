#pragma once
/// A BERT tokenizer from vocab.txt and tokenizer_config.json, as transformers' BertTokenizer builds it.

#include <silica/input/text/parts.hpp>
#include <silica/input/text/tokenizer_config.hpp>

#include <filesystem>
#include <string>
#include <utility>

namespace silica::text {

/// The tokens of vocab.txt: one a line, the id is the line's number from 0. Lines end with LF, CRLF or CR.
[[nodiscard]] inline Vocabulary read_vocab_txt(const std::string& bytes) {
    if (const auto bad = utf8::first_invalid(bytes); bad != std::string::npos) {
        throw ConfigError("vocab.txt is not UTF-8 (byte " + std::to_string(bad) + ").",
                          "Take the file from the model's repository again.");
    }
    Vocabulary made;
    std::int32_t id = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        std::size_t end = bytes.find_first_of("\r\n", at);
        if (end == std::string::npos) end = bytes.size();
        made.add(std::string_view(bytes).substr(at, end - at), id++);
        at = end + (bytes.compare(end, 2, "\r\n") == 0 ? 2 : 1);
    }
    if (id == 0) throw ConfigError("vocab.txt is empty.", "Take the file from the model's repository again.");
    return made;
}

/// The tokenizer of a directory with vocab.txt and, perhaps, tokenizer_config.json.
[[nodiscard]] inline Parts read_vocab_txt(const std::filesystem::path& directory, const TokenizerConfig& config) {
    const auto place = config.place();
    BertNormalizer normalizer;
    normalizer.lowercase = place.boolean_or("do_lower_case", true);
    normalizer.handle_chinese_chars = place.boolean_or("tokenize_chinese_chars", true);
    if (const auto strip = place.find("strip_accents")) normalizer.strip_accents = strip->boolean();

    Parts made{Model{WordPiece(read_vocab_txt(read_file(directory / "vocab.txt")),
                               config.token_or("unk_token", "[UNK]"), "##", 100)}};
    made.normalizer = Normalizer{normalizer};
    made.pre_tokenizer = PreTokenizer{BertPreTokenizer{}};
    made.decoder = Decoder{WordPieceDecoder{}};

    TokenizerConfig full = config;
    full.default_tokens({{"unk_token", "[UNK]"},
                         {"sep_token", "[SEP]"},
                         {"pad_token", "[PAD]"},
                         {"cls_token", "[CLS]"},
                         {"mask_token", "[MASK]"}});
    made.add_special_tokens(full);
    const auto cls = made.special(full, "cls_token", "[CLS]"), sep = made.special(full, "sep_token", "[SEP]");
    made.post_processor = PostProcessor(TemplateProcessing({{-1, 0, cls}, {0, 0}, {-1, 0, sep}},
                                                           {{-1, 0, cls}, {0, 0}, {-1, 0, sep}, {1, 1}, {-1, 1, sep}}));
    return made;
}

}  // namespace silica::text
