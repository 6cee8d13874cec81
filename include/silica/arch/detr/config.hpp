#pragma once
/// DETR's configuration, inputs and the spellings of its checkpoints.

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

/// Keys and defaults of `backbone_config`: those of transformers' ResNet, and of `timm_backbone`, which names one of
/// timm's.
struct DetrBackboneConfig {
    std::string model_type = "";  ///< resnet or timm_backbone
    std::optional<std::string> backbone = {};
    std::optional<std::int64_t> num_channels = {}, in_chans = {}, output_stride = {};
    std::optional<std::vector<std::int64_t>> out_indices = {};
    std::optional<std::vector<std::string>> out_features = {};
    std::int64_t embedding_size = 64;
    std::vector<std::int64_t> hidden_sizes = {256, 512, 1024, 2048}, depths = {3, 4, 6, 3};
    std::string layer_type = "bottleneck";
    Activation hidden_act = Activation::relu;
    bool downsample_in_first_stage = false, downsample_in_bottleneck = false;
};

/// Keys and defaults of config.json.
struct DetrConfig {
    std::int64_t d_model = 256, num_channels = 3, num_queries = 100;
    std::int64_t encoder_layers = 6, encoder_attention_heads = 8, encoder_ffn_dim = 2048;
    std::int64_t decoder_layers = 6, decoder_attention_heads = 8, decoder_ffn_dim = 2048;
    Activation activation_function = Activation::relu;
    std::string position_embedding_type = "sine";
    bool auxiliary_loss = false;  ///< whether the norm after the decoder comes after each of its layers, too
    std::optional<bool> use_timm_backbone = {};
    std::optional<std::string> backbone = {};  ///< a name of timm's; absent: resnet50
    bool dilation = false;                     ///< "DC5": the last stage is dilated in place of its stride
    std::optional<DetrBackboneConfig> backbone_kwargs = {};
    std::optional<DetrBackboneConfig> backbone_config = {};  ///< stands for all of the four before
    std::optional<std::int64_t> num_labels = {};
    std::map<std::string, std::string> id2label = {};

    static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> aliases() {
        return {{{"d_model", "hidden_size"},
                 {"encoder_attention_heads", "num_attention_heads"},
                 {"encoder_layers", "num_hidden_layers"}}};
    }
    [[nodiscard]] bool sine() const { return position_embedding_type == "sine"; }
    /// How many classes there are, "no object" not counted.
    [[nodiscard]] std::int64_t labels() const {
        if (!id2label.empty()) return static_cast<std::int64_t>(id2label.size());
        return num_labels.value_or(2);
    }
};

struct DetrInputs {
    Tensor pixel_values;                    ///< (batch, channels, h, w) floating
    std::optional<Tensor> pixel_mask = {};  ///< (batch, h, w) int64 or bool, 1 = image; absent: all
};

/// Rows and columns that learned positions are kept for.
inline constexpr std::int64_t detr_learned_positions = 50;

/// The spellings of DETR's checkpoints. Canonical is the hub's: a backbone as timm names it, below the model of
/// detection. transformers v5 names parts of the transformer and of the mask head otherwise; its own ResNet has names
/// of its own; and models for segmentation keep that of detection below "detr.".
inline checkpoint::NameRules detr_names() {
    const std::string net = "backbone.conv_encoder.model", stage = net + ".encoder.stages.{s}.layers.{l}.",
                      block = net + ".layer{s+1}.{l}.";
    return {.base_prefix = "model.",
            .head_prefixes = {"class_labels_classifier.", "bbox_predictor.", "bbox_attention.", "mask_head."},
            .renames = {{"^detr.model", ""},
                        {"^detr", ""},
                        {"^backbone.model", net},
                        {"^" + net + "._backbone", net},
                        {"^backbone.position_embedding", "position_embedding"},
                        {net + ".embedder.embedder.convolution", net + ".conv1"},
                        {net + ".embedder.embedder.normalization", net + ".bn1"},
                        {stage + "layer.{k}.convolution", block + "conv{k+1}"},
                        {stage + "layer.{k}.normalization", block + "bn{k+1}"},
                        {stage + "shortcut.convolution", block + "downsample.0"},
                        {stage + "shortcut.normalization", block + "downsample.1"},
                        {"o_proj", "out_proj"},
                        {"layers.{n}.mlp.fc1", "layers.{n}.fc1"},
                        {"layers.{n}.mlp.fc2", "layers.{n}.fc2"},
                        {"bbox_attention.q_proj", "bbox_attention.q_linear"},
                        {"bbox_attention.k_proj", "bbox_attention.k_linear"},
                        {"mask_head.conv{n}.conv", "mask_head.lay{n}"},
                        {"mask_head.conv{n}.norm", "mask_head.gn{n}"},
                        {"mask_head.fpn_stages.{n}.fpn_adapter", "mask_head.adapter{n+1}"},
                        {"mask_head.fpn_stages.{n}.refine.conv", "mask_head.lay{n+3}"},
                        {"mask_head.fpn_stages.{n}.refine.norm", "mask_head.gn{n+3}"},
                        {"mask_head.output_conv", "mask_head.out_lay"}},
            .ignored = {"num_batches_tracked$"}};
}

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::DetrBackboneConfig, model_type, backbone, num_channels, in_chans, output_stride,
                        out_indices, out_features, embedding_size, hidden_sizes, depths, layer_type, hidden_act,
                        downsample_in_first_stage, downsample_in_bottleneck);
BOOST_HANA_ADAPT_STRUCT(silica::arch::DetrConfig, d_model, num_channels, num_queries, encoder_layers,
                        encoder_attention_heads, encoder_ffn_dim, decoder_layers, decoder_attention_heads,
                        decoder_ffn_dim, activation_function, position_embedding_type, auxiliary_loss,
                        use_timm_backbone, backbone, dilation, backbone_kwargs, backbone_config, num_labels, id2label);
BOOST_HANA_ADAPT_STRUCT(silica::arch::DetrInputs, pixel_values, pixel_mask);
