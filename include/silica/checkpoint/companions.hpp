#pragma once
/// Tensors that change what a weight beside them means: scales and codes of quantised weights, adapters.

#include <string_view>

namespace silica::checkpoint {

/// Whether `rest`, a name inside a module ("qweight", "lora_A.default.weight"), is that of a companion: as GPTQ, AWQ,
/// bitsandbytes, compressed-tensors, ModelOpt, torchao, Quanto, MLX and PEFT write them.
[[nodiscard]] bool is_companion(std::string_view rest) noexcept;

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/companions.ipp"
#endif
