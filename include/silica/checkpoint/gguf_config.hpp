#pragma once
/// The config.json that the metadata of a GGUF file stands for.

#include "silica/core/gguf.hpp"
#include "silica/core/json.hpp"

#include <string_view>

namespace silica::checkpoint {

/// The config.json that the file stands for: LlamaForCausalLM's, MistralForCausalLM's or Qwen2ForCausalLM's.
/// llama.cpp calls Mistral's models "llama" too: they are of the `family` that is asked for, "llama" or "mistral", and
/// where none is of the one that the name of the model tells. CheckpointError for what is not read, and where keys are
/// missing or contradict each other.
[[nodiscard]] Json gguf_config(const Gguf& gguf, std::string_view family = {});

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/gguf_config.ipp"
#endif
