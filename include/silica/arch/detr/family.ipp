#pragma once
/// Definitions of family.hpp.

#include "silica/arch/detr/family.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/quote.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace silica::arch {
namespace detr {

/// A network of timm's that has the plain stem: 7 x 7, max pool.
struct Timm {
    std::string_view name;
    std::array<std::int64_t, 4> depths;
    bool bottleneck;
    std::int64_t base;  // channels inside of the first stage's bottlenecks
};
inline constexpr std::array<Timm, 9> timm_networks{{{"resnet18", {2, 2, 2, 2}, false, 64},
                                                    {"resnet26", {2, 2, 2, 2}, true, 64},
                                                    {"resnet34", {3, 4, 6, 3}, false, 64},
                                                    {"resnet50", {3, 4, 6, 3}, true, 64},
                                                    {"resnet101", {3, 4, 23, 3}, true, 64},
                                                    {"resnet152", {3, 8, 36, 3}, true, 64},
                                                    {"resnet200", {3, 24, 36, 3}, true, 64},
                                                    {"wide_resnet50_2", {3, 4, 6, 3}, true, 128},
                                                    {"wide_resnet101_2", {3, 4, 23, 3}, true, 128}}};

/// `indices` from 0 to `stages`, negative ones counted from the end; rising, each once.
SILICA_INLINE std::vector<std::size_t> maps_of(const std::vector<std::int64_t>& indices, std::size_t stages,
                                               const std::string& file) {
    std::vector<std::size_t> maps;
    const auto count = static_cast<std::int64_t>(stages) + 1;
    bool right = !indices.empty();
    for (const auto i : indices) {
        right = right && i >= -count && i < count;
        if (!right) break;
        maps.push_back(static_cast<std::size_t>(i < 0 ? i + count : i));
        right = maps.size() == 1 || maps[maps.size() - 2] < maps.back();
    }
    if (right) return maps;
    throw ConfigError(file + ": out_indices of the backbone are not rising numbers from 0 to " +
                          std::to_string(stages) + ", or from -" + std::to_string(count) + " to -1.",
                      "the usual list is [1, 2, 3, 4].");
}

SILICA_INLINE nn::ResNetShape timm_shape(const std::string& named, std::int64_t channels, std::int64_t output_stride,
                                         const std::vector<std::int64_t>& indices, const std::string& file) {
    const auto name = std::string_view(named).substr(0, named.find('.'));  // after it: which weights
    const auto* found = std::ranges::find(timm_networks, name, &Timm::name);
    if (found == timm_networks.end()) {
        std::string known;
        for (const auto& n : timm_networks) known += (known.empty() ? "" : ", ") + std::string(n.name);
        refuse_config(file, "backbone", quote(named), "known are " + known + ".");
    }
    if (output_stride != 8 && output_stride != 16 && output_stride != 32)
        refuse_config(file, "output_stride", std::to_string(output_stride), "use 8, 16 or 32.");
    nn::ResNetShape shape{.channels = channels,
                          .stem = 64,
                          .stages = {},
                          .maps = maps_of(indices, 4, file),
                          .bottleneck = found->bottleneck,
                          .stem_pooled = false};
    std::int64_t reached = 4, dilation = 1, before = 1;
    for (std::size_t i = 0; i < 4; ++i) {
        std::int64_t stride = i == 0 ? 1 : 2;
        if (reached >= output_stride)
            dilation *= std::exchange(stride, 1);
        else
            reached *= stride;
        const std::int64_t inner = (found->bottleneck ? found->base : 64) << i,
                           width = (64 << i) * (found->bottleneck ? 4 : 1);
        shape.stages.push_back({width, inner, found->depths[i], stride, dilation, std::exchange(before, dilation)});
    }
    return shape;
}

/// transformers' ResNet.
SILICA_INLINE nn::ResNetShape resnet_shape(const DetrBackboneConfig& b, const std::string& file) {
    const auto stages = b.depths.size();
    require_at_least(file, "embedding_size", b.embedding_size);
    if (stages == 0 || stages > 100 || b.hidden_sizes.size() != stages) {
        throw ConfigError(file + ": backbone_config has " + std::to_string(stages) + " depths and " +
                              std::to_string(b.hidden_sizes.size()) + " hidden_sizes.",
                          "give one of each for every stage; the usual number is 4.");
    }
    if (b.layer_type != "bottleneck" && b.layer_type != "basic")
        refuse_config(file, "layer_type", quote(b.layer_type), "use basic or bottleneck.");
    nn::ResNetShape shape{.channels = b.num_channels.value_or(3),
                          .stem = b.embedding_size,
                          .stages = {},
                          .maps = {},
                          .bottleneck = b.layer_type == "bottleneck",
                          .stride_in_first = b.downsample_in_bottleneck,
                          .act = b.hidden_act};
    for (std::size_t i = 0; i < stages; ++i) {
        const auto width = b.hidden_sizes[i], inner = shape.bottleneck ? width / 4 : width;
        require_at_least(file, "hidden_sizes of the backbone", width, shape.bottleneck ? 4 : 1);
        require_at_least(file, "depths of the backbone", b.depths[i]);
        if (b.depths[i] > most_layers) refuse_config(file, "depths", std::to_string(b.depths[i]), "give fewer layers.");
        shape.stages.push_back({width, inner, b.depths[i], i == 0 && !b.downsample_in_first_stage ? 1 : 2});
    }
    std::optional<std::vector<std::int64_t>> named;
    if (b.out_features) {
        named.emplace();
        for (const auto& feature : *b.out_features) {
            std::int64_t index = -1;
            for (std::size_t i = 0; i <= stages; ++i) {
                if (feature == (i == 0 ? "stem" : "stage" + std::to_string(i))) index = static_cast<std::int64_t>(i);
            }
            if (index < 0) {
                refuse_config(file, "out_features", quote(feature),
                              "use stem and stage1 to stage" + std::to_string(stages) + ".");
            }
            named->push_back(index);
        }
    }
    shape.maps = maps_of(named ? *named : b.out_indices.value_or(std::vector<std::int64_t>{-1}), stages, file);
    if (named && b.out_indices && maps_of(*b.out_indices, stages, file) != shape.maps) {
        throw ConfigError(file + ": out_features and out_indices of the backbone name other stages.",
                          "remove one of the two.");
    }
    return shape;
}

}  // namespace detr

SILICA_INLINE nn::ResNetShape detr_backbone(const DetrConfig& c, const std::string& file) {
    const std::vector<std::int64_t> four = {1, 2, 3, 4}, last = {-1};
    const std::string inside = file + ": backbone_config";
    const auto shape = [&] {
        if (c.backbone_config) {
            const auto& b = *c.backbone_config;
            if (b.model_type == "resnet") return detr::resnet_shape(b, inside);
            if (b.model_type != "timm_backbone")
                refuse_config(file, "backbone_config.model_type", quote(b.model_type), "use resnet or timm_backbone.");
            if (!b.backbone) {
                throw ConfigError(inside + " names no backbone.", "name one of timm's, such as resnet50.");
            }
            return detr::timm_shape(*b.backbone, b.num_channels.value_or(3), b.output_stride.value_or(32),
                                    b.out_indices.value_or(last), inside);
        }
        if (c.use_timm_backbone.value_or(true)) {
            const auto b = c.backbone_kwargs.value_or(DetrBackboneConfig{});
            const auto channels = b.in_chans ? b.in_chans : b.num_channels;
            return detr::timm_shape(c.backbone.value_or("resnet50"), channels.value_or(c.num_channels),
                                    b.output_stride.value_or(c.dilation ? 16 : 32), b.out_indices.value_or(four), file);
        }
        if (c.backbone) {
            refuse_config(file, "backbone", quote(*c.backbone) + " without use_timm_backbone",
                          "put the configuration of that repository into backbone_config.");
        }
        return detr::resnet_shape(DetrBackboneConfig{}, file);
    }();
    require_at_least(file, "num_channels", shape.channels);
    return shape;
}

SILICA_INLINE void DetrFamily::check(const Config& c, const std::string& file) {
    require_at_least(file, "d_model", c.d_model);
    require_at_least(file, "num_queries", c.num_queries);
    require_at_least(file, "encoder_layers", c.encoder_layers, 0);
    require_at_least(file, "decoder_layers", c.decoder_layers, 0);
    require_at_least(file, "encoder_ffn_dim", c.encoder_ffn_dim);
    require_at_least(file, "decoder_ffn_dim", c.decoder_ffn_dim);
    require_at_least(file, "the number of labels", c.labels());
    const auto divides = [&](std::string_view key, std::int64_t n) {
        require_at_least(file, key, n);
        if (c.d_model % n == 0) return;
        throw ConfigError(file + ": d_model " + std::to_string(c.d_model) + " is not a multiple of " +
                              std::string(key) + " " + std::to_string(n) + ".",
                          "correct one of the two.");
    };
    divides("encoder_attention_heads", c.encoder_attention_heads);
    divides("decoder_attention_heads", c.decoder_attention_heads);
    if (!c.sine() && c.position_embedding_type != "learned") {
        refuse_config(file, "position_embedding_type", quote(c.position_embedding_type), "use sine or learned.");
    }
    if (const std::int64_t parts = c.sine() ? 4 : 2; c.d_model % parts != 0) {
        throw ConfigError(file + ": d_model " + std::to_string(c.d_model) + " is not a multiple of " +
                              std::to_string(parts) + ", which " + c.position_embedding_type + " positions need.",
                          "correct d_model.");
    }
    static_cast<void>(detr_backbone(c, file));
}

SILICA_INLINE void check_detr_masks(const DetrConfig& c, const std::string& file) {
    const auto maps = detr_backbone(c, file).maps.size();
    if (maps < 3) {
        throw ConfigError(
            file + ": the backbone gives " + std::to_string(maps) + " maps, the mask head needs three or more.",
            "name more of them in out_features or out_indices.");
    }
    const auto widths = detr_mask_widths(c);
    const bool whole =
        std::ranges::all_of(widths, [](std::int64_t n) { return n > 0 && n % detr_mask_groups(n) == 0; });
    if (whole && widths[0] % 8 == 0) return;
    throw ConfigError(file + ": the mask head cannot be made for d_model " + std::to_string(c.d_model) + " and " +
                          std::to_string(c.encoder_attention_heads) + " encoder_attention_heads.",
                      "their sum, and d_model / 2, / 4, / 8 and / 16 where they are above 8, must be multiples of 8.");
}

SILICA_INLINE DetrInputs DetrFamily::prepare(const Config& c, Inputs in) {
    require_tensor("pixel_values", in.pixel_values, 4,
                   {c10::ScalarType::Float, c10::ScalarType::Half, c10::ScalarType::BFloat16});
    const auto shape = detr_backbone(c, "the configuration");
    const auto sizes = in.pixel_values.sizes();
    if (sizes[1] != shape.channels) {
        throw InputError("Input pixel_values has " + std::to_string(sizes[1]) + " channels, the model takes " +
                             std::to_string(shape.channels) + ".",
                         "give (batch, channels, height, width).");
    }
    if (!c.sine()) {
        const auto h = shape.side(sizes[2]), w = shape.side(sizes[3]);
        if (std::max(h, w) > detr_learned_positions) {
            throw InputError("Input pixel_values makes " + std::to_string(h) + " rows and " + std::to_string(w) +
                                 " columns of cells, the model has positions for " +
                                 std::to_string(detr_learned_positions) + " of each.",
                             "use smaller images.");
        }
    }
    if (in.pixel_mask) {
        require_tensor("pixel_mask", *in.pixel_mask, 3, {c10::ScalarType::Long, c10::ScalarType::Bool});
        if (in.pixel_mask->sizes() != c10::IntArrayRef({sizes[0], sizes[2], sizes[3]})) {
            throw InputError("Input pixel_mask has shape " + shape_text(in.pixel_mask->sizes()) +
                                 ", pixel_values has " + shape_text(sizes) + ".",
                             "give the mask (batch, height, width).");
        }
        in.pixel_mask = bool_mask(*in.pixel_mask);
    }
    return in;
}

}  // namespace silica::arch
