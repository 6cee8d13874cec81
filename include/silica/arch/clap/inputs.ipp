#pragma once
/// Definitions of inputs.hpp.

#include "silica/arch/clap/inputs.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/inputs.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace silica::arch {
namespace clap_inputs {

/// pad + 1, pad + 2, ... for the tokens of each row, and pad for padding.
SILICA_INLINE Tensor positions(const Tensor& input_ids, std::int64_t pad) {
    const Tensor ids = input_ids.to(c10::Device(c10::DeviceType::CPU)).contiguous();
    const Tensor places = at::empty(ids.sizes(), ids.options());
    const auto* id = ids.const_data_ptr<std::int64_t>();
    auto* place = places.mutable_data_ptr<std::int64_t>();
    for (std::int64_t row = 0; row < ids.size(0); ++row) {
        for (std::int64_t i = 0, n = pad; i < ids.size(1); ++i, ++id) *place++ = *id == pad ? pad : ++n;
    }
    return places;
}

/// Which rows of is_longer, checked against `batch`, are longer: (n) int64 on the host, absent where none is.
SILICA_INLINE std::optional<Tensor> longer_rows(const Tensor& is_longer, std::int64_t batch) {
    using c10::ScalarType;
    require_tensor("is_longer", is_longer, is_longer.defined() && is_longer.dim() == 1 ? 1 : 2,
                   {ScalarType::Bool, ScalarType::Byte, ScalarType::Int, ScalarType::Long});
    if (is_longer.numel() != batch || is_longer.size(0) != batch) {
        throw InputError("Input is_longer has shape " + shape_text(is_longer.sizes()) + ", input_features has " +
                             std::to_string(batch) + " rows.",
                         "give (batch, 1): one value for each row.");
    }
    const Tensor host = is_longer.to(c10::Device(c10::DeviceType::CPU)).to(ScalarType::Bool).contiguous();
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < batch; ++i) {
        if (host.const_data_ptr<bool>()[i]) rows.push_back(i);
    }
    if (rows.empty()) return std::nullopt;
    const Tensor made =
        at::empty({static_cast<std::int64_t>(rows.size())}, at::TensorOptions().dtype(ScalarType::Long));
    std::ranges::copy(rows, made.mutable_data_ptr<std::int64_t>());
    return made;
}

/// InputError unless rows that are given are rising numbers of rows.
SILICA_INLINE void check_rows(const Tensor& rows, std::int64_t batch) {
    require_tensor("longer_rows", rows, 1, {c10::ScalarType::Long});
    const Tensor host = rows.to(c10::Device(c10::DeviceType::CPU)).contiguous();
    std::int64_t last = -1;
    for (std::int64_t i = 0; i < host.size(0); ++i) {
        const auto row = host.const_data_ptr<std::int64_t>()[i];
        if (row <= last || row >= batch) {
            throw InputError("Input longer_rows holds " + std::to_string(row) + " after " + std::to_string(last) +
                                 ", of " + std::to_string(batch) + " rows.",
                             "give rising numbers of rows, or is_longer instead.");
        }
        last = row;
    }
}

}  // namespace clap_inputs

SILICA_INLINE ClapTextInputs prepare_clap_text(const ClapTextConfig& c, ClapTextInputs in) {
    using c10::ScalarType;
    require_tensor("input_ids", in.input_ids, 2, {ScalarType::Long});
    require_ids("input_ids", in.input_ids, c.vocab_size, "vocab_size");
    in.attention_mask = checked_mask("attention_mask", in.attention_mask, "input_ids", in.input_ids);
    if (in.token_type_ids) {
        require_tensor("token_type_ids", *in.token_type_ids, 2, {ScalarType::Long});
        require_same_shape("token_type_ids", *in.token_type_ids, "input_ids", in.input_ids);
        require_ids("token_type_ids", *in.token_type_ids, c.type_vocab_size, "type_vocab_size");
    }
    if (in.position_ids) {
        require_tensor("position_ids", *in.position_ids, 2, {ScalarType::Long});
        if (in.position_ids->size(0) != 1 || in.position_ids->size(1) != in.input_ids.size(1))
            require_same_shape("position_ids", *in.position_ids, "input_ids", in.input_ids);
        require_ids("position_ids", *in.position_ids, c.max_position_embeddings, "max_position_embeddings");
        return in;
    }
    in.position_ids = clap_inputs::positions(in.input_ids, c.pad_token_id);
    const auto last = in.position_ids->max().item<std::int64_t>();
    if (last >= c.max_position_embeddings) {
        throw InputError("Input input_ids has " + std::to_string(last - c.pad_token_id) +
                             " tokens in a row, the model has positions for " +
                             std::to_string(c.max_position_embeddings - c.pad_token_id - 1) + ".",
                         "cut the text (truncation in the tokenizer) or split it.");
    }
    return in;
}

SILICA_INLINE ClapAudioInputs prepare_clap_audio(const ClapAudioConfig& c, ClapAudioInputs in) {
    using c10::ScalarType;
    require_tensor("input_features", in.input_features, 4,
                   {ScalarType::Float, ScalarType::Half, ScalarType::BFloat16, ScalarType::Double});
    const auto& x = in.input_features;
    const auto batch = x.size(0), channels = x.size(1), frames = x.size(2), mels = x.size(3);
    const std::string given = "Input input_features has shape " + shape_text(x.sizes()) + ", ";
    if (mels != c.num_mel_bins) {
        throw InputError(given + std::to_string(c.num_mel_bins) + " mels are wanted.",
                         "give (batch, channels, frames, mels).");
    }
    if (frames > c.frames()) {
        throw InputError(given + "the model takes " + std::to_string(c.frames()) + " frames at most.",
                         "cut the sound, as the checkpoint's preprocessor_config.json says.");
    }
    if (!in.longer_rows && in.is_longer) in.longer_rows = clap_inputs::longer_rows(*in.is_longer, batch);
    if (in.longer_rows) clap_inputs::check_rows(*in.longer_rows, batch);
    if (!c.enable_fusion) in.longer_rows.reset();
    const auto wanted = c.enable_fusion ? 4 : c.patch_embed_input_channels;
    if (channels != wanted && !(c.enable_fusion && channels == 1 && !in.longer_rows)) {
        throw InputError(
            given + std::to_string(wanted) + (wanted == 1 ? " channel is" : " channels are") + " wanted.",
            c.enable_fusion ? "give the whole sound shrunk, and three parts of it." : "leave one of them.");
    }
    if (x.scalar_type() == ScalarType::Double) in.input_features = x.to(ScalarType::Float);
    in.is_longer.reset();
    return in;
}

SILICA_INLINE ClapInputs prepare_clap(const ClapConfig& c, ClapInputs in) {
    auto text = prepare_clap_text(c.text_config, in.text());
    auto audio = prepare_clap_audio(c.audio_config, in.audio());
    return {std::move(text.input_ids),      std::move(audio.input_features), std::move(audio.is_longer),
            std::move(text.attention_mask), std::move(text.position_ids),    std::move(audio.longer_rows)};
}

}  // namespace silica::arch
