#pragma once
/// Wav2Vec2's configuration, inputs and the spellings of its checkpoints.

#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/names.hpp"
#include "silica/core/reflect.hpp"
#include "silica/core/tensor.hpp"
#include "silica/op/activation.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::arch {

/// Which norms the convolutions over the samples have.
enum class Wav2Vec2Norm {
    group,  ///< the first one alone, of each channel over all of time
    layer,  ///< each one, of each frame over its channels
};
inline constexpr std::array<std::pair<std::string_view, Wav2Vec2Norm>, 2> wav2vec2_norm_names{{
    {"group", Wav2Vec2Norm::group},
    {"layer", Wav2Vec2Norm::layer},
}};
constexpr const auto& enum_names(Wav2Vec2Norm) { return wav2vec2_norm_names; }

/// Keys and defaults of config.json.
struct Wav2Vec2Config {
    std::int64_t vocab_size = 32, hidden_size = 768, num_hidden_layers = 12, num_attention_heads = 12,
                 intermediate_size = 3072;
    Activation hidden_act = Activation::gelu, feat_extract_activation = Activation::gelu;
    double layer_norm_eps = 1e-5;
    Wav2Vec2Norm feat_extract_norm = Wav2Vec2Norm::group;
    std::vector<std::int64_t> conv_dim = {512, 512, 512, 512, 512, 512, 512}, conv_stride = {5, 2, 2, 2, 2, 2, 2},
                              conv_kernel = {10, 3, 3, 3, 3, 2, 2};
    bool conv_bias = false, do_stable_layer_norm = false;
    std::int64_t num_conv_pos_embeddings = 128, num_conv_pos_embedding_groups = 16;
    bool add_adapter = false;  ///< whether convolutions follow the transformer
    std::int64_t adapter_kernel_size = 3, adapter_stride = 2, num_adapter_layers = 3;
    std::optional<std::int64_t> output_hidden_size = {}, adapter_attn_dim = {};
    bool use_weighted_layer_sum = false;
    std::int64_t classifier_proj_size = 256;
    std::optional<std::int64_t> num_labels = {};
    std::map<std::string, std::string> id2label = {};

    /// How many classes a classifier tells apart.
    [[nodiscard]] std::int64_t labels() const {
        return id2label.empty() ? num_labels.value_or(2) : static_cast<std::int64_t>(id2label.size());
    }
    /// Width of what the convolutions after the transformer give: 0 stands for hidden_size.
    [[nodiscard]] std::int64_t adapted_size() const {
        const auto size = output_hidden_size.value_or(0);
        return size == 0 ? hidden_size : size;
    }
    /// Width of last_hidden_state.
    [[nodiscard]] std::int64_t output_size() const { return add_adapter ? adapted_size() : hidden_size; }
    /// How many frames the convolutions make of `samples`, 0 where they are too few.
    [[nodiscard]] std::int64_t frames(std::int64_t samples) const;
    /// How many samples one frame needs: 400, with the usual convolutions.
    [[nodiscard]] std::int64_t least_samples() const;
    /// How many samples lie between the beginnings of two frames: 320, with the usual convolutions.
    [[nodiscard]] std::int64_t inputs_to_logits_ratio() const;
};

struct Wav2Vec2Inputs {
    Tensor input_values;                        ///< (batch, samples): floating numbers, 16000 a second as a rule
    std::optional<Tensor> attention_mask = {};  ///< (batch, samples) int64, int32 or bool, 1 = sound; absent: all
    /// (batch) int64: how many of its first frames a row has; absent: as many as attention_mask has samples for.
    std::optional<Tensor> frames = {};
};

/// What all heads of Wav2Vec2 share.
struct Wav2Vec2Family {
    static constexpr std::string_view family = "wav2vec2";
    using Config = Wav2Vec2Config;
    using Inputs = Wav2Vec2Inputs;

    static void check(const Config& c, const std::string& file);
    /// Inputs with `frames` where a row is shorter than the longest, and without `attention_mask`.
    static Inputs prepare(const Config& c, Inputs in);
    static checkpoint::NameRules names();
};

/// Puts the adapter of a language, `adapter.<lang>.safetensors` or `.bin` beside the weights of MMS, in the place of
/// what `files` has, and its number of words into `c`. InputError for a model without such adapters and for a language
/// that has no file; CheckpointError for a file that is no adapter of this model.
void speak_wav2vec2(Wav2Vec2Config& c, checkpoint::Checkpoint& files, const std::string& target_lang);

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::Wav2Vec2Config, vocab_size, hidden_size, num_hidden_layers, num_attention_heads,
                        intermediate_size, hidden_act, feat_extract_activation, layer_norm_eps, feat_extract_norm,
                        conv_dim, conv_stride, conv_kernel, conv_bias, do_stable_layer_norm, num_conv_pos_embeddings,
                        num_conv_pos_embedding_groups, add_adapter, adapter_kernel_size, adapter_stride,
                        num_adapter_layers, output_hidden_size, adapter_attn_dim, use_weighted_layer_sum,
                        classifier_proj_size, num_labels, id2label);
BOOST_HANA_ADAPT_STRUCT(silica::arch::Wav2Vec2Inputs, input_values, attention_mask, frames);

#ifndef SILICA_COMPILED
#include "silica/arch/wav2vec2/config.ipp"
#endif
