#pragma once
/// Definitions of ctc_pieces.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/task/ctc_pieces.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace silica::task {
namespace ctc_pieces {

/// Python's round(): halves to the even neighbour.
SILICA_INLINE std::int64_t rounded(double x) {
    const double down = std::floor(x), rest = x - down;
    const bool up = rest > 0.5 || (rest == 0.5 && std::fmod(down, 2.0) != 0);
    return static_cast<std::int64_t>(up ? down + 1 : down);
}

/// Seconds as samples, a whole number of frames.
SILICA_INLINE std::int64_t samples_of(const char* name, double seconds, std::int64_t rate, std::int64_t ratio) {
    constexpr double longest = 86400;
    constexpr std::int64_t most = 1 << 30;
    if (rate < 1 || rate > most || ratio < 1 || ratio > most)
        throw InputError("A sound of " + std::to_string(rate) + " samples in a second, " + std::to_string(ratio) +
                             " of them a frame, cannot be cut.",
                         "give 1 or more of both.");
    if (!(seconds >= 0 && seconds <= longest)) {
        throw InputError(std::string(name) + " is " + std::to_string(seconds) + " seconds.",
                         "give 0 or more, and a day at most.");
    }
    return rounded(seconds * static_cast<double>(rate) / static_cast<double>(ratio)) * ratio;
}

}  // namespace ctc_pieces

SILICA_INLINE CtcPiece::Range CtcPiece::counted(std::int64_t frames, std::int64_t ratio) const {
    const auto size = static_cast<std::int64_t>(samples.size());
    if (frames < 0 || ratio < 1 || left < 0 || right < 0 || left > size || right > size)
        throw InputError("A piece of " + std::to_string(size) + " samples has ends of " + std::to_string(left) +
                             " and " + std::to_string(right) + ", and " + std::to_string(frames) + " frames of " +
                             std::to_string(ratio) + ".",
                         "give sizes of 0 or more, frames of 1 or more, and ends within the piece.");
    if (left == 0 && right == 0) return {0, frames};
    const auto n = static_cast<double>(samples.size());
    const auto all = ctc_pieces::rounded(n * (1.0 / static_cast<double>(ratio)));
    const auto of = [&](std::int64_t overlap) {
        return ctc_pieces::rounded(static_cast<double>(overlap) / n * static_cast<double>(all));
    };
    const auto end = std::clamp<std::int64_t>(all - of(right), 0, frames);
    return {std::min(of(left), end), end};
}

SILICA_INLINE CtcPieces::CtcPieces(Read read, std::int64_t rate, std::int64_t ratio, const CtcCutting& cutting)
    : read_(std::move(read)),
      whole_(ctc_pieces::samples_of("whole_seconds", cutting.whole_seconds, rate, ratio)),
      chunk_(ctc_pieces::samples_of("chunk_seconds", cutting.chunk_seconds, rate, ratio)),
      left_(ctc_pieces::samples_of("stride_seconds", cutting.stride_seconds, rate, ratio)),
      right_(ctc_pieces::samples_of("right_stride_seconds",
                                    cutting.right_stride_seconds.value_or(cutting.stride_seconds), rate, ratio)) {
    if (!read_) throw InputError("There is nothing to read samples with.", "give a function.");
    if (chunk_ <= left_ + right_) {
        const double right = cutting.right_stride_seconds.value_or(cutting.stride_seconds);
        throw InputError("Pieces of " + std::to_string(cutting.chunk_seconds) + " seconds are nothing but ends of " +
                             std::to_string(cutting.stride_seconds) + " and " + std::to_string(right) + " seconds.",
                         "give chunk_seconds of more than both, twice stride_seconds.");
    }
}

SILICA_INLINE void CtcPieces::fill(std::int64_t n) {
    while (!ended_ && static_cast<std::int64_t>(samples_.size()) < n) {
        const auto more = read_(n - static_cast<std::int64_t>(samples_.size()));
        if (more.empty()) ended_ = true;
        samples_.insert(samples_.end(), more.begin(), more.end());
    }
}

SILICA_INLINE std::optional<CtcPiece> CtcPieces::next() {
    if (done_) return std::nullopt;
    if (!begun_) {
        fill(whole_ + 1);
        if (static_cast<std::int64_t>(samples_.size()) <= whole_) {
            done_ = true;
            return CtcPiece{std::move(samples_), 0, 0, true};
        }
    }
    fill(chunk_ + 1);
    const auto there = static_cast<std::int64_t>(samples_.size());
    CtcPiece piece;
    piece.left = begun_ ? left_ : 0;
    piece.last = there <= chunk_;
    piece.right = piece.last ? 0 : right_;
    begun_ = true;
    done_ = piece.last;
    if (there <= piece.left) return std::nullopt;  // the piece before heard all of it
    piece.samples.assign(samples_.begin(), samples_.begin() + std::min(there, chunk_));
    if (!piece.last) samples_.erase(samples_.begin(), samples_.begin() + (chunk_ - left_ - right_));
    return piece;
}

}  // namespace silica::task
