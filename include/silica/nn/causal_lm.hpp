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
#include <utility>

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

/// `s`, or ConfigError for sizes that are out of range or contradict each other.
[[nodiscard]] DecoderShape checked(DecoderShape s, const std::string& file);

/// hidden_size / num_attention_heads, unless the configuration says `head_dim`.
[[nodiscard]] std::int64_t head_size(const std::string& file, std::optional<std::int64_t> head_dim, std::int64_t hidden,
                                     std::int64_t heads);

/// Reads the configuration of a decoder. A null end is none, and not the family's own: such a text ends with its
/// length.
template <class Config>
void read_decoder(Config& c, const Json& json, const std::string& path) {
    read_members(c, json, path);
    if (const Json* end = json.find("eos_token_id"); end != nullptr && end->is_null()) c.eos_token_id.clear();
}

/// What the families name alike; windows and biases are theirs.
template <class Config>
DecoderShape decoder_shape(const Config& c, const std::string& file) {
    const auto d = head_size(file, c.head_dim, c.hidden_size, c.num_attention_heads);
    std::optional<std::int64_t> original;
    if constexpr (requires { c.original_max_position_embeddings; }) original = c.original_max_position_embeddings;
    return {
        .vocab_size = c.vocab_size,
        .hidden_size = c.hidden_size,
        .intermediate_size = c.intermediate_size,
        .num_hidden_layers = c.num_hidden_layers,
        .num_attention_heads = c.num_attention_heads,
        .num_key_value_heads = c.num_key_value_heads.value_or(c.num_attention_heads),
        .head_dim = d,
        .max_position_embeddings = c.max_position_embeddings,
        .rms_norm_eps = c.rms_norm_eps,
        .hidden_act = c.hidden_act,
        .rope = rope_of(file, c.rope_parameters, c.rope_scaling, c.rope_theta, original, c.max_position_embeddings, d),
        .windows = Windows(static_cast<std::size_t>(std::max<std::int64_t>(c.num_hidden_layers, 0))),
        .tie_word_embeddings = c.tie_word_embeddings};
}

/// The word vectors of a decoder; where the file leaves them out, the matrix they are tied to.
inline Weights decoder_words(const Weights& w) {
    const Weights own = w / "model.embed_tokens", head = w / "lm_head";
    return own.has("weight") || !head.has("weight") ? own : head;
}

/// The decoder without a head. One type for all families: what tells them apart is in the shape.
template <class E>
class DecoderNetwork {
public:
    using Ops = typename Decoder<E>::Ops;

    DecoderNetwork(const DecoderShape& c, const Weights& w) : model(c, w / "model", decoder_words(w)) {}
    DecoderNetwork(const auto& config, const Weights& w)
        : DecoderNetwork(DecoderShape(config.shape("the configuration")), w) {}

    DecoderOutputs operator()(const DecoderInputs& in) const {
        return of_vectors(embed(in.input_ids), in.attention_mask);
    }
    /// See CausalLmNetwork.
    [[nodiscard]] Tensor embed(const Tensor& ids) const { return model.embed_tokens(ids); }
    [[nodiscard]] DecoderOutputs of_vectors(Tensor x, const std::optional<Tensor>& attend) const {
        return {model(std::move(x), attend)};
    }

private:
    Decoder<E> model;
};

/// Which token follows: softmax(W h) over the vocabulary.
template <class E>
class CausalLmNetwork {
public:
    using Ops = union_of<typename Decoder<E>::Ops, typename Linear<E>::Ops>;
    using State = DecoderState;

    CausalLmNetwork(const DecoderShape& c, const Weights& w)
        : model(c, w / "model", decoder_words(w)),
          lm_head(vocabulary_projection(w / "lm_head", w / "model.embed_tokens", model.embed_tokens,
                                        c.tie_word_embeddings, c.vocab_size, c.hidden_size)) {}
    CausalLmNetwork(const auto& config, const Weights& w)
        : CausalLmNetwork(DecoderShape(config.shape("the configuration")), w) {}

    CausalLmOutputs operator()(const DecoderInputs& in) const {
        return of_vectors(embed(in.input_ids), in.attention_mask);
    }
    /// Vectors of tokens, ids (...) -> (..., hidden): a composite puts its images among them, for the calls below.
    [[nodiscard]] Tensor embed(const Tensor& ids) const { return model.embed_tokens(ids); }
    /// The same from vectors x (batch, tokens, hidden); `attend` (batch, tokens) bool or absent.
    [[nodiscard]] CausalLmOutputs of_vectors(Tensor x, const std::optional<Tensor>& attend) const {
        return {lm_head(model(std::move(x), attend))};
    }
    [[nodiscard]] Tensor prefill_vectors(Tensor x, const std::optional<Tensor>& attend, State& state) const {
        return lm_head(model.prefill(std::move(x), attend, state));
    }

    [[nodiscard]] State make_state(std::int64_t batch, std::int64_t capacity) const {
        return model.make_state(batch, capacity);
    }
    [[nodiscard]] Tensor prefill(const DecoderInputs& in, State& state) const {
        return prefill_vectors(embed(in.input_ids), in.attention_mask, state);
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

#ifndef SILICA_COMPILED
#include "silica/nn/causal_lm.ipp"
#endif
