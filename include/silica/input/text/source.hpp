#pragma once
/// The vocabulary of a checkpoint, from whichever file has it, for the families that build their tokenizer themselves.

#include <silica/input/text/file.hpp>
#include <silica/input/text/gguf_tokenizer.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/merges_file.hpp>
#include <silica/input/text/model/bpe.hpp>
#include <silica/input/text/model/vocabulary_reader.hpp>
#include <silica/input/text/normalizer/precompiled.hpp>
#include <silica/input/text/sentencepiece_model.hpp>
#include <silica/input/text/vocab_txt.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// The names under which checkpoints keep a SentencePiece model.
inline constexpr const char* sentencepiece_files[] = {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model"};

/// The files that a vocabulary comes from: tokenizer.json where there is one, else the older ones, else a GGUF file.
class Source {
public:
    explicit Source(std::filesystem::path directory) : directory_(std::move(directory)) {
        if (const auto gguf = gguf_of(directory_)) gguf_ = Gguf::open(*gguf);
        if (!has("tokenizer.json")) return;
        file_ = path("tokenizer.json");
        json_ = parse_json(read_file(file_), file_);
        if (!json_->is_object()) place().fail("is no JSON object");
    }

    [[nodiscard]] bool has_json() const noexcept { return json_.has_value(); }
    /// The GGUF file that has the vocabulary; null where it is in files of its own.
    [[nodiscard]] const Gguf* gguf() const noexcept { return gguf_ ? &*gguf_ : nullptr; }
    [[nodiscard]] bool has(const char* name) const { return has_file(directory_, name); }
    [[nodiscard]] std::string path(const char* name) const { return (directory_ / name).string(); }
    /// The top of tokenizer.json.
    [[nodiscard]] JsonPlace place() const { return {*json_, file_}; }
    /// The name of the SentencePiece model, or null.
    [[nodiscard]] const char* sentencepiece() const {
        for (const char* name : sentencepiece_files) {
            if (has(name)) return name;
        }
        return nullptr;
    }
    [[nodiscard]] SentencePieceModel read_sentencepiece() const {
        const auto* name = sentencepiece();
        if (!name) missing("tokenizer.json, tokenizer.model, spiece.model, sentencepiece.bpe.model");
        return SentencePieceModel::read(read_file(directory_ / name), path(name));
    }

    /// The words of BERT's vocabulary.
    [[nodiscard]] Vocabulary words() const {
        if (json_) return vocabulary_of_json();
        if (!has("vocab.txt")) missing("tokenizer.json, vocab.txt");
        return read_vocab_txt(read_file(directory_ / "vocab.txt"), path("vocab.txt"));
    }
    /// Tokens and merges of byte-pair encoding.
    [[nodiscard]] std::pair<Vocabulary, Merges> pairs() const {
        if (gguf_) return gguf_pairs(*gguf_);
        if (json_) {
            auto vocabulary = vocabulary_of_json();
            const auto merges = place().at("model").find("merges");
            auto read = merges ? Merges::read(*merges, vocabulary, 0) : Merges{};
            return {std::move(vocabulary), std::move(read)};
        }
        if (!has("vocab.json") || !has("merges.txt")) missing("tokenizer.json, vocab.json with merges.txt");
        const auto file = path("vocab.json");
        const auto json = parse_json(read_file(directory_ / "vocab.json"), file);
        auto vocabulary = read_vocabulary(JsonPlace(json, file));
        auto merges = read_merges_txt(read_file(directory_ / "merges.txt"), vocabulary, path("merges.txt"));
        return {std::move(vocabulary), std::move(merges)};
    }
    /// SentencePiece's normalization table in tokenizer.json, or nothing.
    [[nodiscard]] std::optional<Precompiled> charsmap() const {
        const auto top = place().find("normalizer");
        if (!top) return std::nullopt;
        const auto is_table = [](const JsonPlace& at) {
            return at.is_object() && at.string_or("type", "") == "Precompiled" && at.find("precompiled_charsmap");
        };
        if (is_table(*top)) return Precompiled::read(*top);
        const auto steps = top->is_object() ? top->find("normalizers") : std::nullopt;
        for (std::size_t i = 0; steps && i < steps->size(); ++i) {
            if (is_table(steps->at(i))) return Precompiled::read(steps->at(i));
        }
        return std::nullopt;
    }

    /// Throws: none of these files is there.
    [[noreturn]] void missing(const std::string& files) const {
        throw ConfigError(directory_.string() + " has no tokenizer: none of " + files + ".",
                          "Download the tokenizer's files of the model into that directory.");
    }

private:
    [[nodiscard]] Vocabulary vocabulary_of_json() const {
        const auto vocab = place().at("model").at("vocab");
        if (!vocab.is_array()) return read_vocabulary(vocab);
        Vocabulary made;  // a list of [token, score] or of tokens
        for (std::size_t i = 0; i < vocab.size(); ++i) {
            const auto entry = vocab.at(i);
            const auto holder = entry.is_array() ? entry.at(std::size_t{0}) : entry;
            const std::string& token = holder.string();
            check_token(vocab, token);
            made.add(token, static_cast<std::int32_t>(i));
        }
        return made;
    }

    std::filesystem::path directory_;
    std::string file_;
    std::optional<Json> json_;
    std::optional<Gguf> gguf_;
};

}  // namespace silica::text
