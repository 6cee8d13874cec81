#pragma once
/// The tokenizer of a checkpoint: text to token ids and back, equal to Hugging Face `tokenizers` id for id.
///
///     auto tokenizer = silica::text::Tokenizer::open("all-MiniLM-L6-v2");
///     auto encoding = tokenizer.encode("Hello, world!");       // encoding.ids, .attention_mask, .type_ids, .tokens
///     std::string text = tokenizer.decode(encoding.ids, true);

#include <silica/core/compiled.hpp>
#include <silica/core/error.hpp>
#include <silica/input/text/encoding.hpp>
#include <silica/input/text/truncation.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

struct Parts;
struct TokenizerConfig;

/// A tokenizer. Its const members may be called from several threads at once; copies share what was read.
class Tokenizer {
public:
    explicit Tokenizer(Parts parts);
    Tokenizer(Parts parts, TokenizerConfig config);
    /// What is moved from stays as it was: copies share all that is large.
    Tokenizer(const Tokenizer&) = default;
    Tokenizer& operator=(const Tokenizer&) = default;

    /// The tokenizer of a checkpoint directory, as transformers' AutoTokenizer makes it: tokenizer.json; or else
    /// vocab.txt (BERT), vocab.json with merges.txt (byte-level BPE), or a SentencePiece model (LLaMA, T5), with
    /// tokenizer_config.json, special_tokens_map.json and added_tokens.json; or else what its GGUF file holds, which
    /// may be named itself. ConfigError where there is none or it is damaged.
    [[nodiscard]] static Tokenizer open(const std::filesystem::path& directory);
    /// A tokenizer from the text of a tokenizer.json.
    [[nodiscard]] static Tokenizer parse(std::string_view json, const std::string& file = "tokenizer.json");

    /// The tokens of a text, truncated and padded as the tokenizer's file says. InputError where it is not UTF-8.
    [[nodiscard]] Encoding encode(std::string_view text, bool add_special_tokens = true) const;
    /// The tokens of two texts that belong together (question and answer, premise and hypothesis).
    [[nodiscard]] Encoding encode_pair(std::string_view text, std::string_view pair,
                                       bool add_special_tokens = true) const;
    /// The tokens of several texts, padded to one length where the tokenizer's file asks for padding.
    [[nodiscard]] std::vector<Encoding> encode_batch(std::span<const std::string> texts,
                                                     bool add_special_tokens = true) const;
    /// The same for pairs.
    [[nodiscard]] std::vector<Encoding> encode_batch(std::span<const std::pair<std::string, std::string>> pairs,
                                                     bool add_special_tokens = true) const;

    /// The text of token ids. Ids without a token are left out, and special tokens where asked.
    [[nodiscard]] std::string decode(std::span<const std::int64_t> ids, bool skip_special_tokens = false) const;

    /// The id of a token, if there is such a token.
    [[nodiscard]] std::optional<std::int64_t> token_to_id(const std::string& token) const;
    /// The token of an id, if there is one.
    [[nodiscard]] std::optional<std::string> id_to_token(std::int64_t id) const;
    /// Number of tokens, with the added ones or without.
    [[nodiscard]] std::size_t vocab_size(bool with_added_tokens = true) const;
    /// Whether decode(..., true) leaves this token out.
    [[nodiscard]] bool is_special(std::int64_t id) const;
    /// The token of a role ("cls_token", "eos_token", "pad_token", "image_token", ...), if the files or the tokenizer's
    /// class name one.
    [[nodiscard]] std::optional<std::string> special_token(const std::string& role) const;
    /// The number of tokens that tokenizer_config.json says the model takes.
    [[nodiscard]] std::optional<std::int64_t> model_max_length() const;
    /// Which end of a long text tokenizer_config.json says is cut; nothing where it does not.
    [[nodiscard]] std::optional<Side> truncation_side() const;
    /// Which end of a short text it says is filled.
    [[nodiscard]] std::optional<Side> padding_side() const;

    /// Puts small letters before everything else that is done to a text, where the tokenizer's file has no step that
    /// does that alone: "do_lower_case" of sentence-transformers.
    void lower_first();

    /// Replaces the truncation of the tokenizer's file (or switches it off).
    void set_truncation(std::optional<Truncation> truncation) { truncation_ = truncation; }
    /// Replaces the padding of the tokenizer's file (or switches it off).
    void set_padding(std::optional<Padding> padding) { padding_ = std::move(padding); }
    [[nodiscard]] const std::optional<Truncation>& truncation() const noexcept { return truncation_; }
    [[nodiscard]] const std::optional<Padding>& padding() const noexcept { return padding_; }

private:
    [[nodiscard]] Encoding one(std::string_view text, std::int64_t type_id) const;
    [[nodiscard]] Encoding finish(Encoding first, std::optional<Encoding> second, bool add_special_tokens) const;

    std::shared_ptr<const Parts> parts_;
    std::shared_ptr<const TokenizerConfig> config_;
    std::optional<Truncation> truncation_;
    std::optional<Padding> padding_;
};

}  // namespace silica::text

#ifndef SILICA_COMPILED
#include "silica/input/text/tokenizer.ipp"
#endif
