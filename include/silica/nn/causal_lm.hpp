#pragma once
/// Language models on a decoder: what the families LLaMA, Qwen2 and Mistral share of their configurations, inputs and
/// heads.

#include "silica/checkpoint/names.hpp"
#include "silica/core/inputs.hpp"
#include "silica/nn/decoder.hpp"
#include "silica/nn/vocabulary_projection.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <algorithm>
#include <optional>
#include <string>

namespace silica::nn {

struct DecoderInputs {
    Tensor input_ids;                           ///< (batch, tokens) int64
    std::optional<Tensor> attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
};
struct DecoderOutputs {
    Tensor last_hidden_state;  ///< (batch, tokens, hidden)
};
struct CausalLmOutputs {
    Tensor logits;  ///< (batch, tokens, vocabulary): of the token that follows
};

/// What all heads of a family share. `Config::shape(file)` throws for values that contradict each other.
template <class ConfigOfFamily>
struct DecoderFamily {
    using Config = ConfigOfFamily;
    using Inputs = DecoderInputs;

    static void check(const Config& c, const std::string& file) { static_cast<void>(c.shape(file)); }

    /// The most positions the model was made for; none where its frequencies follow the length of the text.
    static std::optional<std::int64_t> context(const Config& c) {
        const auto shape = c.shape("the configuration");
        if (shape.rope.type() == RopeType::dynamic) return std::nullopt;
        const double factor = shape.rope.type() == RopeType::linear ? std::max(*shape.rope.factor, 1.0) : 1.0;
        return static_cast<std::int64_t>(static_cast<double>(c.max_position_embeddings) * factor);
    }

    static Inputs prepare(const Config& c, Inputs in) {
        require_tensor("input_ids", in.input_ids, 2, {c10::ScalarType::Long});
        require_ids("input_ids", in.input_ids, c.vocab_size, "vocab_size");
        in.attention_mask = checked_mask("attention_mask", in.attention_mask, "input_ids", in.input_ids);
        return in;
    }

    static checkpoint::NameRules names() {
        return {.base_prefix = "model.",
                .head_prefixes = {"lm_head."},
                .ignored = {"rotary_emb.inv_freq$"},
                .tied = {"lm_head.weight"}};
    }
};

/// What every configuration of this kind must fulfil.
inline DecoderShape checked(DecoderShape s, const std::string& file) {
    require_at_least(file, "vocab_size", s.vocab_size);
    require_at_least(file, "hidden_size", s.hidden_size);
    require_at_least(file, "intermediate_size", s.intermediate_size);
    require_at_least(file, "num_hidden_layers", s.num_hidden_layers, 0);
    require_at_least(file, "num_attention_heads", s.num_attention_heads);
    require_at_least(file, "num_key_value_heads", s.num_key_value_heads);
    require_at_least(file, "head_dim", s.head_dim);
    require_at_least(file, "max_position_embeddings", s.max_position_embeddings);
    if (s.num_attention_heads % s.num_key_value_heads != 0) {
        throw ConfigError(file + ": num_attention_heads " + std::to_string(s.num_attention_heads) +
                              " is not a multiple of num_key_value_heads " + std::to_string(s.num_key_value_heads) +
                              ".",
                          "correct one of the two.");
    }
    if (!(s.rms_norm_eps >= 0)) {
        throw ConfigError(file + ": rms_norm_eps is " + std::to_string(s.rms_norm_eps) + ", 0 or more is needed.",
                          "the usual value is 1e-6.");
    }
    for (const auto& window : s.windows) {
        if (window) require_at_least(file, "sliding_window", *window);
    }
    return s;
}

/// hidden_size / num_attention_heads, unless the configuration says `head_dim`.
inline std::int64_t head_size(const std::string& file, std::optional<std::int64_t> head_dim, std::int64_t hidden,
                              std::int64_t heads) {
    require_at_least(file, "hidden_size", hidden);
    require_at_least(file, "num_attention_heads", heads);
    if (head_dim) return *head_dim;
    if (hidden % heads != 0) {
        throw ConfigError(file + ": hidden_size " + std::to_string(hidden) +
                              " is not a multiple of num_attention_heads " + std::to_string(heads) + ".",
                          "correct one of the two, or give head_dim.");
    }
    return hidden / heads;
}

/// The decoder without a head.
template <class E, class Config>
class DecoderNetwork {
public:
    using Ops = typename Decoder<E>::Ops;

    DecoderNetwork(const Config& c, const Weights& w) : model(c.shape("the configuration"), w / "model", words(w)) {}

    DecoderOutputs operator()(const DecoderInputs& in) const {
        return {model(model.embed_tokens(in.input_ids), in.attention_mask)};
    }

    /// Where the file leaves the word vectors out, they are the matrix they are tied to.
    static Weights words(const Weights& w) {
        return w.has("model.embed_tokens.weight") || !w.has("lm_head.weight") ? w / "model.embed_tokens"
                                                                              : w / "lm_head";
    }

private:
    Decoder<E> model;
};

/// Which token follows: softmax(W h) over the vocabulary.
template <class E, class Config>
class CausalLmNetwork {
public:
    using Ops = union_of<typename Decoder<E>::Ops, typename Linear<E>::Ops>;
    using State = DecoderState;

    CausalLmNetwork(const Config& c, const Weights& w)
        : model(c.shape("the configuration"), w / "model", DecoderNetwork<E, Config>::words(w)),
          lm_head(vocabulary_projection(w / "lm_head", w / "model.embed_tokens", model.embed_tokens,
                                        c.tie_word_embeddings, c.vocab_size, c.hidden_size)) {}

    CausalLmOutputs operator()(const DecoderInputs& in) const {
        return {lm_head(model(model.embed_tokens(in.input_ids), in.attention_mask))};
    }

    [[nodiscard]] State make_state(std::int64_t batch, std::int64_t capacity) const {
        return model.make_state(batch, capacity);
    }
    [[nodiscard]] Tensor prefill(const DecoderInputs& in, State& state) const {
        return lm_head(model.prefill(model.embed_tokens(in.input_ids), in.attention_mask, state));
    }
    [[nodiscard]] Tensor step(const Tensor& ids, State& state) const {
        return lm_head(model.step(model.embed_tokens(ids), state));
    }

private:
    Decoder<E> model;
    VocabularyProjection<E> lm_head;
};

}  // namespace silica::nn

BOOST_HANA_ADAPT_STRUCT(silica::nn::DecoderInputs, input_ids, attention_mask);
BOOST_HANA_ADAPT_STRUCT(silica::nn::DecoderOutputs, last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::nn::CausalLmOutputs, logits);
