#pragma once
/// Reading a prompt: whole, in pieces, or from where the last text ended.

#include "silica/generate/decoder.hpp"
#include "silica/generate/generated.hpp"
#include "silica/generate/plan.hpp"

#include <ATen/ops/full.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace silica::generate {
namespace detail {

/// Room for all tokens of the call; where more calls may go on from it, twice that, within the context.
inline std::int64_t capacity_of(const Decoder& decoder, const Plan& p, bool more) {
    const auto needed = static_cast<std::int64_t>(std::max(p.max_length - 1, p.start));
    const auto context = decoder.facts().context;
    return more ? std::max(needed, context ? std::min(*context, 2 * needed) : 2 * needed) : needed;
}

/// How many tokens of the prompt the state of `decoder` holds; what it holds beyond them is forgotten, and there is
/// room for the call.
inline std::int64_t held_tokens(Decoder& decoder, const Plan& p, const Held& held) {
    const auto n = static_cast<std::int64_t>(held.tokens.size());
    const bool may = p.rows == 1 && !decoder.facts().encoder_decoder && !p.prompt.attention_mask &&
                     p.prompt.extra.empty() && n == decoder.length();
    if (!may) return 0;
    const auto& prompt = p.history.front();
    const auto [part, _] = std::mismatch(prompt.begin(), prompt.end() - 1, held.tokens.begin(), held.tokens.end());
    const auto same = part - prompt.begin();
    if (same == 0 || !decoder.shorten(same)) return 0;
    const bool fits = decoder.capacity() >= static_cast<std::int64_t>(p.max_length) - 1;
    return fits || decoder.extend(capacity_of(decoder, p, true)) ? same : 0;
}

/// Further inputs of the prompt from a token on.
[[nodiscard]] inline Named extra_from(const Decoder& decoder, const Plan& p, const Hooks& hooks, std::int64_t from) {
    if (!hooks.extra_from) return p.prompt.extra;
    Named extra = hooks.extra_from(from);
    require_extra(extra);
    const auto copies = p.rows / p.batch;
    if (copies > 1 && decoder.facts().shares_inputs && !extra.empty())
        extra.emplace_back("rows_per_text", at::full({}, copies, c10::ScalarType::Long));
    return extra;
}

}  // namespace detail

/// Gives the decoder the prompt, a long one in pieces of prefill_chunk_size (one with further inputs whole) -> logits
/// (rows, vocabulary) of what follows. What is held is empty until `keep` fills it again: a call that fails leaves a
/// state that nobody may go on from. `reused` tokens of the prompt were there.
[[nodiscard]] inline Tensor prefill(Decoder& decoder, const Plan& p, const Hooks& hooks, std::int64_t& reused) {
    check(p);
    Held* held = hooks.held;
    const Held before = held != nullptr ? std::exchange(*held, {}) : Held{};
    const bool known = !before.tokens.empty() && before.text == decoder.text();
    reused = known ? detail::held_tokens(decoder, p, before) : 0;
    decoder.begin_text();
    if (reused == 0) decoder.start(p.rows, detail::capacity_of(decoder, p, held != nullptr && p.rows == 1));
    const auto chunk = p.config.prefill_chunk_size.value_or(2048);
    if (decoder.facts().encoder_decoder) return decoder.prefill(p.prompt);
    const Named extra = detail::extra_from(decoder, p, hooks, reused);
    const bool whole = chunk == 0 || !extra.empty();
    const auto width = p.prompt.input_ids.size(1);
    Tensor logits;
    for (std::int64_t from = reused; from < width;) {
        const auto to = whole ? width : std::min(from + chunk, width);
        Prompt piece{.input_ids = p.prompt.input_ids.slice(1, from, to), .extra = extra};
        if (p.prompt.attention_mask) piece.attention_mask = p.prompt.attention_mask->slice(1, from, to);
        logits = decoder.prefill(piece);
        from = to;
    }
    return logits;
}

/// Fills what is held at the end of a call: the last token was chosen, but the state did not take it.
inline void keep(const Decoder& decoder, const Plan& p, Held* held) {
    if (held == nullptr || p.rows != 1 || p.history.empty() || p.history.front().empty() ||
        decoder.facts().encoder_decoder || !p.prompt.extra.empty())
        return;
    const auto& all = p.history.front();
    held->tokens.assign(all.begin(), all.end() - 1);
    held->text = decoder.text();
}

}  // namespace silica::generate
