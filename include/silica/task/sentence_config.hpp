#pragma once
/// How a sentence-transformers checkpoint makes a vector of a text: modules.json with its folders,
/// config_sentence_transformers.json and sentence_bert_config.json. Followed: sentence-transformers 6.2, base/model.py
/// and its modules; docs/files.md lists the keys.

#include "silica/op/pool.hpp"
#include "silica/task/sentence_module.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::task {

/// Which network reads a text, what stands before it, and what follows the network.
struct SentenceConfig {
    std::filesystem::path directory = {};            ///< of the network and its tokenizer: the whole, or a folder
    std::vector<Pooling> pooling = {Pooling::mean};  ///< several are joined side by side
    bool include_prompt = true;                      ///< whether the tokens of a prompt count in the pooling
    std::vector<SentenceModule> modules = {};        ///< what follows the pooling, in turn
    std::optional<std::int64_t> max_tokens = {};     ///< longer texts are cut, special tokens included; goes before
                                                     ///< the tokenizer's own limit
    bool lower_case = false;                         ///< texts are made small before the tokenizer sees them
    bool cut_left = false;                           ///< long texts lose their beginning
    std::optional<bool> pad_left = {};               ///< absent: as tokenizer.json says
    std::map<std::string, std::string, std::less<>> prompts = {{"document", ""}, {"query", ""}};  ///< by name
    std::optional<std::string> default_prompt = {};  ///< the name of the prompt where none is asked for
    std::optional<std::int64_t> truncate_dim = {};   ///< vectors are cut to so many numbers
    std::vector<std::string> notes = {};             ///< keys that are not known, each a sentence

    /// Reads `directory`. Without modules.json it is mean pooling, or the last token where config.json names a causal
    /// language model, as sentence-transformers does for plain checkpoints.
    /// ConfigError where there is no such directory, for a module, a key or a value that is not supported;
    /// CheckpointError for wrong weights of a module.
    [[nodiscard]] static SentenceConfig read(const std::filesystem::path& directory);

    /// What stands before a text: `text` itself, else the prompt of that name, else the default prompt.
    /// InputError for a name that the checkpoint does not have, or both.
    [[nodiscard]] std::string prompt(const std::optional<std::string>& text,
                                     const std::optional<std::string>& name) const;
};

/// Throws ConfigError for sizes below 1, for no way of pooling, a module that computes nothing, and a default prompt
/// that there is not.
void check(const SentenceConfig& config);

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/sentence_config.ipp"
#endif
