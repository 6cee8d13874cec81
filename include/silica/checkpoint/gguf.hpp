#pragma once
/// GGUF files as checkpoints: llama.cpp's names and blocks. Their configuration is in gguf_config.hpp.

#include "silica/checkpoint/entry.hpp"
#include "silica/checkpoint/packed.hpp"
#include "silica/core/gguf.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace silica::checkpoint {

/// The tensors of a GGUF file under the names of Hugging Face: "blk.0.attn_q.weight" is
/// "model.layers.0.self_attn.q_proj.weight". Quantised ones are rows of bytes, and `dtype_name` says of which type.
/// Frequencies of rotary embeddings are left out: they are the configuration's. CheckpointError for types and
/// architectures that are not read, which lists those that are.
/// `index` is that of its first file.
[[nodiscard]] std::vector<TensorEntry> gguf_entries(const Gguf& gguf, std::size_t index);

/// The numbers and strings of its metadata, as text.
[[nodiscard]] std::map<std::string, std::string> gguf_metadata(const Gguf& gguf);

/// The matrices of blocks, and those whose rows llama.cpp reorders: the queries' and keys' of LLaMA, where it turns
/// neighbours, and Hugging Face halves, of a head. `metadata` is that of `gguf_metadata`.
void find_gguf_blocks(Modules& modules, const std::map<std::string, std::string>& metadata,
                      std::vector<PackedMatrix>& found);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/gguf.ipp"
#endif
