#pragma once
/// Finds a checkpoint: a directory, or a repository of the hub in the local cache. Nothing is downloaded.
///
/// The cache is laid out as in https://huggingface.co/docs/hub/local-cache, and found by the rule of huggingface_hub:
/// $HF_HUB_CACHE, else $HUGGINGFACE_HUB_CACHE, else hub/ in $HF_HOME, else in $XDG_CACHE_HOME/huggingface, else in
/// ~/.cache/huggingface. "~" and "$NAME" in them are expanded.

#include "silica/checkpoint/locate.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace silica::checkpoint {

/// A repository and revision as users write them: "org/name", "name", "org/name@revision".
struct RepoName {
    std::string repo;
    std::string revision;  ///< empty: not asked for, "main"
};

/// The directory of the hub cache, whether it exists or not.
[[nodiscard]] std::filesystem::path hub_cache();

/// Splits "org/name@revision"; nothing when it is not the name of a repository.
[[nodiscard]] std::optional<RepoName> repo_name(std::string_view text);

/// The snapshot of `name` in the hub cache. CheckpointError with the `hf download` line when it is not there.
[[nodiscard]] std::filesystem::path hub_snapshot(const RepoName& name);

/// What the caller of `resolve` will read.
enum class Need {
    directory,  ///< any file: a tokenizer, a config
    model,      ///< config.json and weights
};

/// The directory of a model: `dir_or_repo` itself when that exists (a file of weights may be named, too), else the
/// snapshot of "org/name" or "org/name@revision" in the hub cache, checked for the files that `need` asks for.
[[nodiscard]] std::filesystem::path resolve(std::string_view dir_or_repo, Need need = Need::model);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/hub.ipp"
#endif
