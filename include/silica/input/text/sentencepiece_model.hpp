#pragma once
/// SentencePiece's model file (sentencepiece_model.proto): pieces with scores and types, and how they were trained.

#include <silica/core/error.hpp>
#include <silica/input/text/protobuf.hpp>
#include <silica/input/text/utf8.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text {

/// What tokenizer.model, spiece.model or sentencepiece.bpe.model hold, as far as tokenizing needs it.
struct SentencePieceModel {
    enum PieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
    struct Piece {
        std::string text = {};
        float score = 0;
        int type = normal;
    };
    enum ModelType { unigram = 1, bpe = 2, word = 3, character = 4 };

    std::vector<Piece> pieces = {};
    int model_type = unigram;
    bool byte_fallback = false, has_bos = true, has_eos = true;
    std::int64_t unknown_at = 0;  ///< the id of the unknown piece, -1 for none
    std::string unknown_piece = "<unk>", bos_piece = "<s>", eos_piece = "</s>";
    std::string charsmap = {};  ///< precompiled_charsmap of the normalizer

    /// Reads the bytes of a model file. ConfigError, with the file's name, where they are damaged.
    [[nodiscard]] static SentencePieceModel read(std::string_view bytes, const std::string& file) {
        SentencePieceModel made;
        ProtobufReader top(bytes);
        while (top.next()) {
            if (top.wire() != 2) continue;
            if (top.field() == 1) made.pieces.push_back(read_piece(top.bytes(), file));
            if (top.field() == 2) made.read_trainer(top.bytes(), file);
            if (top.field() == 3) made.read_normalizer(top.bytes(), file);
        }
        if (top.damaged()) damaged(file, "breaks off in the middle of a field");
        if (made.pieces.empty()) damaged(file, "holds no pieces");
        return made;
    }

    /// The id of the unknown piece.
    [[nodiscard]] std::optional<std::int32_t> unknown_id() const {
        if (unknown_at < 0 || static_cast<std::size_t>(unknown_at) >= pieces.size()) return std::nullopt;
        return static_cast<std::int32_t>(unknown_at);
    }

private:
    [[noreturn]] static void damaged(const std::string& file, const std::string& why) {
        throw ConfigError(file + " is no SentencePiece model: it " + why + ".",
                          "Take the file from the model's repository again.");
    }
    [[nodiscard]] static Piece read_piece(std::string_view bytes, const std::string& file) {
        Piece made;
        ProtobufReader in(bytes);
        while (in.next()) {
            if (in.field() == 1 && in.wire() == 2) made.text = in.bytes();
            if (in.field() == 2 && in.wire() == 5)
                made.score = std::bit_cast<float>(static_cast<std::uint32_t>(in.number()));
            if (in.field() == 3 && in.wire() == 0) made.type = static_cast<int>(in.number() & 0x7F);
        }
        if (in.damaged()) damaged(file, "has a piece that breaks off");
        if (made.text.size() > 512) damaged(file, "has a piece of " + std::to_string(made.text.size()) + " bytes");
        if (utf8::first_invalid(made.text) != std::string::npos) damaged(file, "has a piece that is not UTF-8");
        if (!std::isfinite(made.score)) damaged(file, "has a piece whose score is no number");
        return made;
    }
    void read_trainer(std::string_view bytes, const std::string& file) {
        ProtobufReader in(bytes);
        while (in.next()) {
            if (in.field() == 3 && in.wire() == 0) model_type = static_cast<int>(in.number() & 0x7F);
            if (in.field() == 35 && in.wire() == 0) byte_fallback = in.number() != 0;
            // Negative ids, for none, are written as 64 bits of two's complement.
            if (in.field() == 40 && in.wire() == 0) unknown_at = static_cast<std::int32_t>(in.number());
            if (in.field() == 41 && in.wire() == 0) has_bos = static_cast<std::int32_t>(in.number()) >= 0;
            if (in.field() == 42 && in.wire() == 0) has_eos = static_cast<std::int32_t>(in.number()) >= 0;
            if (in.field() == 45 && in.wire() == 2) unknown_piece = in.bytes();
            if (in.field() == 46 && in.wire() == 2) bos_piece = in.bytes();
            if (in.field() == 47 && in.wire() == 2) eos_piece = in.bytes();
        }
        if (in.damaged()) damaged(file, "has a trainer_spec that breaks off");
        for (const std::string* text : {&unknown_piece, &bos_piece, &eos_piece}) {
            if (utf8::first_invalid(*text) != std::string::npos) damaged(file, "names a token that is not UTF-8");
        }
    }
    void read_normalizer(std::string_view bytes, const std::string& file) {
        ProtobufReader in(bytes);
        while (in.next()) {
            if (in.field() == 2 && in.wire() == 2) charsmap = in.bytes();
        }
        if (in.damaged()) damaged(file, "has a normalizer_spec that breaks off");
    }
};

}  // namespace silica::text
