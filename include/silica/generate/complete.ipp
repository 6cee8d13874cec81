#pragma once
/// Generation: from a prompt to texts.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/generate/beam.hpp"
#include "silica/generate/complete.hpp"
#include "silica/generate/plan.hpp"
#include "silica/generate/sample.hpp"

#include <new>
#include <utility>

namespace silica::generate {
namespace detail {

/// A prompt on the CPU, where it is planned with.
inline Prompt on_host(const Decoder& decoder, Prompt prompt) {
    decoder.on_device([&] {
        const auto home = [](Tensor& t) {
            if (t.defined() && !t.is_meta()) t = t.to(c10::Device(c10::DeviceType::CPU));
        };
        home(prompt.input_ids);
        if (prompt.attention_mask) home(*prompt.attention_mask);
        if (prompt.decoder_input_ids) home(*prompt.decoder_input_ids);
        for (auto& item : prompt.extra) home(item.second);
    });
    return prompt;
}

}  // namespace detail

SILICA_INLINE Generated complete(Decoder& decoder, const Prompt& prompt, const GenerationConfig& config,
                                 const Hooks& hooks) {
    try {
        Plan p = plan(decoder.facts(), detail::on_host(decoder, prompt), config);
        if (p.config.stop_strings && !p.config.stop_strings->empty() && !hooks.text)
            throw InputError("stop_strings are given, but no way to decode tokens.",
                             "set the text of the hooks, or use task::TextGenerator.");
        if (hooks.extra_from && (decoder.facts().encoder_decoder || !prompt.extra.empty()))
            throw InputError("extra_from is given for an encoder-decoder, or beside Prompt::extra.",
                             "give further inputs in one of the two; an encoder takes them from Prompt::extra.");
        return p.config.num_beams.value_or(1) > 1 ? beam_search(decoder, std::move(p), hooks)
                                                  : sample(decoder, std::move(p), hooks);
    } catch (const std::bad_alloc&) {
        throw DeviceError("There is not enough memory for the texts.", "ask for fewer or shorter ones.");
    }
}

}  // namespace silica::generate
