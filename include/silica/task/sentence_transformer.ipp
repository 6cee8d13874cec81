#pragma once
/// The Transformer of a sentence-transformers checkpoint: sentence_bert_config.json and the sides of the tokenizer.

#include "silica/core/compiled.hpp"
#include "silica/core/reflect.hpp"
#include "silica/task/sentence_config.hpp"
#include "silica/task/sentence_keys.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace silica::task::detail {

/// Which side: "left" or "right".
SILICA_INLINE bool is_left(const SentenceFile& file, std::string_view key) {
    const auto side = file.string(key);
    if (side != "left" && side != "right") file.refuse(key, "left and right are known.");
    return side == "left";
}

/// What tokenizer_config.json says about long and short texts.
SILICA_INLINE void read_sides(SentenceConfig& config) {
    const SentenceFile file(config.directory, "tokenizer_config.json", true);
    const auto says = [&](std::string_view key) { return file.find(key) != nullptr && !file.find(key)->is_null(); };
    if (says("truncation_side")) config.cut_left = is_left(file, "truncation_side");
    if (says("padding_side")) config.pad_left = is_left(file, "padding_side");
}

/// Refuses what arguments of from_pretrained change; `known` are those that change nothing here.
SILICA_INLINE void refuse_arguments(const SentenceFile& file, std::initializer_list<std::string_view> names,
                                    std::initializer_list<std::string_view> known) {
    for (const auto name : names) {
        const Json* given = file.find(name);
        if (given == nullptr || given->is_null()) continue;
        if (!given->is_object()) file.refuse(name, "an object is wanted.");
        const SentenceFile inside(*given, file.path() + ": " + std::string(name));
        for (const auto& [key, value] : given->object()) {
            if (!value.is_null() && std::ranges::find(known, key) == known.end())
                inside.refuse(key, "remove the key where it does not matter.");
        }
    }
}

SILICA_INLINE void read_length(SentenceConfig& config, const SentenceFile& file, std::string_view key) {
    const Json* length = file.find(key);
    if (length == nullptr || length->is_null()) return;
    std::int64_t n = 0;
    read_json(n, *length, file.path() + ": " + std::string(key));
    require_at_least(file.path(), key, n);
    config.max_tokens = n;
}

/// sentence_bert_config.json, under any of the names it has had.
SILICA_INLINE void read_transformer(SentenceConfig& config) {
    constexpr std::array<std::string_view, 7> names = {
        "sentence_bert_config.json",      "sentence_roberta_config.json", "sentence_distilbert_config.json",
        "sentence_camembert_config.json", "sentence_albert_config.json",  "sentence_xlm-roberta_config.json",
        "sentence_xlnet_config.json"};
    SentenceFile file(config.directory, names.front(), true);
    for (std::size_t i = 1; i < names.size() && file.json().object().empty(); ++i)
        file = SentenceFile(config.directory, names[i], true);
    read_length(config, file, "max_seq_length");
    config.lower_case = file.boolean("do_lower_case", false);
    const auto only = [&](std::string_view key, std::string_view value) {
        if (file.find(key) != nullptr && !file.find(key)->is_null() && file.string(key) != value)
            file.refuse(key, std::string(value) + " is supported.");
    };
    only("transformer_task", "feature-extraction");
    only("module_output_name", "token_embeddings");
    if (const Json* modalities = file.find("modality_config")) {
        const Json* text = modalities->find("text");
        const auto is = [&](std::string_view key, std::string_view value) {
            const Json* said = text == nullptr ? nullptr : text->find(key);
            return said != nullptr && said->is_string() && said->string() == value;
        };
        if (!is("method", "forward") || !is("method_output_name", "last_hidden_state") ||
            modalities->find("message") != nullptr)
            file.refuse("modality_config", "texts that go to last_hidden_state are supported, and no chat messages.");
    }
    for (const char* key : {"tokenizer_name_or_path", "processing_kwargs"}) {
        const Json* value = file.find(key);
        if (value != nullptr && !value->is_null() && !(value->is_object() && value->object().empty()))
            file.refuse(key, "the tokenizer beside the network, with its own settings, is supported.");
    }
    refuse_arguments(file, {"model_args", "model_kwargs"},
                     {"trust_remote_code", "torch_dtype", "dtype", "attn_implementation", "low_cpu_mem_usage",
                      "use_safetensors", "device_map", "add_pooling_layer"});
    refuse_arguments(file, {"config_args", "config_kwargs"}, {"trust_remote_code", "use_cache"});
    refuse_arguments(file, {"tokenizer_args", "processor_kwargs"},
                     {"trust_remote_code", "use_fast", "clean_up_tokenization_spaces", "model_max_length",
                      "truncation_side", "padding_side"});
    for (const char* name : {"tokenizer_args", "processor_kwargs"}) {
        if (file.find(name) == nullptr || !file.find(name)->is_object()) continue;
        const SentenceFile inside(*file.find(name), file.path() + ": " + name);
        read_length(config, inside, "model_max_length");
        if (inside.find("truncation_side") != nullptr) config.cut_left = is_left(inside, "truncation_side");
        if (inside.find("padding_side") != nullptr) config.pad_left = is_left(inside, "padding_side");
    }
    file.note_others({"max_seq_length", "do_lower_case", "transformer_task", "module_output_name", "modality_config",
                      "tokenizer_name_or_path", "processing_kwargs", "model_args", "model_kwargs", "config_args",
                      "config_kwargs", "tokenizer_args", "processor_kwargs", "unpad_inputs", "query_length",
                      "document_length", "query_expansion", "backend"},
                     config.notes);
}

}  // namespace silica::task::detail
