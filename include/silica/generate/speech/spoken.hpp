#pragma once
/// What was said, and when: the text of a segment, the times of its tokens and words.

#include "silica/core/compiled.hpp"
#include "silica/generate/speech/reply.hpp"
#include "silica/generate/speech/speech_model.hpp"
#include "silica/generate/speech/transcript.hpp"
#include "silica/generate/text_stream.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace silica::generate {

/// How tokens are laid on a window.
struct Timing {
    std::span<const AlignmentHead> heads = {};
    std::int64_t frames_of_sound = 0;  ///< of the window; below 0 where it begins behind the sound
    std::size_t median_width = 7;
    double offset = 0;  ///< seconds, where it begins
};

/// When each token of a reply was said, in seconds; the last one when the one before it was. `encoded` (1, n, d_model)
/// is its window, `prompt` what it began with. InputError where no head is named, and for a model that answers in
/// another shape than it is asked for.
[[nodiscard]] std::vector<double> token_times(const SpeechModel& model, const Tensor& encoded,
                                              std::span<const std::int64_t> prompt, const Reply& reply,
                                              const Timing& timing);

/// The text of a segment's tokens without times, which are tokens from `timestamp_begin` on.
void write_text(Segment& segment, const TextOf& text, std::int64_t timestamp_begin);

/// The same way of decoding for tokens that have times among them. InputError where there is none.
[[nodiscard]] TextOf without_times(TextOf text, std::int64_t timestamp_begin);

/// The times of a window's tokens, and the place of a segment among them.
struct SegmentTimes {
    std::span<const double> times = {};
    std::size_t from = 0;
    double offset = 0;  ///< when its first token was begun
};

/// The words of a segment, of its tokens below `text_end`. A word begins where the token before it was said.
/// InputError where there is not a time for each token.
void write_words(Segment& segment, const TextOf& text, const SegmentTimes& times, std::int64_t text_end, bool spaces);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/spoken.ipp"
#endif
