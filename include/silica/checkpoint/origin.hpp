#pragma once
/// Where a file came from: a snapshot of the hub cache, or elsewhere. Remedies name the exact command.
///
/// A snapshot is `.../models--<org>--<name>/snapshots/<commit>/<file>`
/// (https://huggingface.co/docs/hub/local-cache).

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace silica::checkpoint {

/// A repository of the hub, as found in a path inside the cache.
struct Origin {
    std::string repo;      ///< "org/name"
    std::string revision;  ///< the commit of the snapshot
    std::string file;      ///< the path inside the snapshot: "1_Pooling/config.json"; empty for the snapshot itself
};

/// The repository that `path` (a snapshot directory or a file in one) was downloaded from; nothing for other paths.
[[nodiscard]] std::optional<Origin> origin_of(const std::filesystem::path& path);

/// The command that brings `files` (names separated by blanks; empty: the whole repository) of `repo`.
[[nodiscard]] std::string download_line(std::string_view repo, std::string_view revision = {},
                                        std::string_view files = {});

/// What to do about a damaged `file`: the download command for a file of the hub cache, words for any other.
[[nodiscard]] std::string fetch_again(const std::filesystem::path& file);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/origin.ipp"
#endif
