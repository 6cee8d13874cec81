#pragma once
/// The configuration, the inputs and the spellings of checkpoints that ViT and DeiT share.

#include "silica/checkpoint/names.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/reflect.hpp"
#include "silica/nn/patch_embedding.hpp"
#include "silica/op/activation.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <map>
#include <optional>
#include <string>

namespace silica::nn {

/// Keys and defaults of config.json.
struct VisionTransformerConfig {
    std::int64_t hidden_size = 768, num_hidden_layers = 12, num_attention_heads = 12, intermediate_size = 3072,
                 num_channels = 3, encoder_stride = 16;
    ImageSize image_size = {224, 224}, patch_size = {16, 16};
    double layer_norm_eps = 1e-12;
    Activation hidden_act = Activation::gelu, pooler_act = Activation::tanh;
    bool qkv_bias = true;
    std::optional<std::int64_t> head_dim = {}, pooler_output_size = {}, num_labels = {};
    std::optional<std::map<std::string, std::string>> id2label = {};
    std::optional<std::string> problem_type = {};

    /// How many classes a classifier tells apart; with none, it gives the vector that it would classify.
    [[nodiscard]] std::int64_t labels() const {
        return id2label ? static_cast<std::int64_t>(id2label->size()) : num_labels.value_or(2);
    }
    /// Width of a head.
    [[nodiscard]] std::int64_t d() const { return head_dim.value_or(hidden_size / num_attention_heads); }
    /// Width of what the pooler gives: 0 stands for hidden_size.
    [[nodiscard]] std::int64_t pooled() const {
        const auto size = pooler_output_size.value_or(0);
        return size == 0 ? hidden_size : size;
    }
    [[nodiscard]] PatchShape patches() const { return {num_channels, hidden_size, image_size, patch_size}; }
};

struct VisionTransformerInputs {
    Tensor pixel_values;                         ///< (batch, channels, height, width): floating numbers, or bytes
    std::optional<Tensor> bool_masked_pos = {};  ///< (batch, patches) bool or int64, 1 = the mask token stands there
    bool interpolate_pos_encoding = false;       ///< whether images may have another size than image_size
};

/// What the heads of ViT and DeiT share; the family's own adds its name and the spellings of its checkpoints.
struct VisionTransformerFamily {
    using Config = VisionTransformerConfig;
    using Inputs = VisionTransformerInputs;

    static void check(const Config& c, const std::string& file);
    static Inputs prepare(const Config& c, Inputs in);

protected:
    /// Spellings of a family whose base model is at `base` ("vit.").
    static checkpoint::NameRules names_at(const std::string& base);
};

/// ConfigError where the pixels that masked image modeling makes of a patch cannot be.
void check_encoder_stride(const VisionTransformerConfig& c, const std::string& file);
/// Inputs of masked image modeling. InputError where the patches make no square, and, with `bool_masked_pos`, where a
/// patch becomes an image of another size.
[[nodiscard]] VisionTransformerInputs checked_for_reconstruction(const VisionTransformerConfig& c,
                                                                 VisionTransformerInputs in);

}  // namespace silica::nn

BOOST_HANA_ADAPT_STRUCT(silica::nn::VisionTransformerConfig, hidden_size, num_hidden_layers, num_attention_heads,
                        intermediate_size, num_channels, image_size, patch_size, layer_norm_eps, hidden_act, pooler_act,
                        qkv_bias, encoder_stride, head_dim, pooler_output_size, num_labels, id2label, problem_type);
BOOST_HANA_ADAPT_STRUCT(silica::nn::VisionTransformerInputs, pixel_values, bool_masked_pos, interpolate_pos_encoding);

#ifndef SILICA_COMPILED
#include "silica/nn/vision_transformer_config.ipp"
#endif
