#pragma once
/// What a caller chooses when speech is written down.

#include "silica/generate/config.hpp"
#include "silica/generate/speech/transcript.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::generate {

/// What is absent is as the checkpoint says, else as the default beside it.
struct SpeechOptions {
    std::optional<std::string> language = {};        ///< "fr" or "<|fr|>", and for a task "french"; absent: detected
                                                     ///< in the first 30 s
    std::optional<std::string> task = {};            ///< "transcribe", or "translate" (to English)
    std::optional<bool> timestamps = {};             ///< false. Longer sounds than a window always have them
    bool words = false;                              ///< when each word was said; sets timestamps
    std::string prompt_text = {};                    ///< text that comes before: a task makes `prompt` of it
    std::vector<std::int64_t> prompt = {};           ///< prev_sot and its tokens
    std::optional<bool> condition_on_previous = {};  ///< false: windows do not see the text before them
    bool prompt_in_every_window = false;             ///< with condition_on_previous; else the prompt is its beginning
    std::vector<double> temperatures = {0};          ///< tried in turn while a threshold is missed; over 0: samples,
                                                     ///< and the sound's later windows have no beams (transformers)
    std::optional<double> compression_ratio_threshold = {};  ///< off: at most so repetitive
    std::optional<double> logprob_threshold = {};            ///< off: at least so likely
    std::optional<double> no_speech_threshold = {};          ///< off: where silence is likelier, and the text is not
                                                             ///< likelier than logprob_threshold, a window is skipped
    GenerationConfig generation = {};                        ///< num_beams, max_new_tokens, seed, ...
};

/// What the caller adds. All of it may be absent.
struct SpeechHooks {
    /// A segment of a sound (its place among those of the call) as soon as it is known; false ends the call.
    std::function<bool(std::size_t sound, const Segment& segment)> on_segment = {};
    /// Text of a sound as its tokens are written, before the segment that it is of: where it cannot change any more,
    /// which is without times, beams and further temperatures or thresholds.
    std::function<void(std::size_t sound, std::string_view text)> on_text = {};
    /// How much of a sound was heard, in seconds, and of how much.
    std::function<void(std::size_t sound, double heard, double seconds)> on_progress = {};
    /// Asked for each token; false ends the call.
    std::function<bool()> go_on = {};
};

}  // namespace silica::generate
