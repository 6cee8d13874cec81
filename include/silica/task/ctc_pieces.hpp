#pragma once
/// Long sounds in pieces that overlap. What a model that gives a symbol for each frame hears at an end of a piece lacks
/// what comes next, and is left out; texts that overlap are joined (generate/speech/pieces.hpp). As transformers'
/// pipeline with `chunk_length_s` cuts them (pipelines/automatic_speech_recognition.py, chunk_iter and rescale_stride).

#include "silica/core/compiled.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace silica::task {

/// How sounds are cut.
struct CtcCutting {
    double whole_seconds = 120;                       ///< a sound up to this long is heard in one piece
    double chunk_seconds = 30;                        ///< else pieces are this long
    double stride_seconds = 5;                        ///< and so much at each end of a piece is heard by its neighbour
    std::optional<double> right_stride_seconds = {};  ///< at its right end; absent: as at its left one
};

/// A piece of a sound.
struct CtcPiece {
    std::vector<float> samples;
    std::int64_t left = 0, right = 0;  ///< samples at its ends that count in its neighbours
    bool last = false;

    /// Which of the `frames` frames that a model gives count, one of them being of `ratio` samples: from the first on,
    /// up to the second without it.
    struct Range {
        std::int64_t begin, end;
    };
    /// InputError for sizes below 0, a ratio below 1, and ends that are longer than the piece.
    [[nodiscard]] Range counted(std::int64_t frames, std::int64_t ratio) const;
};

/// The pieces of a sound, one after another; no more than `whole_seconds` of it are kept.
class CtcPieces {
public:
    /// The next `n` samples of a sound, fewer at its end.
    using Read = std::function<std::vector<float>(std::int64_t n)>;

    /// `ratio`: samples of a frame; pieces are of whole frames.
    /// InputError where a number of `cutting` is no length, the ends are all of a piece, there is nothing to read from,
    /// or rate and ratio are no sizes.
    CtcPieces(Read read, std::int64_t rate, std::int64_t ratio, const CtcCutting& cutting);

    /// The next piece, nothing after the last.
    [[nodiscard]] std::optional<CtcPiece> next();

private:
    /// Reads until there are `n` samples or the sound ends.
    void fill(std::int64_t n);

    Read read_;
    std::vector<float> samples_;  // from the beginning of the next piece on
    std::int64_t whole_, chunk_, left_, right_;
    bool begun_ = false, ended_ = false, done_ = false;
};

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/ctc_pieces.ipp"
#endif
