#pragma once
/// Definitions of config.hpp.

#include "silica/arch/wav2vec2/config.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/quote.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

namespace silica::arch {

SILICA_INLINE std::int64_t Wav2Vec2Config::frames(std::int64_t samples) const {
    for (std::size_t i = 0; i < conv_kernel.size(); ++i) {
        if (samples < conv_kernel[i]) return 0;
        samples = (samples - conv_kernel[i]) / conv_stride[i] + 1;
    }
    return samples;
}

SILICA_INLINE std::int64_t Wav2Vec2Config::least_samples() const {
    std::int64_t samples = 1;
    for (std::size_t i = conv_kernel.size(); i-- > 0;) samples = (samples - 1) * conv_stride[i] + conv_kernel[i];
    return samples;
}

SILICA_INLINE std::int64_t Wav2Vec2Config::inputs_to_logits_ratio() const {
    std::int64_t samples = 1;
    for (const auto stride : conv_stride) samples *= stride;
    return samples;
}

namespace wav2vec2_config {

/// The convolutions over the samples. No frame may be of more samples than a number of a configuration can say.
SILICA_INLINE void check_convolutions(const Wav2Vec2Config& c, const std::string& file) {
    const auto n = c.conv_dim.size();
    if (n == 0 || c.conv_stride.size() != n || c.conv_kernel.size() != n) {
        throw ConfigError(file + ": conv_dim, conv_stride and conv_kernel have " + std::to_string(n) + ", " +
                              std::to_string(c.conv_stride.size()) + " and " + std::to_string(c.conv_kernel.size()) +
                              " numbers.",
                          "give each one number for each convolution.");
    }
    std::int64_t reach = 1, step = 1;
    for (std::size_t i = n; i-- > 0;) {
        require_at_least(file, "conv_dim", c.conv_dim[i]);
        require_at_least(file, "conv_stride", c.conv_stride[i]);
        require_at_least(file, "conv_kernel", c.conv_kernel[i]);
        reach = (reach - 1) * c.conv_stride[i] + c.conv_kernel[i];
        step *= c.conv_stride[i];
        if (reach > largest_config_integer || step > largest_config_integer) {
            throw ConfigError(file + ": conv_kernel and conv_stride make a frame of more than " +
                                  std::to_string(largest_config_integer) + " samples.",
                              "the usual ones make one of 400.");
        }
    }
}

/// What follows the transformer.
SILICA_INLINE void check_adapters(const Wav2Vec2Config& c, const std::string& file) {
    if (c.adapter_attn_dim) require_at_least(file, "adapter_attn_dim", *c.adapter_attn_dim);
    if (!c.add_adapter) return;
    require_at_least(file, "output_hidden_size", c.adapted_size());
    require_at_least(file, "num_adapter_layers", c.num_adapter_layers, 0);
    require_at_least(file, "adapter_kernel_size", c.adapter_kernel_size);
    require_at_least(file, "adapter_stride", c.adapter_stride);
}

/// Frames that are left of `frames` after the adapter, 0 where they are too few.
SILICA_INLINE std::int64_t adapted_frames(const Wav2Vec2Config& c, std::int64_t frames) {
    if (!c.add_adapter) return frames;
    for (std::int64_t i = 0; i < c.num_adapter_layers && frames > 0; ++i)
        frames = frames + 2 < c.adapter_kernel_size ? 0 : (frames + 2 - c.adapter_kernel_size) / c.adapter_stride + 1;
    return frames;
}

/// How many frames each row of a mask has, (batch) int64 on the host; absent where all have all.
SILICA_INLINE std::optional<Tensor> frames_of(const Wav2Vec2Config& c, const Tensor& mask) {
    const Tensor counts = mask.to(c10::Device(c10::DeviceType::CPU)).to(c10::ScalarType::Bool).sum({1}).contiguous();
    const Tensor frames = at::empty({counts.size(0)}, counts.options());
    bool all = true;
    for (std::int64_t row = 0; row < counts.size(0); ++row) {
        const auto samples = counts.const_data_ptr<std::int64_t>()[row], n = c.frames(samples);
        if (n < 1) {
            throw InputError("Row " + std::to_string(row) + " of attention_mask has " + std::to_string(samples) +
                                 " samples, a frame needs " + std::to_string(c.least_samples()) + ".",
                             "leave such rows out, or give them silence to the end of a frame.");
        }
        frames.mutable_data_ptr<std::int64_t>()[row] = n;
        all = all && samples == mask.size(1);
    }
    return all ? std::nullopt : std::optional(frames);
}

/// InputError unless all of `given` (batch) are in [1, most].
SILICA_INLINE void check_frames(const Tensor& given, std::int64_t most) {
    const Tensor host = given.to(c10::Device(c10::DeviceType::CPU)).contiguous();
    for (std::int64_t row = 0; row < host.size(0); ++row) {
        const auto n = host.const_data_ptr<std::int64_t>()[row];
        if (n >= 1 && n <= most) continue;
        throw InputError("Input frames holds " + std::to_string(n) + ", input_values has " + std::to_string(most) +
                             " frames in a row.",
                         "give numbers from 1 to that.");
    }
}

/// The file of a language's adapter in `directory`.
SILICA_INLINE std::filesystem::path adapter_file(const std::filesystem::path& directory, const std::string& language) {
    const bool plain = std::ranges::all_of(language, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    if (!plain) {
        throw InputError("The target_lang " + quote(language) + " is no name of a language.",
                         "name it as the adapter's file does: 'fra' for adapter.fra.safetensors.");
    }
    std::error_code ignored;
    for (const auto* ending : {".safetensors", ".bin"}) {
        auto path = directory / ("adapter." + language + ending);
        if (std::filesystem::exists(path, ignored)) return path;
    }
    throw InputError(directory.string() + " has no adapter of the language " + quote(language) + ": no file adapter." +
                         language + ".safetensors or adapter." + language + ".bin.",
                     "download that file too, or name a language whose file is there.");
}

}  // namespace wav2vec2_config

SILICA_INLINE void Wav2Vec2Family::check(const Config& c, const std::string& file) {
    require_at_least(file, "vocab_size", c.vocab_size);
    require_at_least(file, "hidden_size", c.hidden_size);
    require_at_least(file, "num_hidden_layers", c.num_hidden_layers, 0);
    require_at_least(file, "num_attention_heads", c.num_attention_heads);
    require_at_least(file, "intermediate_size", c.intermediate_size);
    require_at_least(file, "num_conv_pos_embeddings", c.num_conv_pos_embeddings);
    require_at_least(file, "num_conv_pos_embedding_groups", c.num_conv_pos_embedding_groups);
    require_at_least(file, "classifier_proj_size", c.classifier_proj_size);
    require_at_least(file, "the number of labels", c.labels());
    const auto divides = [&](std::string_view key, std::int64_t n) {
        if (c.hidden_size % n == 0) return;
        throw ConfigError(file + ": hidden_size " + std::to_string(c.hidden_size) + " is not a multiple of " +
                              std::string(key) + " " + std::to_string(n) + ".",
                          "correct one of the two.");
    };
    divides("num_attention_heads", c.num_attention_heads);
    divides("num_conv_pos_embedding_groups", c.num_conv_pos_embedding_groups);
    if (!(c.layer_norm_eps >= 0)) {
        throw ConfigError(file + ": layer_norm_eps is " + std::to_string(c.layer_norm_eps) + ", 0 or more is needed.",
                          "the usual value is 1e-5.");
    }
    wav2vec2_config::check_convolutions(c, file);
    wav2vec2_config::check_adapters(c, file);
}

SILICA_INLINE Wav2Vec2Inputs Wav2Vec2Family::prepare(const Config& c, Inputs in) {
    using c10::ScalarType;
    require_tensor("input_values", in.input_values, 2,
                   {ScalarType::Float, ScalarType::Half, ScalarType::BFloat16, ScalarType::Double});
    const auto batch = in.input_values.size(0), samples = in.input_values.size(1), frames = c.frames(samples);
    const std::string given = "Input input_values has " + std::to_string(samples) + " samples";
    if (frames < 1) {
        throw InputError(given + ", a frame needs " + std::to_string(c.least_samples()) + ".",
                         "give longer sounds, or silence after them.");
    }
    if (wav2vec2_config::adapted_frames(c, frames) < 1) {
        throw InputError(given + ", too few for the model's convolutions after the transformer (add_adapter).",
                         "give longer sounds, or silence after them.");
    }
    if (in.input_values.scalar_type() == ScalarType::Double) in.input_values = in.input_values.to(ScalarType::Float);
    if (in.attention_mask) {
        require_tensor("attention_mask", *in.attention_mask, 2, {ScalarType::Long, ScalarType::Int, ScalarType::Bool});
        require_same_shape("attention_mask", *in.attention_mask, "input_values", in.input_values);
    }
    if (in.frames) {
        require_tensor("frames", *in.frames, 1, {ScalarType::Long});
        if (in.frames->size(0) != batch) {
            throw InputError("Input frames has shape " + shape_text(in.frames->sizes()) + ", input_values has " +
                                 shape_text(in.input_values.sizes()) + ".",
                             "give one number for each row.");
        }
        wav2vec2_config::check_frames(*in.frames, frames);
    } else if (in.attention_mask) {
        in.frames = wav2vec2_config::frames_of(c, *in.attention_mask);
    }
    in.attention_mask.reset();
    return in;
}

SILICA_INLINE checkpoint::NameRules Wav2Vec2Family::names() {
    return {.base_prefix = "wav2vec2.",
            .head_prefixes = {"lm_head.", "projector.", "classifier.", "layer_weights", "quantizer.", "project_hid.",
                              "project_q.", "tdnn.", "objective."},
            .ignored = {"masked_spec_embed$", "^quantizer", "^project_hid", "^project_q"}};
}

SILICA_INLINE void speak_wav2vec2(Wav2Vec2Config& c, checkpoint::Checkpoint& files, const std::string& target_lang) {
    if (!c.adapter_attn_dim || !c.do_stable_layer_norm) {
        throw InputError(
            "The model has no adapters of languages (adapter_attn_dim), and target_lang is " + quote(target_lang) + ".",
            "open it without target_lang, or open a model of MMS.");
    }
    const auto path = wav2vec2_config::adapter_file(files.directory(), target_lang);
    const auto adapter = checkpoint::Checkpoint::open(path);
    std::set<std::string> wanted = {"lm_head.weight", "lm_head.bias"};
    for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
        for (const auto* part : {"norm", "linear_1", "linear_2"}) {
            const auto layer = "wav2vec2.encoder.layers." + std::to_string(i) + ".adapter_layer." + part;
            wanted.insert({layer + ".weight", layer + ".bias"});
        }
    }
    const auto remedy = "download it again, or remove it: it belongs to another model.";
    for (const auto& entry : adapter.entries()) {
        if (wanted.erase(entry.name) == 0) {
            throw CheckpointError(
                path.string() + " holds a tensor " + quote(entry.name) + ", which is none of an adapter of this model.",
                remedy);
        }
    }
    if (!wanted.empty())
        throw CheckpointError(path.string() + " lacks the tensor " + quote(*wanted.begin()) + ".", remedy);
    const auto& shape = adapter.find("lm_head.weight")->shape;
    if (shape.size() != 2 || shape[0] < 1 || shape[0] > largest_config_integer) {
        throw CheckpointError(path.string() + ": lm_head.weight has shape " + shape_text(shape) + ".", remedy);
    }
    c.vocab_size = shape[0];
    files.replace(adapter);
}

}  // namespace silica::arch
