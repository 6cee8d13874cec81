#pragma once
/// What was heard.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace silica::generate {

/// A word with the space and the punctuation that belong to it, and when it was said, in seconds.
struct Word {
    std::string text;
    double start = 0, end = 0;
};

/// A piece of a transcript, as transformers' generate gives them with `return_segments`.
struct Segment {
    double start = 0, end = 0;              ///< seconds; they can lie behind the end of the sound
    std::string text = {};                  ///< with the space it begins with
    std::vector<std::int64_t> tokens = {};  ///< with timestamps, without prompt and end
    std::vector<Word> words = {};           ///< where they were asked for
    double temperature = 0;                 ///< of its window, as the next three
    double avg_logprob = 0;                 ///< mean log probability of the tokens of the window, its end included
    double compression_ratio = std::numeric_limits<double>::quiet_NaN();  ///< NaN: built without zlib
    double no_speech_prob = std::numeric_limits<double>::quiet_NaN();     ///< NaN: no_speech_threshold is not set
};

/// All that was heard in a sound.
struct Transcript {
    std::string language = {};  ///< "en"; empty where the model does not say
    std::string text = {};      ///< of all segments, with the space it begins with
    std::vector<Segment> segments = {};
    double seconds = 0;    ///< of sound
    bool complete = true;  ///< false: the caller ended it
};

}  // namespace silica::generate
