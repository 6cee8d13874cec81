#pragma once
/// What a caller may choose when opening a model.

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace silica {

/// How a model is opened.
struct OpenOptions {
    c10::DeviceIndex index = 0;  ///< which of several devices of a kind
    bool strict = false;         ///< whether weights that the architecture does not use are an error
    /// Under a precision that quantises weights: how many columns of a row share a scale, 32, 64 or 128, or with 8 bits
    /// 0 for the whole row; and the bits, where the precision leaves them open. Not for weights that are codes already.
    std::int64_t group = 64;
    int bits = 4;
    /// Whether products with codes take their inputs in 8 bits too: see activations::Int8.
    bool int8_activations = false;
    /// The language whose adapter is opened, as its file spells it: adapter.fra.safetensors beside the weights of MMS.
    /// Empty: what the weights themselves hold.
    std::string target_lang = {};
    /// Whether memory is looked at before anything is loaded: DeviceError, with what would fit, where weights, what
    /// loading them takes and a state of `state_rows` x `state_tokens` (0: none) are more than what is free.
    bool budget = true;
    std::int64_t state_rows = 1, state_tokens = 0;
};

}  // namespace silica
