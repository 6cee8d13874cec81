#pragma once
/// T5's configuration, inputs and the spellings of its checkpoints.

#include "silica/checkpoint/names.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/reflect.hpp"
#include "silica/op/activation.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::arch {

/// Keys and defaults of config.json.
struct T5Config {
    std::int64_t vocab_size = 32128, d_model = 512, d_kv = 64, d_ff = 2048, num_layers = 6;
    std::optional<std::int64_t> num_decoder_layers = {};  ///< absent: as many as the encoder has
    std::int64_t num_heads = 8, relative_attention_num_buckets = 32, relative_attention_max_distance = 128;
    double layer_norm_epsilon = 1e-6;
    std::string feed_forward_proj = "relu";  ///< an activation, or "gated-" and an activation
    std::optional<Activation> dense_act_fn = {};
    std::optional<bool> is_gated_act = {}, tie_word_embeddings = {}, scale_decoder_outputs = {};
    bool is_decoder = false;
    std::optional<std::int64_t> decoder_start_token_id = {}, pad_token_id = 0;
    std::vector<std::int64_t> eos_token_id = {1};

    [[nodiscard]] std::int64_t decoder_layers() const { return num_decoder_layers.value_or(num_layers); }

    /// Whether the feed-forward layer is act(x W_0) * (x W_1), not act(x W).
    [[nodiscard]] bool gated() const { return is_gated_act.value_or(feed_forward_proj.starts_with("gated-")); }

    /// The activation of the feed-forward layer; "gated-gelu" means the approximation by tanh. Absent: no such name.
    [[nodiscard]] std::optional<Activation> activation() const {
        if (dense_act_fn) return dense_act_fn;
        if (feed_forward_proj == "gated-gelu") return Activation::gelu_tanh;
        std::string_view wanted = feed_forward_proj;
        if (wanted.starts_with("gated-")) wanted.remove_prefix(6);
        for (const auto& [name, act] : activation_names)
            if (name == wanted) return act;
        return std::nullopt;
    }

    /// Whether the decoder's output is scaled by d_model^-0.5 before the words are scored: T5 1.0, which ties them.
    /// Version 1.1 says `tie_word_embeddings: false` for that and no more: what the file ties is tied all the same.
    [[nodiscard]] bool scales_outputs() const {
        return scale_decoder_outputs.value_or(tie_word_embeddings.value_or(true));
    }
};

struct T5Inputs {
    Tensor input_ids;                           ///< (batch, tokens) int64
    std::optional<Tensor> attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
    /// (batch, decoder tokens) int64; absent: one start token. With k rows for each text they stand together: its
    /// beams.
    std::optional<Tensor> decoder_input_ids = {};
    std::optional<Tensor> decoder_attention_mask = {};  ///< (batch, decoder tokens) as attention_mask
};

struct T5EncoderInputs {
    Tensor input_ids;                           ///< (batch, tokens) int64
    std::optional<Tensor> attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
};

/// What all heads of T5 share.
struct T5Family {
    static constexpr std::string_view family = "t5";
    using Config = T5Config;
    using Inputs = T5Inputs;

    static void check(const Config& c, const std::string& file) {
        require_at_least(file, "vocab_size", c.vocab_size);
        require_at_least(file, "d_model", c.d_model);
        require_at_least(file, "d_kv", c.d_kv);
        require_at_least(file, "d_ff", c.d_ff);
        require_at_least(file, "num_layers", c.num_layers);
        require_at_least(file, "num_decoder_layers", c.decoder_layers());
        require_at_least(file, "num_heads", c.num_heads);
        require_at_least(file, "relative_attention_num_buckets", c.relative_attention_num_buckets, 4);
        require_at_least(file, "relative_attention_max_distance", c.relative_attention_max_distance,
                         c.relative_attention_num_buckets / 2 + 1);
        constexpr std::int64_t farthest = std::int64_t{1} << 20;
        if (c.relative_attention_max_distance > farthest) {
            refuse_config(file, "relative_attention_max_distance", std::to_string(c.relative_attention_max_distance),
                          "the usual value is 128; " + std::to_string(farthest) + " is the most.");
        }
        if (!(c.layer_norm_epsilon >= 0)) {
            throw ConfigError(
                file + ": layer_norm_epsilon is " + std::to_string(c.layer_norm_epsilon) + ", 0 or more is needed.",
                "the usual value is 1e-6.");
        }
        if (!c.activation()) {
            refuse_config(file, "feed_forward_proj", "'" + c.feed_forward_proj + "'",
                          "use an activation such as relu, or one after gated-: gated-gelu.");
        }
        if (c.decoder_start_token_id && (*c.decoder_start_token_id < 0 || *c.decoder_start_token_id >= c.vocab_size)) {
            throw ConfigError(file + ": decoder_start_token_id is " + std::to_string(*c.decoder_start_token_id) +
                                  ", ids from 0 to " + std::to_string(c.vocab_size - 1) + " exist.",
                              "the usual value is 0, that of pad_token_id.");
        }
    }

    /// Fills in the start token where there are no `decoder_input_ids`.
    static Inputs prepare(const Config& c, Inputs in) {
        prepare_text(c, "input_ids", in.input_ids, "attention_mask", in.attention_mask);
        if (!in.decoder_input_ids) {
            if (in.decoder_attention_mask) {
                throw InputError("Input decoder_attention_mask is given without decoder_input_ids.",
                                 "give both or neither.");
            }
            if (!c.decoder_start_token_id) {
                throw InputError("Input decoder_input_ids is missing, and config.json names no decoder_start_token_id.",
                                 "give the first token of the decoder; T5 starts with pad_token_id.");
            }
            in.decoder_input_ids = at::full({in.input_ids.size(0), 1}, *c.decoder_start_token_id,
                                            at::TensorOptions().dtype(c10::ScalarType::Long));
        }
        prepare_text(c, "decoder_input_ids", *in.decoder_input_ids, "decoder_attention_mask",
                     in.decoder_attention_mask);
        if (in.decoder_input_ids->size(0) % in.input_ids.size(0) != 0) {
            throw InputError("Input decoder_input_ids has shape " + shape_text(in.decoder_input_ids->sizes()) +
                                 ", input_ids has " + shape_text(in.input_ids.sizes()) + ".",
                             "give both the same number of rows, or each text as many rows of the decoder, one after "
                             "another.");
        }
        return in;
    }

    static checkpoint::NameRules names() {
        return {.renames = {{"^transformer", ""}},  // heads for classes of texts and tokens keep their body there
                .ignored = {"^decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight$"},
                .tied = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}};
    }

protected:
    static void prepare_text(const Config& c, std::string_view ids_name, const Tensor& ids, std::string_view mask_name,
                             std::optional<Tensor>& mask) {
        require_tensor(ids_name, ids, 2, {c10::ScalarType::Long});
        require_ids(ids_name, ids, c.vocab_size, "vocab_size");
        mask = checked_mask(mask_name, mask, ids_name, ids);
    }
};

/// The encoder by itself.
struct T5EncoderFamily : T5Family {
    using Inputs = T5EncoderInputs;

    static void check(const Config& c, const std::string& file) {
        T5Family::check(c, file);
        if (c.is_decoder) refuse_config(file, "is_decoder", "true", "use a checkpoint of an encoder.");
    }

    static Inputs prepare(const Config& c, Inputs in) {
        prepare_text(c, "input_ids", in.input_ids, "attention_mask", in.attention_mask);
        return in;
    }

    static checkpoint::NameRules names() {
        auto rules = T5Family::names();
        rules.ignored = {"^decoder"};
        return rules;
    }
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::T5Config, vocab_size, d_model, d_kv, d_ff, num_layers, num_decoder_layers,
                        num_heads, relative_attention_num_buckets, relative_attention_max_distance, layer_norm_epsilon,
                        feed_forward_proj, dense_act_fn, is_gated_act, tie_word_embeddings, scale_decoder_outputs,
                        is_decoder, decoder_start_token_id, pad_token_id, eos_token_id);
BOOST_HANA_ADAPT_STRUCT(silica::arch::T5Inputs, input_ids, attention_mask, decoder_input_ids, decoder_attention_mask);
BOOST_HANA_ADAPT_STRUCT(silica::arch::T5EncoderInputs, input_ids, attention_mask);
