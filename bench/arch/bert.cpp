/// BERT in the program.

#include "silica/arch/bert.hpp"

#include <algorithm>

#include "opened.hpp"

namespace silica::bench {
namespace {

struct Example {
    static NamedSizes sizes(const arch::BertConfig& c) {
        return {{"prompt_tokens", std::min<std::int64_t>(128, c.max_position_embeddings)}};
    }
    static arch::BertInputs inputs(const arch::BertConfig& c, const Sizes& s) {
        return {.input_ids = example_ids(s.batch, s.tokens(), 3, c.vocab_size),
                .attention_mask = at::ones({s.batch, s.tokens()}, at::kLong)};
    }
};

bool recognises(const checkpoint::Checkpoint& c) {
    for (const std::string prefix : {"", "bert."}) {
        if (c.find(prefix + "embeddings.token_type_embeddings.weight") != nullptr &&
            c.find(prefix + "encoder.layer.0.attention.self.query.weight") != nullptr) {
            return true;
        }
    }
    return false;
}

}  // namespace

Family family_bert() {
    return {.name = "bert",
            .models = {{"bert-base-uncased", "google-bert/bert-base-uncased",
                        R"({"architectures": ["BertForMaskedLM"], "model_type": "bert", "hidden_size": 768,
                            "intermediate_size": 3072, "max_position_embeddings": 512, "num_attention_heads": 12,
                            "num_hidden_layers": 12, "type_vocab_size": 2, "vocab_size": 30522, "hidden_act": "gelu",
                            "layer_norm_eps": 1e-12})"},
                       {"bert-tiny", "prajjwal1/bert-tiny",
                        R"({"hidden_size": 128, "intermediate_size": 512, "max_position_embeddings": 512,
                            "num_attention_heads": 2, "num_hidden_layers": 2, "type_vocab_size": 2, "vocab_size": 30522,
                            "hidden_act": "gelu"})"}},
            .heads = {head<arch::Bert, Example>("embed"), head<arch::BertForMaskedLM, Example>("mlm"),
                      head<arch::BertForSequenceClassification, Example>("classify")},
            .recognises = recognises};
}

}  // namespace silica::bench
