/// Wav2Vec2 in the program.

#include "silica/arch/wav2vec2.hpp"

#include "opened.hpp"

namespace silica::bench {
namespace {

struct Example {
    static NamedSizes sizes(const arch::Wav2Vec2Config&) { return {{"audio_seconds", 10}}; }
    static arch::Wav2Vec2Inputs inputs(const arch::Wav2Vec2Config&, const Sizes& s) {
        return {.input_values = example_sound(s.batch, s.of("audio_seconds") * 16000)};
    }
};

bool recognises(const checkpoint::Checkpoint& c) {
    return c.find("wav2vec2.feature_projection.projection.weight") != nullptr ||
           (c.find("feature_projection.projection.weight") != nullptr &&
            c.find("encoder.layers.0.attention.q_proj.weight") != nullptr);
}

}  // namespace

Family family_wav2vec2() {
    return {.name = "wav2vec2",
            .models = {{"wav2vec2-base-960h", "facebook/wav2vec2-base-960h",
                        R"({"architectures": ["Wav2Vec2ForCTC"], "model_type": "wav2vec2"})"},
                       {"wav2vec2-large-960h-lv60-self", "facebook/wav2vec2-large-960h-lv60-self",
                        R"({"architectures": ["Wav2Vec2ForCTC"], "model_type": "wav2vec2", "conv_bias": true,
                            "do_stable_layer_norm": true, "feat_extract_norm": "layer", "hidden_size": 1024,
                            "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24})"},
                       {"wav2vec2-base", "facebook/wav2vec2-base",
                        R"({"architectures": ["Wav2Vec2Model"], "model_type": "wav2vec2"})"}},
            .heads = {head<arch::Wav2Vec2ForCTC, Example>("ctc"), head<arch::Wav2Vec2, Example>("encode"),
                      head<arch::Wav2Vec2ForSequenceClassification, Example>("classify")},
            .recognises = recognises};
}

}  // namespace silica::bench
