#pragma once
/// Pieces of a sound.

#include "silica/core/error.hpp"
#include "silica/generate/speech/pieces.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

namespace silica::generate {
namespace detail {

/// The text as it is put together, token by token.
class PieceJoiner {
public:
    explicit PieceJoiner(const PieceTokens& kinds) : kinds_(kinds) {}

    void add(const HeardPiece& piece) {
        const auto times_in = time_limits(piece);
        offset_ -= piece.left;
        std::vector<std::int64_t> text;
        double latest = 0, before = 0, windows = 0;  // times of this piece; where its current window begins
        const auto& tokens = piece.tokens;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const auto id = tokens[i];
            if (kinds_.is_special && kinds_.is_special(id)) continue;
            if (id < kinds_.first_time) {
                text.push_back(id);
                continue;
            }
            const double time = seconds_of(id);
            if (time < latest) {  // the next window of the piece
                const bool alone = i >= 2 && (tokens[i - 1] < kinds_.first_time || tokens[i - 2] < kinds_.first_time);
                windows += alone ? kinds_.seconds * static_cast<double>(kinds_.most) : before;
                if (!alone) latest = before;
            }
            before = std::exchange(latest, time);
            take_time(id, std::round((time + offset_ + windows) * 100) / 100, times_in, text);
        }
        offset_ += piece.seconds - piece.right;
        if (!text.empty()) {
            held_.push_back(std::move(text));
        } else if (std::ranges::all_of(held_, [](const auto& one) { return one.empty(); })) {
            held_.clear();
            part_ = {};
        }
    }

    std::vector<JoinedText> end() {
        if (!held_.empty()) close();
        return std::move(made_);
    }

private:
    /// Times of a piece from `last` on, or below `first` where text is held, are of its neighbours.
    struct TimeLimits {
        double first = 0;
        std::optional<std::int64_t> last = {};
    };

    [[nodiscard]] double seconds_of(std::int64_t id) const {
        return static_cast<double>(id - kinds_.first_time) * kinds_.seconds;
    }

    [[nodiscard]] TimeLimits time_limits(const HeardPiece& piece) const {
        TimeLimits made{.first = static_cast<double>(kinds_.first_time)};
        if (piece.left > 0) made.first += piece.left / kinds_.seconds;
        if (piece.right <= 0) return made;
        for (auto id = piece.tokens.rbegin(); id != piece.tokens.rend(); ++id) {
            if (*id < kinds_.first_time) continue;
            if (made.last && seconds_of(*id) < piece.seconds - piece.right) break;
            made.last = *id;
        }
        return made;
    }

    void take_time(std::int64_t id, double time, const TimeLimits& limits, std::vector<std::int64_t>& text) {
        if (limits.last && id >= *limits.last) {
            skips_ = true;  // and the one that stands beside it
        } else if (skips_ || (!held_.empty() && static_cast<double>(id) < limits.first)) {
            skips_ = false;
        } else if (!part_.start) {
            part_.start = time;
        } else if (time != *part_.start) {
            part_.end = time;
            held_.push_back(std::exchange(text, {}));
            close();
        }
    }

    void close() {
        part_.tokens = overlapped(held_);
        held_.clear();
        made_.push_back(std::exchange(part_, {}));
    }

    const PieceTokens& kinds_;
    std::vector<JoinedText> made_;
    JoinedText part_;
    std::vector<std::vector<std::int64_t>> held_;  ///< what pieces say of the current part
    double offset_ = 0;                            ///< seconds, where the next piece begins but for its overlap
    bool skips_ = false;
};

}  // namespace detail

SILICA_INLINE std::vector<std::int64_t> overlapped(std::span<const std::vector<std::int64_t>> sequences) {
    std::vector<std::int64_t> whole, left;
    if (!sequences.empty()) left = sequences.front();
    for (std::size_t n = 1; n < sequences.size(); ++n) {
        const auto& right = sequences[n];
        const std::size_t a = left.size(), b = right.size();
        double best = 0;
        std::size_t left_middle = a, right_middle = 0;
        for (std::size_t shift = 1; shift < a + b; ++shift) {
            const std::size_t from = shift < a ? a - shift : 0, to = std::min(a, a + b - shift),
                              other = shift > a ? shift - a : 0;
            std::size_t equal = 0;
            for (std::size_t i = from; i < to; ++i) equal += left[i] == right[other + i - from] ? 1 : 0;
            const auto length = static_cast<double>(shift);
            const double share = static_cast<double>(equal) / length + length / 10000.0;
            if (equal < 2 || share <= best) continue;
            best = share;
            left_middle = (from + to) / 2;
            right_middle = (other + std::min(b, shift)) / 2;
        }
        whole.insert(whole.end(), left.begin(), left.begin() + static_cast<std::ptrdiff_t>(left_middle));
        left.assign(right.begin() + static_cast<std::ptrdiff_t>(right_middle), right.end());
    }
    whole.insert(whole.end(), left.begin(), left.end());
    return whole;
}

SILICA_INLINE std::vector<JoinedText> joined_pieces(std::span<const HeardPiece> pieces, const PieceTokens& kinds) {
    const auto is_length = [](double seconds) { return seconds >= 0 && std::isfinite(seconds); };
    if (!(kinds.seconds > 0) || !is_length(kinds.seconds) || kinds.first_time < 0 || kinds.most < 1)
        throw InputError("Times are " + std::to_string(kinds.seconds) + " seconds apart, " +
                             std::to_string(kinds.most) + " from token " + std::to_string(kinds.first_time) + " on.",
                         "give seconds above 0, one time or more, and a token.");
    for (const auto& piece : pieces) {
        if (!is_length(piece.seconds) || !is_length(piece.left) || !is_length(piece.right))
            throw InputError("A piece has " + std::to_string(piece.seconds) +
                                 " seconds, of which its neighbours hear " + std::to_string(piece.left) + " and " +
                                 std::to_string(piece.right) + " too.",
                             "give 0 or more of each.");
    }
    detail::PieceJoiner joiner(kinds);
    for (const auto& piece : pieces) joiner.add(piece);
    return joiner.end();
}

}  // namespace silica::generate
