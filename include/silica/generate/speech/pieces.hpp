#pragma once
/// A sound that was heard in pieces which overlap, each by itself, as one text. Followed: transformers 5.23,
/// models/whisper/tokenization_whisper.py, _decode_asr.

#include "silica/core/compiled.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace silica::generate {

/// What was written of a piece.
struct HeardPiece {
    std::vector<std::int64_t> tokens;  ///< with times, without prompt
    double seconds = 0;                ///< of the piece
    double left = 0, right = 0;        ///< seconds at its ends that its neighbours hear too
};

/// A part of the text, in seconds of the whole sound.
struct JoinedText {
    std::optional<double> start = {}, end = {};  ///< absent: not written
    std::vector<std::int64_t> tokens = {};       ///< without times
};

/// Which tokens are not text.
struct PieceTokens {
    std::int64_t first_time = 0;                        ///< times follow each other from here on
    std::function<bool(std::int64_t)> is_special = {};  ///< of an id: neither text nor a time
    double seconds = 0.02;                              ///< from one time to the next
    std::int64_t most = 1500;                           ///< times of a window
};

/// One sequence of several, each of which overlaps the one before: they are laid so that most of the shift's length is
/// equal (two tokens at least), and each is cut in the middle of what they share; side by side where they share
/// nothing.
[[nodiscard]] std::vector<std::int64_t> overlapped(std::span<const std::vector<std::int64_t>> sequences);

/// The text of all pieces, cut where a piece wrote a time that its neighbours do not hear. InputError for seconds that
/// are no length, and for times that do not follow each other.
[[nodiscard]] std::vector<JoinedText> joined_pieces(std::span<const HeardPiece> pieces, const PieceTokens& kinds);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/pieces.ipp"
#endif
