#pragma once
/// BERT's configuration, inputs and the spellings of its checkpoints.

#include "silica/checkpoint/names.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/reflect.hpp"
#include "silica/op/activation.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <map>
#include <optional>
#include <string>

namespace silica::arch {

/// Keys and defaults of config.json.
struct BertConfig {
    std::int64_t vocab_size = 30522, hidden_size = 768, num_hidden_layers = 12, num_attention_heads = 12,
                 intermediate_size = 3072, max_position_embeddings = 512, type_vocab_size = 2;
    double layer_norm_eps = 1e-12;
    Activation hidden_act = Activation::gelu;
    bool tie_word_embeddings = true, is_decoder = false, add_cross_attention = false;
    std::string position_embedding_type = "absolute";
    std::optional<std::int64_t> num_labels = {};
    std::map<std::string, std::string> id2label = {};

    /// How many classes a classifier tells apart.
    [[nodiscard]] std::int64_t labels() const {
        if (!id2label.empty()) return static_cast<std::int64_t>(id2label.size());
        return num_labels.value_or(2);
    }
};

struct BertInputs {
    Tensor input_ids;                           ///< (batch, tokens) int64
    std::optional<Tensor> attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
    std::optional<Tensor> token_type_ids = {};  ///< (batch, tokens) int64; absent: zeros
};

/// What all heads of BERT share.
struct BertFamily {
    static constexpr std::string_view family = "bert";
    using Config = BertConfig;
    using Inputs = BertInputs;

    static void check(const Config& c, const std::string& file) {
        require_at_least(file, "vocab_size", c.vocab_size);
        require_at_least(file, "hidden_size", c.hidden_size);
        require_at_least(file, "num_hidden_layers", c.num_hidden_layers, 0);
        require_at_least(file, "num_attention_heads", c.num_attention_heads);
        require_at_least(file, "intermediate_size", c.intermediate_size);
        require_at_least(file, "max_position_embeddings", c.max_position_embeddings);
        require_at_least(file, "type_vocab_size", c.type_vocab_size);
        require_at_least(file, "the number of labels", c.labels());
        if (c.hidden_size % c.num_attention_heads != 0) {
            throw ConfigError(file + ": hidden_size " + std::to_string(c.hidden_size) +
                                  " is not a multiple of num_attention_heads " + std::to_string(c.num_attention_heads) +
                                  ".",
                              "correct one of the two.");
        }
        if (!(c.layer_norm_eps >= 0)) {
            throw ConfigError(
                file + ": layer_norm_eps is " + std::to_string(c.layer_norm_eps) + ", 0 or more is needed.",
                "the usual value is 1e-12.");
        }
        if (c.position_embedding_type != "absolute") {
            refuse_config(file, "position_embedding_type", c.position_embedding_type,
                          "use a checkpoint with absolute positions.");
        }
        if (c.is_decoder) refuse_config(file, "is_decoder", "true", "use BERT as an encoder, or a decoder family.");
        if (c.add_cross_attention) refuse_config(file, "add_cross_attention", "true", "use BERT as an encoder.");
    }

    static Inputs prepare(const Config& c, Inputs in) {
        require_tensor("input_ids", in.input_ids, 2, {c10::ScalarType::Long});
        if (in.input_ids.size(1) > c.max_position_embeddings) {
            throw InputError("Input input_ids has " + std::to_string(in.input_ids.size(1)) +
                                 " tokens, the model has positions for " + std::to_string(c.max_position_embeddings) +
                                 ".",
                             "cut the text (truncation in the tokenizer) or split it.");
        }
        require_ids("input_ids", in.input_ids, c.vocab_size, "vocab_size");
        if (in.token_type_ids) {
            require_tensor("token_type_ids", *in.token_type_ids, 2, {c10::ScalarType::Long});
            require_same_shape("token_type_ids", *in.token_type_ids, "input_ids", in.input_ids);
            require_ids("token_type_ids", *in.token_type_ids, c.type_vocab_size, "type_vocab_size");
        }
        in.attention_mask = checked_mask("attention_mask", in.attention_mask, "input_ids", in.input_ids);
        return in;
    }

    static checkpoint::NameRules names() {
        return {.base_prefix = "bert.",
                .head_prefixes = {"cls.", "classifier.", "qa_outputs."},
                .ignored = {"embeddings.position_ids$"},
                .tied = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "cls.predictions.bias"}};
    }
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::BertConfig, vocab_size, hidden_size, num_hidden_layers, num_attention_heads,
                        intermediate_size, max_position_embeddings, type_vocab_size, layer_norm_eps, hidden_act,
                        tie_word_embeddings, is_decoder, add_cross_attention, position_embedding_type, num_labels,
                        id2label);
BOOST_HANA_ADAPT_STRUCT(silica::arch::BertInputs, input_ids, attention_mask, token_type_ids);
