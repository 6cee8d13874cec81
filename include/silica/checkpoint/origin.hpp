#pragma once
/// Where a file came from: a snapshot of the hub cache, or elsewhere. Remedies name the exact command.
///
/// A snapshot is `.../models--<org>--<name>/snapshots/<commit>/<file>`
/// (https://huggingface.co/docs/hub/local-cache).

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

/// A repository of the hub, as found in a path inside the cache.
struct Origin {
    std::string repo;      ///< "org/name"
    std::string revision;  ///< the commit of the snapshot
    std::string file;      ///< the path inside the snapshot: "1_Pooling/config.json"; empty for the snapshot itself
};

/// The repository that `path` (a snapshot directory or a file in one) was downloaded from; nothing for other paths.
[[nodiscard]] inline std::optional<Origin> origin_of(const std::filesystem::path& path) {
    std::filesystem::path before, parent;  // the two components before the one at hand
    std::optional<Origin> origin;
    for (const auto& part : path) {
        if (origin) {
            origin->file.append(origin->file.empty() ? "" : "/").append(part.string());
        } else if (parent == "snapshots" && before.string().starts_with("models--") && !part.empty()) {
            std::string repo = before.string().substr(8);
            if (const auto dashes = repo.find("--"); dashes != std::string::npos) repo.replace(dashes, 2, "/");
            origin = Origin{std::move(repo), part.string(), {}};
        }
        before = parent;
        parent = part;
    }
    return origin;
}

/// The command that brings `files` (names separated by blanks; empty: the whole repository) of `repo`.
[[nodiscard]] inline std::string download_line(std::string_view repo, std::string_view revision = {},
                                               std::string_view files = {}) {
    std::string line = "hf download ";
    line.append(repo);
    if (!files.empty()) line.append(" ").append(files);
    if (!revision.empty() && revision != "main") line.append(" --revision ").append(revision);
    return line;
}

/// What to do about a damaged `file`: the download command for a file of the hub cache, words for any other.
[[nodiscard]] inline std::string fetch_again(const std::filesystem::path& file) {
    if (const auto origin = origin_of(file)) {
        std::string remedy = "Run `";
        return remedy.append(download_line(origin->repo, origin->revision, origin->file)).append(" --force-download`.");
    }
    return "The file is damaged or was not fully copied: copy, download or save it again.";
}

}  // namespace silica::checkpoint
