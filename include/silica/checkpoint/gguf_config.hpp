#pragma once
/// The config.json that the metadata of a GGUF file stands for.

#include "silica/core/gguf.hpp"
#include "silica/core/json.hpp"

namespace silica::checkpoint {

/// The config.json that the file stands for: LlamaForCausalLM's, MistralForCausalLM's or Qwen2ForCausalLM's.
/// CheckpointError for what is not read, and where keys are missing or contradict each other.
[[nodiscard]] Json gguf_config(const Gguf& gguf);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/gguf_config.ipp"
#endif
