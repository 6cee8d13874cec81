#pragma once
/// One window.

#include "silica/core/error.hpp"
#include "silica/core/floating_types.hpp"
#include "silica/core/inputs.hpp"
#include "silica/generate/beam.hpp"
#include "silica/generate/host_scores.hpp"
#include "silica/generate/plan.hpp"
#include "silica/generate/ranges.hpp"
#include "silica/generate/sample.hpp"
#include "silica/generate/speech/compression.hpp"
#include "silica/generate/speech/reply.hpp"
#include "silica/generate/speech/timestamp_rules.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace silica::generate {
namespace detail {

/// Prompts of rows padded on the left to one width, and the mask that says so, where one is padded.
struct PaddedPrompts {
    Tensor ids;
    std::optional<Tensor> mask = {};
    std::vector<std::vector<std::int64_t>> rows;
    std::vector<std::size_t> padding;
};

/// Each prompt `times` times, padded to `width` tokens or to the longest.
inline PaddedPrompts padded_prompts(const std::vector<std::vector<std::int64_t>>& prompts, std::int64_t pad,
                                    std::size_t times, std::size_t width) {
    for (const auto& p : prompts) width = std::max(width, p.size());
    PaddedPrompts made;
    const auto rows = static_cast<std::int64_t>(prompts.size() * times), columns = static_cast<std::int64_t>(width);
    made.ids = at::full({rows, columns}, pad, c10::ScalarType::Long);
    Tensor mask = at::full({rows, columns}, true, c10::ScalarType::Bool);
    auto* id = made.ids.mutable_data_ptr<std::int64_t>();
    auto* there = mask.mutable_data_ptr<bool>();
    for (std::size_t r = 0; r < prompts.size() * times; ++r) {
        const auto& prompt = prompts[r / times];
        const auto padding = width - prompt.size();
        std::ranges::copy(prompt, id + r * width + padding);
        std::fill_n(there + r * width, padding, false);
        made.rows.emplace_back(id + r * width, id + (r + 1) * width);
        made.padding.push_back(padding);
        if (padding > 0) made.mask = mask;
    }
    return made;
}

/// Throws InputError where a plan lacks what all windows need.
inline void require_complete(const ReplyPlan& plan) {
    const auto refuse = [](const char* what) {
        throw InputError(std::string("The plan of a reply has no ") + what + ".", "set it, or call listen.");
    };
    if (plan.config == nullptr) refuse("config");
    if (plan.hooks == nullptr) refuse("hooks");
    if (!plan.generation.pad_token_id) refuse("pad_token_id");
    if (!plan.generation.eos_token_id) refuse("eos_token_id: {} is none");
    if ((plan.timestamps || plan.no_speech_threshold) && !plan.config->no_timestamps_token_id)
        refuse("no_timestamps_token_id, which times and silence are told by");
    Ranges::temperatures(plan.temperatures);
}

/// Throws InputError unless the rows of windows are as many as their prompts, and have room.
inline void require_rows(const ReplyPlan& plan, const Windows& windows) {
    const auto n = windows.prompts.size();
    require_encoded(windows.encoder_outputs, n);
    const auto most = static_cast<std::size_t>(std::max<std::int64_t>(plan.config->max_target_positions, 0));
    bool fits = windows.starts.size() == n && windows.sounds.size() == n && windows.width < windows.max_length &&
                windows.max_length <= most;
    for (std::size_t r = 0; fits && r < n; ++r)
        fits = windows.starts[r] < windows.prompts[r].size() && windows.prompts[r].size() < windows.max_length;
    if (fits) return;
    throw InputError("Windows with " + std::to_string(n) + " prompts, " + std::to_string(windows.starts.size()) +
                         " start tokens and " + std::to_string(windows.sounds.size()) + " sounds, of up to " +
                         std::to_string(windows.max_length) + " tokens, do not fit each other.",
                     "give each a prompt that holds its start token and leaves room, up to max_target_positions.");
}

/// p(token) of what follows the start token of each row, by the scores as the model gives them.
inline std::vector<double> no_speech(SpeechModel& model, const ReplyPlan& plan, const Windows& windows) {
    auto& decoder = model.decoder();
    std::vector<std::vector<std::int64_t>> beginnings;
    for (std::size_t r = 0; r < windows.prompts.size(); ++r) {
        const auto& prompt = windows.prompts[r];
        beginnings.emplace_back(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(windows.starts[r]) + 1);
    }
    const auto padded = padded_prompts(beginnings, *plan.generation.pad_token_id, 1, 0);
    decoder.start(padded.ids.size(0), static_cast<std::int64_t>(windows.max_length) - 1);
    Prompt prompt{.decoder_input_ids = padded.ids, .extra = {{"encoder_outputs", windows.encoder_outputs}}};
    if (padded.mask) prompt.extra.emplace_back("decoder_attention_mask", *padded.mask);
    HostScores scores;
    scores.copy(decoder, decoder.prefill(prompt));
    const auto token = static_cast<std::size_t>(std::max<std::int64_t>(*plan.config->no_timestamps_token_id - 1, 0));
    std::vector<double> made;
    for (std::size_t r = 0; r < beginnings.size(); ++r) {
        const Scores row = scores.row(r);
        made.push_back(token < row.size() ? std::exp(static_cast<double>(row[token]) - log_sum_exp(row)) : 0);
    }
    return made;
}

/// The windows `rows` of all, written at one temperature with so many beams.
inline std::optional<std::vector<Reply>> write_once(SpeechModel& model, const ReplyPlan& plan, const Windows& windows,
                                                    const std::vector<std::size_t>& rows, double temperature,
                                                    std::int64_t beams, std::uint64_t seed) {
    auto& decoder = model.decoder();
    Plan p;
    p.config = plan.generation;
    p.config.do_sample = temperature > 0;
    p.config.temperature = temperature > 0 ? temperature : 1;
    p.config.num_return_sequences = 1;
    p.config.seed = seed;
    p.config.num_beams = beams;
    std::vector<std::vector<std::int64_t>> prompts;
    for (const auto r : rows) prompts.push_back(windows.prompts[r]);
    p.pad = *p.config.pad_token_id;
    auto padded = padded_prompts(prompts, p.pad, static_cast<std::size_t>(beams), windows.width);
    p.batch = static_cast<std::int64_t>(rows.size());
    p.rows = p.batch * beams;
    p.start = padded.rows.front().size();
    p.max_length = windows.max_length;
    p.ends = *p.config.eos_token_id;
    p.history = std::move(padded.rows);
    p.padding = std::move(padded.padding);
    p.encoder.resize(static_cast<std::size_t>(p.rows));
    p.first_of_none = true;
    p.prompt.decoder_input_ids = padded.ids;
    Tensor encoded = windows.encoder_outputs;
    if (rows.size() != windows.prompts.size()) {
        encoded = decoder.on_device([&] {
            std::vector<Tensor> some;
            for (const auto r : rows) some.push_back(encoded.narrow(0, static_cast<std::int64_t>(r), 1));
            return at::cat(some, 0);
        });
    }
    p.prompt.extra = {{"encoder_outputs", encoded}};
    if (padded.mask) p.prompt.extra.emplace_back("decoder_attention_mask", *padded.mask);

    const auto ends = p.ends;
    Hooks hooks{.log_probabilities = true};
    if (plan.timestamps) {
        // Where neither is named the rule of transformers is about all tokens below None, which is all there are.
        const bool endless = ends.empty() && !p.config.bos_token_id;
        hooks.processors.emplace_back(TimestampRules{*plan.config->no_timestamps_token_id,
                                                     endless ? plan.config->vocab_size : plan.text_end,
                                                     plan.config->max_initial_timestamp_index});
    }
    const auto& go_on = plan.hooks->go_on;
    const auto& on_text = plan.hooks->on_text;
    const bool stays = on_text && plan.text && !plan.timestamps && beams == 1 && plan.temperatures.size() == 1 &&
                       !plan.no_speech_threshold;
    if (stays) hooks.text = plan.text;
    if (go_on || stays) {
        hooks.on_token = [&](const Token& token) {
            if (stays && !token.text.empty())
                on_text(windows.sounds[rows[static_cast<std::size_t>(token.row)]], token.text);
            return !go_on || go_on();
        };
    }
    const auto made = beams > 1 ? beam_search(decoder, std::move(p), hooks) : sample(decoder, std::move(p), hooks);
    if (std::ranges::find(made.finish, Finish::cancelled) != made.finish.end()) return {};
    std::vector<Reply> replies;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        Reply reply{.tokens = made.tokens[r], .temperature = temperature};
        const auto n = reply.tokens.size();
        if (n > 0) reply.avg_logprob = made.log_probabilities[r] / static_cast<double>(n);
        reply.ended = n > 0 && std::ranges::find(ends, reply.tokens.back()) != ends.end();
        if (n > 0 && !reply.ended && reply.tokens.back() == plan.padding) {
            const auto padding = std::ranges::count(reply.tokens, *plan.padding);
            reply.left_out.assign(reply.tokens.end() - padding, reply.tokens.end());
            reply.tokens.erase(reply.tokens.end() - padding, reply.tokens.end());
        }
        if (const auto ratio = compression_ratio(reply.tokens, plan.config->vocab_size))
            reply.compression_ratio = *ratio;
        if (reply.ended) {
            // Of several ends one that is text, and no padding, is part of it, as transformers leaves it there.
            const auto end = reply.tokens.back();
            if (ends.size() == 1 || end >= plan.text_end || end == plan.padding) reply.tokens.pop_back();
        }
        replies.push_back(std::move(reply));
    }
    return replies;
}

}  // namespace detail

SILICA_INLINE void require_encoded(const Tensor& encoded, std::size_t rows) {
    require_tensor("encoder_outputs", encoded, 3, floating_types);
    if (static_cast<std::size_t>(encoded.size(0)) == rows) return;
    throw InputError("Input encoder_outputs has " + std::to_string(encoded.size(0)) + " rows for " +
                         std::to_string(rows) + " windows.",
                     "give a row for each window.");
}

SILICA_INLINE std::optional<std::vector<Reply>> write_windows(SpeechModel& model, const ReplyPlan& plan,
                                                              const Windows& windows) {
    detail::require_complete(plan);
    const auto n = windows.prompts.size();
    if (n == 0) return std::vector<Reply>();
    detail::require_rows(plan, windows);
    std::vector<double> silence;
    if (plan.no_speech_threshold) silence = detail::no_speech(model, plan, windows);
    std::vector<Reply> replies(n);
    // A row has beams until it is sampled.
    const auto beams = plan.generation.num_beams.value_or(1);
    std::vector<bool> sampled = windows.sampled;
    sampled.resize(n);
    std::vector<std::size_t> rows;
    for (std::size_t r = 0; r < n; ++r) rows.push_back(r);
    for (std::size_t i = 0; i < plan.temperatures.size() && !rows.empty(); ++i) {
        const double temperature = plan.temperatures[i];
        std::vector<std::size_t> with_beams, without, again;
        for (const auto r : rows) {
            if (temperature > 0) sampled[r] = true;
            (beams > 1 && !sampled[r] ? with_beams : without).push_back(r);
        }
        for (const auto* some : {&with_beams, &without}) {
            if (some->empty()) continue;
            auto made = detail::write_once(model, plan, windows, *some, temperature, some == &without ? 1 : beams,
                                           windows.seed + i);
            if (!made) return {};
            for (std::size_t k = 0; k < some->size(); ++k) {
                const auto r = (*some)[k];
                Reply& reply = (*made)[k];
                reply.sampled = sampled[r];
                const bool unlikely = plan.logprob_threshold && reply.avg_logprob < *plan.logprob_threshold;
                const bool repetitive =
                    plan.compression_ratio_threshold && reply.compression_ratio > *plan.compression_ratio_threshold;
                if (plan.no_speech_threshold) {
                    reply.no_speech_prob = silence[r];
                    reply.silent =
                        reply.no_speech_prob > *plan.no_speech_threshold && (unlikely || !plan.logprob_threshold);
                }
                if ((unlikely || repetitive) && !reply.silent) again.push_back(r);
                replies[r] = std::move(reply);
            }
        }
        std::ranges::sort(again);  // all of them are the encoder's rows as they lie
        rows = std::move(again);
    }
    return replies;
}

SILICA_INLINE std::vector<std::int64_t> detect_languages(SpeechModel& model, const SpeechConfig& config,
                                                         const Tensor& encoder_outputs) {
    if (!config.lang_to_id || config.lang_to_id->empty() || !config.decoder_start_token_id)
        throw ConfigError("The checkpoint names no languages, or no start token that one follows.",
                          "name the language, or take a newer generation_config.json with lang_to_id.");
    auto& decoder = model.decoder();
    require_encoded(encoder_outputs, encoder_outputs.dim() > 0 ? static_cast<std::size_t>(encoder_outputs.size(0)) : 0);
    const auto rows = encoder_outputs.size(0);
    decoder.start(rows, config.max_target_positions - 1);
    const Tensor start = at::full({rows, 1}, *config.decoder_start_token_id, c10::ScalarType::Long);
    HostScores scores;
    scores.copy(decoder,
                decoder.prefill({.decoder_input_ids = start, .extra = {{"encoder_outputs", encoder_outputs}}}));
    std::vector<std::int64_t> tokens;
    for (const auto& [name, id] : *config.lang_to_id) tokens.push_back(id);
    std::ranges::sort(tokens);  // of equals the first
    std::vector<std::int64_t> made;
    for (std::int64_t r = 0; r < rows; ++r) {
        const Scores row = scores.row(static_cast<std::size_t>(r));
        std::int64_t best = -1;
        for (const auto id : tokens) {
            if (id < 0 || static_cast<std::size_t>(id) >= row.size())
                throw ConfigError("lang_to_id names token " + std::to_string(id) + ", which has no score.",
                                  "correct generation_config.json.");
            const float score = row[static_cast<std::size_t>(id)];
            if (!(score == score)) no_numbers(static_cast<std::size_t>(r));
            if (best < 0 || score > row[static_cast<std::size_t>(best)]) best = id;
        }
        made.push_back(best);
    }
    return made;
}

}  // namespace silica::generate
