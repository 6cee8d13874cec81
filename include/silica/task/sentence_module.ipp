#pragma once
/// Dense, LayerNorm and Normalize of sentence-transformers 6.2 (base/modules/dense.py, normalize.py,
/// sentence_transformer/modules/layer_norm.py).

#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/read.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/floating_types.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/quote.hpp"
#include "silica/core/reflect.hpp"
#include "silica/task/sentence_keys.hpp"
#include "silica/task/sentence_module.hpp"

#include <ATen/ops/elu.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/mish.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/relu6.h>
#include <ATen/ops/selu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/tanh.h>

#include <optional>
#include <string_view>
#include <utility>

namespace silica::task {
namespace detail {

/// torch.nn's activations, with their defaults.
struct TorchActivation {
    std::string_view name;
    Tensor (*apply)(const Tensor&);
};
inline constexpr TorchActivation torch_activations[] = {
    {"Identity", [](const Tensor& x) { return x; }},
    {"Tanh", [](const Tensor& x) { return at::tanh(x); }},
    {"ReLU", [](const Tensor& x) { return at::relu(x); }},
    {"GELU", [](const Tensor& x) { return at::gelu(x); }},
    {"SiLU", [](const Tensor& x) { return at::silu(x); }},
    {"Sigmoid", [](const Tensor& x) { return at::sigmoid(x); }},
    {"LeakyReLU", [](const Tensor& x) { return at::leaky_relu(x); }},
    {"ReLU6", [](const Tensor& x) { return at::relu6(x); }},
    {"ELU", [](const Tensor& x) { return at::elu(x); }},
    {"SELU", [](const Tensor& x) { return at::selu(x); }},
    {"Mish", [](const Tensor& x) { return at::mish(x); }},
    {"Softplus", [](const Tensor& x) { return at::softplus(x); }},
    {"LogSigmoid", [](const Tensor& x) { return at::log_sigmoid(x); }},
    {"Hardtanh", [](const Tensor& x) { return at::hardtanh(x); }},
    {"Hardswish", [](const Tensor& x) { return at::hardswish(x); }},
};

/// The activation of a Dense: a class of torch.nn by its path; Tanh where none is named.
SILICA_INLINE const TorchActivation& torch_activation(const SentenceFile& file) {
    const Json* value = file.find("activation_function");
    const std::string path = value == nullptr ? "torch.nn.Tanh" : file.string("activation_function");
    std::string known;
    for (const auto& each : torch_activations) {
        if (path.starts_with("torch.nn.") && path.substr(path.rfind('.') + 1) == each.name) return each;
        known.append(known.empty() ? "" : ", ").append(each.name);
    }
    file.refuse("activation_function", "known are the classes of torch.nn: " + known + ".");
}

/// The weights of a module.
class SentenceWeights {
public:
    explicit SentenceWeights(const std::filesystem::path& folder) : file_(checkpoint::Checkpoint::open(folder)) {}

    /// The tensor of this name and shape, float32.
    [[nodiscard]] Tensor get(std::string_view name, const std::vector<std::int64_t>& shape) {
        const Tensor t = checkpoint::read_tensor(file_, name);
        if (t.sizes() != c10::IntArrayRef(shape)) {
            throw CheckpointError(file_.directory().string() + ": " + quote(name) + " has shape " +
                                      checkpoint::tuple_text(t.sizes()) + ", config.json makes it " +
                                      checkpoint::tuple_text(shape) + ".",
                                  "config.json and the weights belong to different modules: download both again.");
        }
        if (!t.is_floating_point() || t.element_size() < 2) {
            throw CheckpointError(file_.directory().string() + ": " + quote(name) + " is of type " +
                                      c10::toString(t.scalar_type()) + ", which is no type of weights here.",
                                  "save the module in float32.");
        }
        ++taken_;
        return t.toType(at::kFloat);
    }

    /// Throws where the file has more than was asked for.
    void settle() const {
        if (taken_ == file_.entries().size()) return;
        throw CheckpointError(file_.directory().string() + " holds " + std::to_string(file_.entries().size()) +
                                  " tensors, config.json asks for " + std::to_string(taken_) + ".",
                              "config.json and the weights belong to different modules: download both again.");
    }

private:
    checkpoint::Checkpoint file_;
    std::size_t taken_ = 0;
};

/// The sizes of a matrix that a module says it has.
SILICA_INLINE std::int64_t module_size(const SentenceFile& file, std::string_view key) {
    const Json* value = file.find(key);
    if (value == nullptr) file.refuse(key, "a module needs its sizes: download the file again.");
    std::int64_t size = 0;
    read_json(size, *value, file.path() + ": " + std::string(key));
    require_at_least(file.path(), key, size);
    return size;
}

SILICA_INLINE SentenceModule read_dense(const SentenceFile& file, const std::filesystem::path& folder) {
    const auto in = module_size(file, "in_features"), out = module_size(file, "out_features");
    const auto activation = torch_activation(file).apply;
    SentenceWeights weights(folder);
    const Tensor weight = weights.get("linear.weight", {out, in});
    std::optional<Tensor> bias, residual;
    if (file.boolean("bias", true)) bias = weights.get("linear.bias", {out});
    const bool adds = file.boolean("use_residual", false);
    if (adds && in != out) residual = weights.get("residual.weight", {out, in});
    weights.settle();
    return {"Dense", [=, where = file.path()](const Tensor& x) {
                require_tensor("x", x, 2, {c10::ScalarType::Float});
                if (x.size(1) != in) {
                    throw ConfigError(where + ": in_features is " + std::to_string(in) + ", but the vectors have " +
                                          std::to_string(x.size(1)) + " numbers.",
                                      "correct the key, or download the checkpoint again.");
                }
                const Tensor y = activation(at::linear(x, weight, bias));
                return adds ? y + (residual ? at::linear(x, *residual) : x) : y;
            }};
}

SILICA_INLINE SentenceModule read_layer_norm(const SentenceFile& file, const std::filesystem::path& folder) {
    const auto d = module_size(file, "dimension");
    SentenceWeights weights(folder);
    const Tensor weight = weights.get("norm.weight", {d}), bias = weights.get("norm.bias", {d});
    weights.settle();
    return {"LayerNorm", [=, where = file.path()](const Tensor& x) {
                require_tensor("x", x, 2, {c10::ScalarType::Float});
                if (x.size(1) != d) {
                    throw ConfigError(where + ": dimension is " + std::to_string(d) + ", but the vectors have " +
                                          std::to_string(x.size(1)) + " numbers.",
                                      "correct the key, or download the checkpoint again.");
                }
                return at::layer_norm(x, {d}, weight, bias, 1e-5);
            }};
}

}  // namespace detail

SILICA_INLINE Tensor SentenceModule::operator()(const Tensor& x) const {
    if (!apply) throw InputError("The module " + quote(type) + " computes nothing.", "set apply, or leave it out.");
    require_tensor("x", x, 2, {c10::ScalarType::Float});
    Tensor made = apply(x);
    require_tensor(type, made, 2, {c10::ScalarType::Float});
    if (made.size(0) == x.size(0)) return made;
    throw InputError("The module " + quote(type) + " gives " + std::to_string(made.size(0)) + " vectors for " +
                         std::to_string(x.size(0)) + " texts.",
                     "give one for each.");
}

SILICA_INLINE Tensor normalized(const Tensor& x) {
    require_tensor("x", x, 2, floating_types);
    return x / at::linalg_vector_norm(x, 2, {1}, true).clamp_min(1e-12);
}

SILICA_INLINE SentenceModule read_sentence_module(const std::string& type, const std::filesystem::path& folder,
                                                  std::vector<std::string>& notes) {
    if (type != "Dense" && type != "LayerNorm" && type != "Normalize")
        throw ConfigError("The module " + quote(type) + " of " + folder.string() + " is not known.",
                          "known are Dense, LayerNorm and Normalize.");
    const bool optional = type == "Normalize";  // it has had no file for long
    const detail::SentenceFile file(folder, "config.json", optional);
    for (const char* key : {"module_input_name", "module_output_name"}) {
        const Json* value = file.find(key);
        if (value == nullptr || value->is_null() || (value->is_string() && value->string() == "sentence_embedding"))
            continue;
        file.refuse(key, "modules work on sentence_embedding here.");
    }
    if (type == "Dense") {
        file.note_others({"in_features", "out_features", "bias", "activation_function", "module_input_name",
                          "module_output_name", "use_residual"},
                         notes);
        return detail::read_dense(file, folder);
    }
    if (type == "LayerNorm") {
        file.note_others({"dimension"}, notes);
        return detail::read_layer_norm(file, folder);
    }
    file.note_others({"module_input_name", "module_output_name"}, notes);
    return {type, normalized};
}

}  // namespace silica::task
