#pragma once
/// What sentence-transformers computes on the vector of a text after the pooling.

#include "silica/core/tensor.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace silica::task {

/// One module of modules.json that follows the pooling, with its weights.
struct SentenceModule {
    std::string type;                            ///< its class without the path: "Dense", "LayerNorm", "Normalize"
    std::function<Tensor(const Tensor&)> apply;  ///< (texts, d) float32 on the CPU -> (texts, e)

    /// `apply(x)`. InputError where there is no such function, and where x or what it gives is not (texts, d) float32.
    [[nodiscard]] Tensor operator()(const Tensor& x) const;
};

/// x (rows, d) / |x|, of floating numbers. InputError for another tensor.
[[nodiscard]] Tensor normalized(const Tensor& x);

/// Reads the module of class `type` in `folder`: config.json and, for a Dense or a LayerNorm, model.safetensors or
/// pytorch_model.bin. What sentence-transformers ignores in config.json is added to `notes`.
/// ConfigError for a class or a key that is not computed here, CheckpointError for wrong weights.
[[nodiscard]] SentenceModule read_sentence_module(const std::string& type, const std::filesystem::path& folder,
                                                  std::vector<std::string>& notes);

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/sentence_module.ipp"
#endif
