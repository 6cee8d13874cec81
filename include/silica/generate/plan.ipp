#pragma once
/// A call as a plan.

#include "silica/core/compiled.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/state_inputs.hpp"
#include "silica/generate/check_config.hpp"
#include "silica/generate/plan.hpp"

#include <ATen/ops/full.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::generate {
namespace detail {

inline std::vector<std::vector<std::int64_t>> rows_of(const Tensor& ids) {
    const Tensor host = ids.contiguous();
    const auto* id = host.const_data_ptr<std::int64_t>();
    std::vector<std::vector<std::int64_t>> rows;
    for (std::int64_t r = 0; r < host.size(0); ++r)
        rows.emplace_back(id + r * host.size(1), id + (r + 1) * host.size(1));
    return rows;
}

/// Those of each row of ids (batch, tokens) that the mask, where there is one, keeps.
inline std::vector<std::vector<std::int64_t>> kept(const Tensor& ids, const std::optional<Tensor>& mask) {
    auto rows = rows_of(ids);
    if (!mask) return rows;
    const auto* keeps = mask->const_data_ptr<bool>();
    for (auto& row : rows) {
        std::size_t n = 0;
        for (const auto id : row) {
            if (*keeps++) row[n++] = id;
        }
        row.resize(n);
    }
    return rows;
}

/// Each row `times` times, one after another.
inline Tensor repeated(const Tensor& t, std::int64_t times) { return times == 1 ? t : t.repeat_interleave(times, 0); }

/// InputError for tensors that are not on the CPU or have no numbers in place: a plan reads and repeats them.
inline void require_host(const Prompt& prompt) {
    const auto look = [](std::string_view name, const std::optional<Tensor>& t) {
        if (!t || !t->defined()) return;
        if (t->is_meta())
            throw InputError("Input " + std::string(name) + " is on the device meta: it has no numbers.",
                             "give it values.");
        if (t->layout() != c10::kStrided || t->is_neg())
            throw InputError("Input " + std::string(name) + " is sparse, or a view that negates its numbers.",
                             "call .to_dense() or .resolve_neg() on it.");
        require_device(name, *t, c10::Device(c10::DeviceType::CPU));
    };
    look("input_ids", prompt.input_ids);
    look("attention_mask", prompt.attention_mask);
    look("decoder_input_ids", prompt.decoder_input_ids);
    for (const auto& item : prompt.extra) look(item.first, item.second);
}

/// How many texts are asked for. InputError for a prompt without any.
inline std::int64_t batch_of(const Prompt& prompt) {
    const auto& ids = prompt.input_ids;
    if (ids.defined() && ids.numel() > 0) {
        require_tensor("input_ids", ids, 2, {c10::ScalarType::Long});
        return ids.size(0);
    }
    if (ids.defined() || prompt.extra.empty())
        throw InputError("The prompt has no tokens.", "give at least one, such as bos_token_id.");
    const auto& [name, first] = prompt.extra.front();
    if (!first.defined() || first.dim() == 0 || first.numel() == 0)
        throw InputError("Input " + name + " is empty.", "give a row for each text.");
    return first.size(0);
}

/// Further inputs for rows that are more. What has a row for each prompt is repeated: what is about the decoder's own
/// tokens `of_decoder` times, all else `copies` times.
inline Named repeated(const Named& extra, std::int64_t batch, std::int64_t copies, std::int64_t of_decoder) {
    Named all;
    for (const auto& [name, t] : extra) {
        const auto times = name.starts_with("decoder_") ? of_decoder : copies;
        if (times > 1 && (t.dim() == 0 || t.size(0) != batch)) {
            throw InputError("Input " + name + " has shape " + shape_text(t.sizes()) + ", not a row for each of " +
                                 std::to_string(batch) + " prompts: it cannot be shared out to several texts of each.",
                             "give one, or set num_beams and num_return_sequences to 1.");
        }
        all.emplace_back(name, repeated(t, times));
    }
    return all;
}

/// How many of a mask are set.
inline std::int64_t count(const Tensor& mask) {
    const auto* m = mask.const_data_ptr<bool>();
    return std::count(m, m + mask.numel(), true);
}

/// The mask of a prompt as bool on the CPU, checked; absent where nothing is masked.
inline std::optional<Tensor> prompt_mask(const Prompt& prompt, bool left) {
    if (!prompt.attention_mask || !prompt.input_ids.defined()) return {};
    require_tensor("attention_mask", *prompt.attention_mask, 2, {c10::ScalarType::Long, c10::ScalarType::Bool});
    require_same_shape("attention_mask", *prompt.attention_mask, "input_ids", prompt.input_ids);
    auto mask = bool_mask(*prompt.attention_mask);
    if (!mask) return {};
    const auto width = mask->size(1);
    const auto* m = mask->const_data_ptr<bool>();
    for (std::int64_t r = 0; r < mask->size(0); ++r) {
        const auto* row = m + r * width;
        if (std::find(row, row + width, true) == row + width)
            throw InputError("Row " + std::to_string(r) + " of the prompt is all padding.", "give it a token.");
        if (left && !row[width - 1])
            throw InputError("Row " + std::to_string(r) + " of the prompt is padded on the right.",
                             "pad on the left: what is written follows the last token.");
    }
    return mask;
}

/// (batch, tokens): what the decoder of an encoder-decoder starts with.
inline Tensor decoder_start(const Prompt& prompt, const GenerationConfig& c, const DecoderFacts& facts,
                            std::int64_t batch) {
    const auto start = c.decoder_start_token_id ? c.decoder_start_token_id : c.bos_token_id;
    if (!start)
        throw InputError(facts.architecture + " starts its text with a token that nothing names.",
                         "set decoder_start_token_id.");
    const Tensor first = at::full({batch, 1}, *start, c10::ScalarType::Long);
    if (!prompt.decoder_input_ids) return first;
    require_tensor("decoder_input_ids", *prompt.decoder_input_ids, 2, {c10::ScalarType::Long});
    const Tensor& given = *prompt.decoder_input_ids;
    if (given.size(0) != batch)
        throw InputError("decoder_input_ids has " + std::to_string(given.size(0)) + " rows, the other inputs have " +
                             std::to_string(batch) + ".",
                         "give all a row for each text.");
    if (facts.whole_start) return given;
    const auto rows = rows_of(given);
    const bool there = std::ranges::any_of(rows, [&](const auto& row) { return row.front() == *start; });
    return there ? given : at::cat({first, given}, 1);
}

/// A mask of the decoder's tokens that says nothing of a start token that was put before them attends to that too.
inline void mask_start(Named& extra, std::int64_t tokens) {
    for (auto& [name, t] : extra) {
        if (name == "decoder_attention_mask" && t.dim() == 2 && t.size(1) + 1 == tokens)
            t = at::cat({at::ones({t.size(0), 1}, t.options()), t}, 1);
    }
}

/// Tokens of a row at its end. InputError where nothing can be written.
inline std::size_t length_limit(const GenerationConfig& c, const DecoderFacts& facts, std::size_t start) {
    const auto n = static_cast<std::int64_t>(start);
    const auto context = c.beyond_context ? std::nullopt : facts.context;
    if (context && n > *context) {
        throw InputError("The prompt has " + std::to_string(n) + " tokens, the model's context " +
                             std::to_string(*context) + " (max_position_embeddings).",
                         "shorten the prompt.");
    }
    std::int64_t most = n + c.max_new_tokens.value_or(20);
    if (!c.max_new_tokens && c.max_length) {
        most = *c.max_length;
        if (n >= most) {
            throw InputError("The prompt has " + std::to_string(n) + " tokens, max_length is " + std::to_string(most) +
                                 ", prompt included.",
                             "set max_new_tokens instead, or a larger max_length.");
        }
    }
    if (context) most = std::min(most, std::max(*context, n + 1));
    return static_cast<std::size_t>(most);
}

}  // namespace detail

SILICA_INLINE void require_extra(const Named& extra) {
    for (const auto& [name, t] : extra) {
        if (name == "input_ids" || name == "attention_mask" || name == "decoder_input_ids")
            throw InputError("Input " + name + " is among the further inputs of the prompt.",
                             "set Prompt::" + name + ": what is planned is read from there.");
        if (!t.defined()) throw InputError("Input " + name + " is missing.", "set it, or leave its name out.");
    }
}

SILICA_INLINE std::int64_t rows_of_call(std::int64_t batch, std::int64_t times) {
    constexpr std::int64_t most = 65536;
    if (times >= 1 && batch <= most / times) return batch * times;
    throw InputError(std::to_string(batch) + " prompts with " + std::to_string(times) +
                         " texts each (num_beams, num_return_sequences) are too many.",
                     "ask for at most " + std::to_string(most) + " texts at once.");
}

SILICA_INLINE Row Plan::row(std::size_t i) const {
    if (i >= history.size() || i >= padding.size() || i >= encoder.size())
        throw InputError("A plan of " + std::to_string(history.size()) + " rows has no row " + std::to_string(i) + ".",
                         "ask for one that there is.");
    return {history[i], start, padding[i], encoder[i]};
}

SILICA_INLINE void check(const Plan& p) {
    const auto times = std::max(p.config.num_beams.value_or(1), p.config.num_return_sequences.value_or(1));
    const auto rows = static_cast<std::size_t>(std::max<std::int64_t>(p.rows, 0));
    const bool whole = p.batch >= 1 && times >= 1 && p.batch <= p.rows && p.rows % p.batch == 0 &&
                       p.rows / p.batch == times && p.start >= 1 && p.max_length > p.start &&
                       p.history.size() == rows && p.padding.size() == rows && p.encoder.size() == rows;
    const auto fits = [&](std::size_t r) { return p.history[r].size() == p.start && p.padding[r] < p.start; };
    for (std::size_t r = 0; whole && r < rows; ++r) {
        if (!fits(r))
            throw InputError("Row " + std::to_string(r) + " of the plan has " + std::to_string(p.history[r].size()) +
                                 " tokens, of which " + std::to_string(p.padding[r]) + " are padding; " +
                                 std::to_string(p.start) + " are wanted.",
                             "make it with plan(facts, prompt, config).");
    }
    if (whole) return;
    throw InputError("The plan's numbers do not fit each other: " + std::to_string(p.batch) + " texts in " +
                         std::to_string(p.rows) + " rows, from " + std::to_string(p.start) + " tokens to " +
                         std::to_string(p.max_length) + ".",
                     "make it with plan(facts, prompt, config).");
}

SILICA_INLINE Plan plan(const DecoderFacts& facts, const Prompt& prompt, GenerationConfig c) {
    if (!c.bos_token_id) c.bos_token_id = facts.bos_token_id;
    if (!c.eos_token_id && !facts.eos_token_id.empty()) c.eos_token_id = facts.eos_token_id;
    if (!c.pad_token_id) c.pad_token_id = facts.pad_token_id;
    if (!c.decoder_start_token_id) c.decoder_start_token_id = facts.decoder_start_token_id;
    check(c, facts);
    detail::require_host(prompt);

    Plan p;
    p.batch = detail::batch_of(prompt);
    require_extra(prompt.extra);
    if (prompt.decoder_input_ids && !facts.encoder_decoder)
        throw InputError("decoder_input_ids are given, but " + facts.architecture + " has no encoder.",
                         "give input_ids, which it continues.");
    const auto times = std::max(c.num_beams.value_or(1), c.num_return_sequences.value_or(1));
    p.rows = rows_of_call(p.batch, times);
    const auto mask = detail::prompt_mask(prompt, !facts.encoder_decoder);
    // An encoder runs once for each text, whatever number of rows the decoder follows.
    const auto copies = facts.encoder_decoder ? 1 : times;
    if (facts.shares_inputs) {
        p.prompt.extra = prompt.extra;
        if (copies > 1 && !p.prompt.extra.empty())
            p.prompt.extra.emplace_back("rows_per_text", at::full({}, copies, c10::ScalarType::Long));
    } else {
        p.prompt.extra = detail::repeated(prompt.extra, p.batch, copies, times);
    }
    p.encoder.resize(static_cast<std::size_t>(p.rows));
    if (prompt.input_ids.defined()) {
        p.prompt.input_ids = detail::repeated(prompt.input_ids, copies);
        if (mask) p.prompt.attention_mask = detail::repeated(*mask, copies);
        std::optional<Tensor> each;
        if (mask) each = detail::repeated(*mask, times).contiguous();
        p.encoder = detail::kept(detail::repeated(prompt.input_ids, times), each);
        p.prompt_tokens = mask ? detail::count(*mask) : prompt.input_ids.numel();
    } else if (prompt.attention_mask) {  // of another input, which the family checks
        p.prompt.attention_mask = detail::repeated(*prompt.attention_mask, copies);
    }
    if (facts.encoder_decoder) {
        p.prompt.decoder_input_ids = detail::repeated(detail::decoder_start(prompt, c, facts, p.batch), times);
        if (prompt.decoder_input_ids) detail::mask_start(p.prompt.extra, p.prompt.decoder_input_ids->size(1));
        p.history = detail::rows_of(*p.prompt.decoder_input_ids);
    } else if (!prompt.input_ids.defined()) {
        throw InputError("The prompt has no tokens.", "give input_ids: " + facts.architecture + " continues them.");
    } else {
        p.history = detail::rows_of(p.prompt.input_ids);
    }
    p.start = p.history.front().size();
    p.padding.resize(static_cast<std::size_t>(p.rows));
    if (mask && !facts.encoder_decoder) {
        const auto width = mask->size(1);
        for (std::int64_t r = 0; r < p.rows; ++r) {
            const auto* m = mask->const_data_ptr<bool>() + r / times * width;
            p.padding[static_cast<std::size_t>(r)] = static_cast<std::size_t>(std::find(m, m + width, true) - m);
        }
    }
    p.max_length = detail::length_limit(c, facts, p.start);
    p.ends = c.eos_token_id.value_or(std::vector<std::int64_t>{});
    p.pad = c.pad_token_id.value_or(p.ends.empty() ? 0 : p.ends.front());
    p.config = std::move(c);
    return p;
}

}  // namespace silica::generate
