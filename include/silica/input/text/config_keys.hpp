#pragma once
/// The keys of tokenizer_config.json: which are obeyed, which cannot matter, which are refused. docs/tokenizers.md has
/// the same table with reasons.

#include <silica/core/error.hpp>
#include <silica/core/quote.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/tokenizer_class.hpp>

#include <cstdio>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace silica::text {

namespace detail {

/// Keys that something in Silica reads.
inline constexpr const char* obeyed_keys =
    "tokenizer_class added_tokens_decoder additional_special_tokens extra_special_tokens model_max_length max_len "
    "padding_side truncation_side clean_up_tokenization_spaces "
    "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output split_special_tokens add_bos_token "
    "add_eos_token chat_template auto_map fast_tokenizer_files init_inputs fix_mistral_regex";

/// Keys that only some families read; others carry them without effect, in transformers too.
inline constexpr const char* family_keys =
    "do_lower_case strip_accents tokenize_chinese_chars add_prefix_space legacy extra_ids language task "
    "predict_timestamps target_lang replace_word_delimiter_char";

/// Keys that change no token in transformers 5.23.
inline constexpr const char* ignored_keys =
    "do_basic_tokenize never_split clean_text wordpieces_prefix name_or_path special_tokens_map_file tokenizer_file "
    "vocab_file merges_file full_tokenizer_file normalizer_file processor_class sp_model_kwargs errors trim_offsets "
    "model_input_names use_default_system_prompt use_fast backend is_local local_files_only files_loaded from_slow "
    "verbose max_length stride truncation truncation_strategy padding pad_to_multiple_of pad_token_type_id "
    "cls_token_segment_id bos_token_id eos_token_id unk_token_id sep_token_id pad_token_id cls_token_id mask_token_id "
    "return_token_type_ids return_attention_mask return_tensors device_map trust_remote_code tokenizer_type "
    "spaces_between_special_tokens response_schema response_template chat_control_tokens keep_accents "
    "do_word_tokenize do_subword_tokenize word_tokenizer_type subword_tokenizer_type remove_space padding_idx "
    "model_specific_special_tokens transformers_version _commit_hash _name_or_path add_special_tokens "
    "tokenize_with_offsets do_normalize";

/// Says something on stderr, once in a process.
inline void say_once(const std::string& text) {
    static std::mutex mutex;
    static std::set<std::string> said;
    const std::lock_guard lock(mutex);
    if (said.insert(text).second) std::fprintf(stderr, "silica: %s (said once)\n", text.c_str());
}

}  // namespace detail

/// Refuses what Silica cannot obey, and names on stderr the keys that nobody here knows.
inline void check_config_keys(const JsonPlace& top, const std::string& class_name, const std::string& family,
                              bool has_json) {
    const auto known = [&](const std::string& name) {
        return name.empty() || name == backend_family ||
               detail::has_word("Bert Llama T5 Qwen2 GPT2 CLIP Roberta Whisper Wav2Vec2CTC", name);
    };
    if (const auto map = top.find("auto_map"); map && !known(family)) {
        const bool names = map->is_array() || (map->is_object() && map->find("AutoTokenizer"));
        if (names) {
            throw ConfigError(top.file() + ": auto_map names code of the repository for the tokenizer " +
                                  quote(class_name) + ", which Silica does not run.",
                              "Write a tokenizer.json with AutoTokenizer.from_pretrained(..., "
                              "trust_remote_code=True).save_pretrained(...) in Python, with tokenizer_class "
                              "\"PreTrainedTokenizerFast\" in tokenizer_config.json.");
        }
    }
    if (const auto files = top.find("fast_tokenizer_files")) {
        for (std::size_t i = 0; i < files->size(); ++i) {
            if (files->at(i).string() != "tokenizer.json") {
                throw ConfigError(top.file() + ": fast_tokenizer_files names " + quote(files->at(i).string()) +
                                      ", a tokenizer for some versions of transformers, which Silica does not choose.",
                                  "Copy the file to use to tokenizer.json and remove the key.");
            }
        }
    }
    if (const auto inputs = top.find("init_inputs"); inputs && inputs->size() > 0) {
        inputs->fail("has positional arguments, which Silica does not know");
    }
    if (top.boolean_or("fix_mistral_regex", false)) {
        throw ConfigError(top.file() + ": fix_mistral_regex is true, which replaces the pattern of tokenizer.json.",
                          "Save the tokenizer with it in Python and set the key to false.");
    }
    if (has_json && !known(family)) {
        detail::say_once(top.file() + ": the class " + quote(class_name) +
                         " is not known; tokenizer.json is used as it is");
    }
    for (const auto& [key, value] : top.raw().object()) {
        if (key.ends_with("_token") || detail::has_word(detail::obeyed_keys, key) ||
            detail::has_word(detail::family_keys, key) || detail::has_word(detail::ignored_keys, key)) {
            continue;
        }
        detail::say_once(top.file() + ": the key " + quote(key) + " is not known and has no effect");
    }
}

}  // namespace silica::text
