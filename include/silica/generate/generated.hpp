#pragma once
/// What generation is told beside a prompt and a configuration, and what it gives.

#include "silica/core/fields.hpp"
#include "silica/core/tensor.hpp"
#include "silica/generate/scores.hpp"
#include "silica/generate/text_stream.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::generate {

/// Why a row ended.
enum class Finish {
    eos,          ///< an end token, which is the last of its tokens
    stop_string,  ///< its text holds a stop string
    length,       ///< max_new_tokens, max_length, or the context is full
    time,         ///< max_time
    cancelled     ///< the callback said so
};

/// "eos", "stop_string", ...
[[nodiscard]] constexpr std::string_view name_of(Finish finish) {
    constexpr std::string_view names[] = {"eos", "stop_string", "length", "time", "cancelled"};
    return names[static_cast<std::size_t>(finish)];
}

/// A token that was written.
struct Token {
    std::int64_t row = 0;    ///< of the batch
    std::int64_t index = 0;  ///< how many this row wrote before
    std::int64_t id = 0;
    std::string_view text = {};         ///< text that became final with it; whole characters, often empty. It ends with
                                        ///< the callback: keep a std::string of it
    std::optional<Finish> finish = {};  ///< of the last token of a row
};

/// The tokens that a decoder's state holds: kept by a caller from call to call with one decoder, so that of a
/// prompt that begins as the last text did (the next turn of a chat) only the rest is read. Of single texts, without
/// beams and without an encoder; where the caches cannot forget (a sliding window that moved on, angles that depend on
/// the length), a prompt that does not go on where they end is read whole, and so is one with `Prompt::extra`. What
/// `Hooks::extra_from` gives of the tokens that are held is the same as before: the caller sees to it. With another
/// decoder, or one that wrote something else meanwhile, nothing is held.
struct Held {
    std::vector<std::int64_t> tokens = {};
    std::uint64_t text = 0;  ///< which one they are of: Decoder::text()
};

/// What the caller adds. All of it may be absent.
struct Hooks {
    /// Called for each token, row after row; false ends the call. With beams: once they are chosen.
    std::function<bool(const Token&)> on_token = {};
    /// For text in the callback and for stop strings.
    TextOf text = {};
    /// More processors, before those of sampling.
    std::vector<Processor> processors = {};
    /// What the decoder holds of the last call, and after the call of this one.
    Held* held = nullptr;
    /// Whether to add up how likely the tokens of each row were.
    bool log_probabilities = false;
    /// The further inputs of the prompt's tokens from a place on (pictures among them), instead of Prompt::extra.
    /// Called once, with 0 or what is held.
    std::function<Named(std::int64_t from)> extra_from = {};
};

/// The texts of a call; rows are (batch x num_return_sequences), those of one prompt together.
struct Generated {
    Tensor sequences;  ///< (rows, tokens) int64 on the CPU, as transformers' generate gives them: the prompt or the
                       ///< decoder's start, new tokens, padding
    std::vector<std::vector<std::int64_t>> tokens;  ///< of each row the new ones, its end token included
    std::vector<std::string> texts = {};            ///< their text, where hooks say how; without the stop string
    std::vector<Finish> finish;
    std::vector<float> scores = {};  ///< of beams: log p / length^length_penalty
    /// Where hooks ask for them: of each row the sum over its new tokens of log softmax(temperature * scores), the
    /// scores being those that processors made and the token was chosen by.
    std::vector<double> log_probabilities = {};

    std::int64_t start = 0;          ///< tokens of a row of `sequences` before the first new one
    std::int64_t prompt_tokens = 0;  ///< taken before the first new one, padding apart
    std::int64_t held_tokens = 0;    ///< of these, those that the state held already
    std::int64_t new_tokens = 0;     ///< of all rows
    double prefill_seconds = 0;      ///< until the first logits
    double decode_seconds = 0;       ///< from there to the end
};

}  // namespace silica::generate
