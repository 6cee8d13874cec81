#pragma once
/// What is said in sounds.

#include "silica/core/checked_product.hpp"
#include "silica/core/error.hpp"
#include "silica/generate/check_config.hpp"
#include "silica/generate/plan.hpp"
#include "silica/generate/speech/check_options.hpp"
#include "silica/generate/speech/listen.hpp"
#include "silica/generate/speech/reply.hpp"
#include "silica/generate/speech/segments.hpp"
#include "silica/generate/speech/spoken.hpp"
#include "silica/generate/speech/start_tokens.hpp"
#include "silica/generate/speech/words.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <utility>

namespace silica::generate {
namespace detail {

/// A call: all sounds, window by window.
class Listener {
public:
    Listener(SpeechModel& model, const SpeechFacts& facts, std::span<const Recording* const> sounds,
             const SpeechOptions& options, const SpeechHooks& hooks)
        : model_(model), facts_(facts), config_(facts.config), options_(options), hooks_(hooks) {
        check(sounds);
        for (const auto* sound : sounds) rows_.push_back({.sound = sound});
        prepare();
    }

    std::vector<Transcript> operator()() {
        if (!rows_.empty()) begin();
        std::vector<Row*> active;
        for (Row& row : rows_) active.push_back(&row);
        const auto over = [](const Row* row) { return row->seek >= row->sound->frames(); };
        while (!active.empty() && next(active)) std::erase_if(active, over);
        std::vector<Transcript> made;
        for (Row& row : rows_) {
            row.made.complete = over(&row);
            made.push_back(std::move(row.made));
        }
        return made;
    }

private:
    struct Row {
        const Recording* sound = nullptr;
        std::int64_t seek = 0;                             ///< frame where the next window begins
        std::vector<std::int64_t> start = {};              ///< the prompt's own tokens
        bool conditioned = false, sampled = false;         ///< the next window sees what was said, and has no beams
        std::vector<std::vector<std::int64_t>> said = {};  ///< tokens of the segments so far
        Transcript made = {};
    };

    [[nodiscard]] std::int64_t window_frames() const { return 2 * config_.max_source_positions; }
    [[nodiscard]] bool is_long(const Row& row) const { return row.sound->frames() > window_frames(); }
    [[nodiscard]] std::size_t index_of(const Row& row) const { return static_cast<std::size_t>(&row - rows_.data()); }

    /// The first of the tokens that are times.
    [[nodiscard]] std::int64_t first_time() const {
        return config_.no_timestamps_token_id ? *config_.no_timestamps_token_id + 1 : config_.vocab_size + 1;
    }

    /// What all windows have in common.
    void prepare() {
        check(config_, "the configuration of speech");
        check(options_, config_);
        if (!facts_.text)
            throw InputError("No way to decode tokens is given.", "set the text of the facts, or use a task.");
        auto c = merged(options_.generation, facts_.generation);
        const auto& own = model_.decoder().facts();
        // Without an end, which a generation_config.json may leave out, a text goes on until there is no room.
        if (!c.eos_token_id) c.eos_token_id = own.eos_token_id;
        const auto& ends = *c.eos_token_id;
        plan_.text_end = ends.empty() ? c.bos_token_id.value_or(first_time() - 1) : std::ranges::max(ends);
        plan_.padding = c.pad_token_id;
        if (!c.pad_token_id) c.pad_token_id = own.pad_token_id.value_or(ends.empty() ? 0 : ends.front());
        require_start(config_, c.bos_token_id);
        auto sampled = c;  // as rows above temperature 0 are written
        sampled.do_sample = std::ranges::any_of(options_.temperatures, [](double t) { return t > 0; });
        sampled.temperature.reset();
        check(sampled, own);
        if (!rows_.empty())
            static_cast<void>(rows_of_call(static_cast<std::int64_t>(rows_.size()), c.num_beams.value_or(1)));
        limit_ = c.max_length.value_or(20);

        condition_ = options_.condition_on_previous.value_or(config_.condition_on_prev_tokens.value_or(false));
        timestamps_ = options_.words || options_.timestamps.value_or(config_.return_timestamps.value_or(false));
        const bool longer = std::ranges::any_of(rows_, [&](const Row& row) { return is_long(row); });
        if ((timestamps_ || longer) && !config_.no_timestamps_token_id)
            throw ConfigError("Times are written by tokens, and generation_config.json does not say which.",
                              "take a newer one, with no_timestamps_token_id.");
        if (options_.words) {
            for (const auto& head : *config_.alignment_heads) heads_.push_back({head[0], head[1]});
        }
        plan_.config = &config_;
        plan_.generation = std::move(c);
        plan_.timestamps = timestamps_ || longer;
        plan_.temperatures = options_.temperatures;
        const auto threshold = [](const auto& option, const auto& config) { return option ? option : config; };
        plan_.compression_ratio_threshold =
            threshold(options_.compression_ratio_threshold, config_.compression_ratio_threshold);
        plan_.logprob_threshold = threshold(options_.logprob_threshold, config_.logprob_threshold);
        plan_.no_speech_threshold = threshold(options_.no_speech_threshold, config_.no_speech_threshold);
        if (plan_.no_speech_threshold && !config_.no_timestamps_token_id)
            throw ConfigError("no_speech_threshold needs no_timestamps_token_id.",
                              "take a newer generation_config.json.");
        plan_.hooks = &hooks_;
        if (hooks_.on_text && facts_.text) plan_.text = without_times(facts_.text, first_time());
        detects_ = detects_language(config_, options_);
    }

    /// Languages, and the tokens that windows begin with.
    void begin() {
        std::vector<Row*> all;
        for (Row& row : rows_) all.push_back(&row);
        std::vector<std::int64_t> languages;
        if (detects_) {
            first_ = encoded(all);
            languages = detect_languages(model_, config_, *first_);
        }
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            Row& row = rows_[i];
            const auto language = detects_ ? std::optional(languages[i]) : std::nullopt;
            row.start = start_tokens(config_, options_, timestamps_ || is_long(row), language);
            row.made.language = language_of(config_, row.start);
            row.made.seconds = row.sound->seconds();
            // Where the checkpoint asks for it, and not the caller, transformers begins only with the second window.
            row.conditioned = options_.condition_on_previous.value_or(false);
            // The text of a prompt is the beginning of what was said.
            if (condition_ && !options_.prompt_in_every_window && !options_.prompt.empty()) {
                const bool marked = options_.prompt.front() == config_.prev_sot_token_id;
                row.said.emplace_back(options_.prompt.begin() + (marked ? 1 : 0), options_.prompt.end());
            }
        }
    }

    /// The windows that rows are at, through the encoder.
    [[nodiscard]] Tensor encoded(const std::vector<Row*>& rows) const {
        const auto mels = rows.front()->sound->mels(), frames = window_frames();
        const auto size = static_cast<std::size_t>(checked_product("mels x frames of a window", {mels, frames}));
        Tensor features = at::empty({static_cast<std::int64_t>(rows.size()), mels, frames}, c10::ScalarType::Float);
        auto* to = features.mutable_data_ptr<float>();
        for (const Row* row : rows) {
            row->sound->window(row->seek, frames, {to, size});
            to += size;
        }
        Tensor made = model_.encode(features);
        require_encoded(made, rows.size());
        return made;
    }

    /// What stands before the start tokens of a window.
    [[nodiscard]] std::vector<std::int64_t> before(const Row& row) const {
        if (!row.conditioned || row.said.empty()) return options_.prompt;
        std::vector<std::int64_t> first;
        if (options_.prompt_in_every_window && !options_.prompt.empty())
            first = options_.prompt;
        else if (const auto start = previous_start(config_, plan_.generation.suppress_tokens))
            first = {*start};
        return previous_tokens(config_, first, row.said);
    }

    /// Tokens that a window's row has at its end, its longest prompt having `tokens`.
    [[nodiscard]] std::size_t length_for(std::size_t tokens) {
        const auto n = static_cast<std::int64_t>(tokens), most = config_.max_target_positions;
        const auto& c = plan_.generation;
        if (c.max_new_tokens) {
            if (n + *c.max_new_tokens > most) {
                throw InputError("max_new_tokens is " + std::to_string(*c.max_new_tokens) + " and the prompt has " +
                                     std::to_string(n) + " tokens; the decoder takes " + std::to_string(most) +
                                     " in all (max_target_positions).",
                                 "ask for fewer, or shorten the prompt.");
            }
            return static_cast<std::size_t>(n + *c.max_new_tokens);
        }
        limit_ = std::min(limit_ + std::min(most / 2 - 1, n), most);  // as transformers does it, each time
        if (n >= limit_) {
            throw InputError("The prompt has " + std::to_string(n) + " tokens, a text at most " +
                                 std::to_string(limit_) + ", prompt included.",
                             "shorten the prompt.");
        }
        return static_cast<std::size_t>(limit_);
    }

    /// The next window of each row. False where the caller ended it.
    bool next(const std::vector<Row*>& active) {
        Windows windows;
        for (const Row* row : active) {
            auto prompt = before(*row);
            windows.width = std::max(windows.width, prompt.size() + row->start.size());
            if (row->conditioned && !row->said.empty() && plan_.padding) std::erase(prompt, *plan_.padding);
            windows.starts.push_back(prompt.size());
            windows.sounds.push_back(index_of(*row));
            windows.sampled.push_back(row->sampled);
            prompt.insert(prompt.end(), row->start.begin(), row->start.end());
            windows.prompts.push_back(std::move(prompt));
        }
        windows.max_length = length_for(windows.width);
        windows.seed = plan_.generation.seed.value_or(0) + 1000003U * count_++;
        windows.encoder_outputs = first_ ? *std::exchange(first_, std::nullopt) : encoded(active);
        const auto replies = write_windows(model_, plan_, windows);
        if (!replies) return false;
        bool on = true;
        for (std::size_t i = 0; i < active.size(); ++i) on = take(*active[i], (*replies)[i], windows, i) && on;
        return on && !(hooks_.go_on && !hooks_.go_on());
    }

    /// What was written for the window of a row. False where the caller ended it.
    bool take(Row& row, const Reply& reply, const Windows& windows, std::size_t i) {
        const auto frames = std::min(row.sound->frames() - row.seek, window_frames());
        const auto offset = static_cast<double>(row.seek) * 0.02 / 2;
        row.conditioned = condition_ && reply.temperature < 0.5;
        row.sampled = reply.sampled;
        bool on = true;
        if (reply.silent) {
            row.seek += frames;
        } else {
            const auto begin = first_time();
            const auto cuts = cut_into_segments(reply.tokens, begin, frames);
            const auto times = options_.words ? said_at(row, reply, windows, i, offset) : std::vector<double>();
            for (const Cut& cut : cuts.segments) {
                Segment segment{.start = offset + cut.start * 0.02, .end = offset + cut.end * 0.02};
                segment.tokens.assign(reply.tokens.begin() + static_cast<std::ptrdiff_t>(cut.from),
                                      reply.tokens.begin() + static_cast<std::ptrdiff_t>(cut.to));
                segment.temperature = reply.temperature;
                segment.avg_logprob = reply.avg_logprob;
                segment.compression_ratio = reply.compression_ratio;
                segment.no_speech_prob = reply.no_speech_prob;
                write_text(segment, facts_.text, begin);
                if (options_.words) {
                    write_words(segment, facts_.text, {.times = times, .from = cut.from, .offset = offset},
                                plan_.text_end, !has_no_spaces(row.made.language));
                }
                row.said.push_back(segment.tokens);
                row.made.text += segment.text;
                row.made.segments.push_back(std::move(segment));
                if (on && hooks_.on_segment) on = hooks_.on_segment(index_of(row), row.made.segments.back());
            }
            row.seek += cuts.frames;
        }
        if (hooks_.on_progress) {
            const double heard = std::min(static_cast<double>(row.seek) / 100, row.sound->seconds());
            hooks_.on_progress(index_of(row), row.seek >= row.sound->frames() ? row.sound->seconds() : heard,
                               row.sound->seconds());
        }
        return on;
    }

    /// When each token of a reply was said.
    [[nodiscard]] std::vector<double> said_at(const Row& row, const Reply& reply, const Windows& windows, std::size_t i,
                                              double offset) const {
        const auto at = static_cast<std::int64_t>(i);
        const Tensor encoded = model_.decoder().on_device([&] { return windows.encoder_outputs.narrow(0, at, 1); });
        return token_times(model_, encoded, windows.prompts[i], reply,
                           {.heads = heads_,
                            .frames_of_sound = row.sound->frames_of_sound() - row.seek,
                            .median_width = static_cast<std::size_t>(config_.median_filter_width),
                            .offset = offset});
    }

    SpeechModel& model_;
    const SpeechFacts& facts_;
    const SpeechConfig& config_;
    const SpeechOptions& options_;
    const SpeechHooks& hooks_;
    std::vector<Row> rows_;
    ReplyPlan plan_;
    std::vector<AlignmentHead> heads_;
    std::optional<Tensor> first_;  ///< of the first windows, where languages were detected
    std::int64_t limit_ = 0;
    std::uint64_t count_ = 0;
    bool timestamps_ = false, condition_ = false, detects_ = false;
};

}  // namespace detail

SILICA_INLINE std::vector<Transcript> listen(SpeechModel& model, const SpeechFacts& facts,
                                             std::span<const Recording* const> sounds, const SpeechOptions& options,
                                             const SpeechHooks& hooks) {
    try {
        return detail::Listener(model, facts, sounds, options, hooks)();
    } catch (const std::bad_alloc&) {
        throw DeviceError("There is not enough memory for the sounds.", "give fewer at once.");
    }
}

}  // namespace silica::generate
