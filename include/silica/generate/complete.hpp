#pragma once
/// Writes text: the entry to generation. Start reading here.
///
///     auto model = Model<arch::Llama, device::Cpu>::open("TinyLlama/TinyLlama-1.1B-Chat-v1.0");
///     generate::ModelDecoder decoder(model);
///     auto out = generate::complete(decoder, {.input_ids = ids}, {.max_new_tokens = 50});    // out.sequences

#include "silica/generate/config.hpp"
#include "silica/generate/decoder.hpp"
#include "silica/generate/generated.hpp"
#include "silica/generate/model_decoder.hpp"

namespace silica::generate {

/// Continues the prompts (or, with an encoder-decoder, answers the texts) as `config` says; what it does not say is
/// transformers' default. Equal to transformers' generate token for token in float32, but for samples, whose random
/// numbers are our own (random.hpp). InputError for wrong prompts and parameters, before the model runs; DeviceError
/// where memory is out.
[[nodiscard]] Generated complete(Decoder& decoder, const Prompt& prompt, const GenerationConfig& config,
                                 const Hooks& hooks = {});

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/complete.ipp"
#endif
