#pragma once
/// A model that hears, with its types forgotten: what `listen` drives. `ModelSpeech` makes one of a Model.

#include "silica/generate/decoder.hpp"
#include "silica/generate/model_decoder.hpp"

#include <array>
#include <concepts>
#include <cstdint>
#include <span>

namespace silica::generate {

/// A [layer, head] of the decoder's cross-attention.
using AlignmentHead = std::array<std::int64_t, 2>;

/// One caller's hearing: a model and a state.
class SpeechModel {
public:
    SpeechModel() = default;
    SpeechModel(const SpeechModel&) = delete;
    SpeechModel& operator=(const SpeechModel&) = delete;
    virtual ~SpeechModel() = default;

    /// Its decoder, which takes encoder_outputs, decoder_input_ids and decoder_attention_mask.
    virtual Decoder& decoder() = 0;
    /// Spectrograms of whole windows (windows, mels, frames) -> encoder_outputs (windows, n, d_model), on the device.
    [[nodiscard]] virtual Tensor encode(const Tensor& features) const = 0;
    /// How much tokens ids (rows, tokens) attend to each of n positions, (rows, heads, tokens, n) float32 on the CPU.
    [[nodiscard]] virtual Tensor alignment(const Tensor& encoder_outputs, const Tensor& ids,
                                           std::span<const AlignmentHead> heads) const = 0;
};

/// Whether a Model hears: its network has an encoder and an alignment to call on their own.
template <class M>
concept Hears = writes_text<M> &&
                requires(const typename M::Network& network, const Tensor& t, std::span<const AlignmentHead> heads) {
                    { network.encode(t) } -> std::same_as<Tensor>;
                    { network.alignment(t, t, heads) } -> std::same_as<Tensor>;
                };

/// A Model that hears, and a state of it. The model outlives it.
template <class M>
class ModelSpeech final : public SpeechModel {
    static_assert(Hears<M>,
                  "this architecture does not hear. Remedy: its Network needs encode and alignment; see "
                  "silica/generate/speech/speech_model.hpp.");

public:
    explicit ModelSpeech(const M& model, StepOptions options = {}) : model_(&model), decoder_(model, options) {}
    /// A temporary would be gone before it.
    explicit ModelSpeech(const M&& model, StepOptions options = {}) = delete;

    Decoder& decoder() override { return decoder_; }
    Tensor encode(const Tensor& features) const override {
        return model_->on_device([&] { return model_->network().encode(features); });
    }
    Tensor alignment(const Tensor& encoder_outputs, const Tensor& ids,
                     std::span<const AlignmentHead> heads) const override {
        return model_->on_device([&] {
            return model_->network()
                .alignment(encoder_outputs, ids, heads)
                .to(c10::Device(c10::DeviceType::CPU))
                .to(c10::ScalarType::Float)
                .contiguous();
        });
    }

private:
    const M* model_;
    ModelDecoder<M> decoder_;
};

}  // namespace silica::generate
