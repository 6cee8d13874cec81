#pragma once
/// Definitions of writer.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/tensor.hpp"
#include "silica/generate/complete.hpp"
#include "silica/task/text_of.hpp"
#include "silica/task/writer.hpp"

#include <algorithm>
#include <utility>

namespace silica::task {

SILICA_INLINE Writer Writer::open(const std::filesystem::path& directory) {
    Writer made(text::Tokenizer::open(directory), generate::read_generation_config(directory));
    try {
        made.template_ = std::make_shared<const text::ChatTemplate>(text::ChatTemplate::open(directory));
    } catch (const ConfigError& e) {
        made.without_template_ = e;
    }
    return made;
}

SILICA_INLINE Writer::Writer(text::Tokenizer tokenizer, generate::GenerationConfig config,
                             std::optional<text::ChatTemplate> chat_template)
    : config_(std::move(config)) {
    tokenizer.set_padding(std::nullopt);
    tokenizer.set_truncation(std::nullopt);
    tokenizer_ = std::make_shared<const text::Tokenizer>(std::move(tokenizer));
    if (chat_template) template_ = std::make_shared<const text::ChatTemplate>(*std::move(chat_template));
}

SILICA_INLINE generate::Generated Writer::operator()(generate::Decoder& decoder, std::span<const std::string> prompts,
                                                     const generate::GenerationConfig& config,
                                                     const OnToken& on_token) const {
    return write(decoder, prompts, true, config, on_token, nullptr);
}

SILICA_INLINE generate::Generated Writer::chat(generate::Decoder& decoder, const Json& messages,
                                               const generate::GenerationConfig& config, const OnToken& on_token,
                                               const Json* tools, generate::Held* held) const {
    const std::string prompt = prompt_of(messages, tools);
    return write(decoder, std::span(&prompt, 1), false, config, on_token, held);
}

SILICA_INLINE generate::Generated Writer::continued(generate::Decoder& decoder, const generate::Prompt& prompt,
                                                    const generate::GenerationConfig& config, const OnToken& on_token,
                                                    generate::Held* held,
                                                    std::function<Named(std::int64_t from)> extra_from) const {
    return generate::complete(
        decoder, prompt, complete_config(config, decoder.facts()),
        {.on_token = on_token, .text = text_of(tokenizer_), .held = held, .extra_from = std::move(extra_from)});
}

SILICA_INLINE std::string Writer::prompt_of(const Json& messages, const Json* tools) const {
    if (!template_)
        throw without_template_.value_or(
            ConfigError("There is no chat template.", "give one, or a prompt instead of messages."));
    return template_->render(messages, {.add_generation_prompt = true, .tools = tools});
}

SILICA_INLINE generate::Generated Writer::write(generate::Decoder& decoder, std::span<const std::string> prompts,
                                                bool add_special_tokens, const generate::GenerationConfig& config,
                                                const OnToken& on_token, generate::Held* held) const {
    if (prompts.empty()) throw InputError("There is no prompt.", "give at least one.");
    const auto& facts = decoder.facts();
    const auto c = complete_config(config, facts);
    std::vector<std::vector<std::int64_t>> rows;
    for (const auto& prompt : prompts) {
        auto& ids = rows.emplace_back(tokenizer_->encode(prompt, add_special_tokens).ids);
        const auto bos = c.bos_token_id ? c.bos_token_id : facts.bos_token_id;
        if (ids.empty() && bos) ids.push_back(*bos);
        if (ids.empty()) throw InputError("The prompt is empty.", "write at least a word.");
    }
    return generate::complete(decoder, padded(rows, facts, c), c,
                              {.on_token = on_token, .text = text_of(tokenizer_), .held = held});
}

SILICA_INLINE generate::GenerationConfig Writer::complete_config(const generate::GenerationConfig& config,
                                                                 const generate::DecoderFacts& facts) const {
    auto c = generate::merged(config, config_);
    if (!c.max_new_tokens && !c.max_length) c.max_new_tokens = 256;
    if (!c.stop_strings) return c;
    auto ends = c.eos_token_id.value_or(facts.eos_token_id);
    std::erase_if(*c.stop_strings, [&](const std::string& stop) {
        const auto id = tokenizer_->token_to_id(stop);
        if (!id || !tokenizer_->is_special(*id)) return false;
        if (std::ranges::find(ends, *id) == ends.end()) ends.push_back(*id);
        return true;
    });
    c.eos_token_id = std::move(ends);
    return c;
}

SILICA_INLINE generate::Prompt Writer::padded(const std::vector<std::vector<std::int64_t>>& rows,
                                              const generate::DecoderFacts& facts,
                                              const generate::GenerationConfig& c) {
    const auto width = static_cast<std::int64_t>(std::ranges::max(rows, {}, &std::vector<std::int64_t>::size).size());
    const auto n = static_cast<std::int64_t>(rows.size());
    // Masked, so that any token would do; a pad token may be beyond the vocabulary.
    auto pad = c.pad_token_id.value_or(facts.pad_token_id.value_or(0));
    if (pad < 0 || (facts.vocab_size && pad >= *facts.vocab_size)) pad = 0;
    const Tensor ids = at::full({n, width}, pad, c10::ScalarType::Long);
    const Tensor mask = at::zeros({n, width}, c10::ScalarType::Long);
    for (std::int64_t r = 0; r < n; ++r) {
        const auto& row = rows[static_cast<std::size_t>(r)];
        const auto length = static_cast<std::int64_t>(row.size());
        const auto at = r * width + (facts.encoder_decoder ? 0 : width - length);
        std::ranges::copy(row, ids.mutable_data_ptr<std::int64_t>() + at);
        std::fill_n(mask.mutable_data_ptr<std::int64_t>() + at, length, 1);
    }
    return {ids, mask};
}

}  // namespace silica::task
