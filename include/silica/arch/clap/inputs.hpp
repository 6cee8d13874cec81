#pragma once
/// What CLAP is called with.

#include "silica/arch/clap/config.hpp"
#include "silica/core/tensor.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <optional>

namespace silica::arch {

struct ClapTextInputs {
    Tensor input_ids;                           ///< (batch, tokens) int64
    std::optional<Tensor> attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
    std::optional<Tensor> token_type_ids = {};  ///< (batch, tokens) int64; absent: zeros
    /// (batch or 1, tokens) int64; absent: counted from the padding's id on, which padding itself has.
    std::optional<Tensor> position_ids = {};
};

struct ClapAudioInputs {
    Tensor input_features;                   ///< (batch, 1 or 4, frames, mels): floating numbers, in decibels
    std::optional<Tensor> is_longer = {};    ///< (batch, 1) or (batch), bool or integers; absent: none is
    std::optional<Tensor> longer_rows = {};  ///< (n) int64: which rows are; absent: those of is_longer
};

/// Texts and sounds, each with a batch of its own.
struct ClapInputs {
    Tensor input_ids;                           ///< (texts, tokens) int64
    Tensor input_features;                      ///< (sounds, 1 or 4, frames, mels): floating numbers, in decibels
    std::optional<Tensor> is_longer = {};       ///< (sounds, 1) or (sounds), bool or integers; absent: none is
    std::optional<Tensor> attention_mask = {};  ///< (texts, tokens) int64 or bool, 1 = attend; absent: all
    std::optional<Tensor> position_ids = {};    ///< (texts or 1, tokens) int64: see ClapTextInputs
    std::optional<Tensor> longer_rows = {};     ///< (n) int64: see ClapAudioInputs

    [[nodiscard]] ClapTextInputs text() const { return {input_ids, attention_mask, {}, position_ids}; }
    [[nodiscard]] ClapAudioInputs audio() const { return {input_features, is_longer, longer_rows}; }
};

/// Inputs of the text model, checked, with `position_ids`. InputError for what is wrong.
[[nodiscard]] ClapTextInputs prepare_clap_text(const ClapTextConfig& c, ClapTextInputs in);
/// Inputs of the audio model, checked, with `longer_rows` where a model with fusion has such rows and without
/// `is_longer`. InputError for what is wrong.
[[nodiscard]] ClapAudioInputs prepare_clap_audio(const ClapAudioConfig& c, ClapAudioInputs in);
/// The same for both.
[[nodiscard]] ClapInputs prepare_clap(const ClapConfig& c, ClapInputs in);

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::ClapTextInputs, input_ids, attention_mask, token_type_ids, position_ids);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClapAudioInputs, input_features, is_longer, longer_rows);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClapInputs, input_ids, input_features, is_longer, attention_mask, position_ids,
                        longer_rows);

#ifndef SILICA_COMPILED
#include "silica/arch/clap/inputs.ipp"
#endif
