#pragma once
/// Definitions of origin.hpp.

#include "silica/checkpoint/origin.hpp"
#include "silica/core/compiled.hpp"

#include <utility>

namespace silica::checkpoint {

SILICA_INLINE std::optional<Origin> origin_of(const std::filesystem::path& path) {
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

SILICA_INLINE std::string download_line(std::string_view repo, std::string_view revision, std::string_view files) {
    std::string line = "hf download ";
    line.append(repo);
    if (!files.empty()) line.append(" ").append(files);
    if (!revision.empty() && revision != "main") line.append(" --revision ").append(revision);
    return line;
}

SILICA_INLINE std::string fetch_again(const std::filesystem::path& file) {
    if (const auto origin = origin_of(file)) {
        std::string remedy = "Run `";
        return remedy.append(download_line(origin->repo, origin->revision, origin->file)).append(" --force-download`.");
    }
    return "The file is damaged or was not fully copied: copy, download or save it again.";
}

}  // namespace silica::checkpoint
