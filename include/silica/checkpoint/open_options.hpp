#pragma once
/// What a caller may choose when opening a model.

#include <c10/core/Device.h>

#include <string>

namespace silica {

/// How a model is opened.
struct OpenOptions {
    c10::DeviceIndex index = 0;  ///< which of several devices of a kind
    bool strict = false;         ///< whether weights that the architecture does not use are an error
    /// The language whose adapter is opened, as its file spells it: adapter.fra.safetensors beside the weights of MMS.
    /// Empty: what the weights themselves hold.
    std::string target_lang = {};
};

}  // namespace silica
