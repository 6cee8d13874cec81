#pragma once
/// LLaVA's configurations: of a vision model, of a decoder, and how the features of one become tokens of the other.

#include "silica/arch/clip/config.hpp"
#include "silica/arch/decoder_config.hpp"
#include "silica/arch/siglip/config.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace silica::arch {

/// The configuration of one of the two, read with that one's keys and defaults.
struct LlavaVisionConfig {
    std::variant<ClipVisionConfig, SiglipVisionConfig> tower = {};

    /// ConfigError where `model_type` names another model; without one it is CLIP's, as in transformers.
    void read(const Json& json, const std::string& path);
    /// ConfigError for a model that cannot be; `file` names the configuration.
    void check(const std::string& file) const;

    [[nodiscard]] std::int64_t hidden_size() const;
    [[nodiscard]] std::int64_t layers() const;
    [[nodiscard]] nn::PatchShape patches() const;
    /// Whether a class token stands before the patches: CLIP's.
    [[nodiscard]] bool class_token() const { return std::holds_alternative<ClipVisionConfig>(tower); }
};

/// Which tokens of the vision model are features.
enum class LlavaFeatures {
    patches,  ///< `default`: all but the first, which is CLIP's class token
    all,      ///< `full`
};

inline constexpr std::array<std::pair<std::string_view, LlavaFeatures>, 2> llava_feature_names{
    {{"default", LlavaFeatures::patches}, {"full", LlavaFeatures::all}}};
constexpr const auto& enum_names(LlavaFeatures) { return llava_feature_names; }

/// Keys and defaults of LLaVA's config.json.
struct LlavaConfig {
    /// Where config.json has none: CLIP ViT-L/14 for images of 336 pixels.
    LlavaVisionConfig vision_config = {ClipVisionConfig{.hidden_size = 1024,
                                                        .intermediate_size = 4096,
                                                        .projection_dim = 768,
                                                        .num_hidden_layers = 24,
                                                        .num_attention_heads = 16,
                                                        .image_size = 336,
                                                        .patch_size = 14}};
    DecoderConfig text_config = {};
    std::int64_t image_token_index = 32000;
    Activation projector_hidden_act = Activation::gelu;
    LlavaFeatures vision_feature_select_strategy = LlavaFeatures::patches;
    /// Whose hidden states are features, side by side: 0 is what goes into the first layer, -1 what comes out of the
    /// last.
    std::vector<std::int64_t> vision_feature_layer = {-2};
    bool multimodal_projector_bias = true, tie_word_embeddings = false;

    static constexpr std::array<std::pair<std::string_view, std::string_view>, 1> aliases() {
        return {{{"image_token_index", "image_token_id"}}};
    }
    /// How many layers of the vision model each hidden state of `vision_feature_layer` needs.
    [[nodiscard]] std::vector<std::int64_t> depths() const;
    /// Features that the vision model gives for one image, or one tile.
    [[nodiscard]] std::int64_t features() const;
};

/// Keys and defaults of LLaVA-NeXT's.
struct LlavaNextConfig : LlavaConfig {
    /// Resolutions, (height, width) in pixels, that images are resized into: whole tiles of `image_size`.
    std::vector<std::vector<std::int64_t>> image_grid_pinpoints = {
        {336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}};
};

/// ConfigError for a LLaVA, or a LLaVA-NeXT, that cannot be; `file` names the configuration.
void check_llava(const LlavaConfig& c, const std::string& file);
void check_llava_next(const LlavaNextConfig& c, const std::string& file);

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::LlavaConfig, vision_config, text_config, image_token_index, projector_hidden_act,
                        vision_feature_select_strategy, vision_feature_layer, multimodal_projector_bias,
                        tie_word_embeddings);
BOOST_HANA_ADAPT_STRUCT(silica::arch::LlavaNextConfig, vision_config, text_config, image_token_index,
                        projector_hidden_act, vision_feature_select_strategy, vision_feature_layer,
                        multimodal_projector_bias, tie_word_embeddings, image_grid_pinpoints);

#ifndef SILICA_COMPILED
#include "silica/arch/llava/config.ipp"
#endif
