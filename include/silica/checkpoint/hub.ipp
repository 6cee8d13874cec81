#pragma once
/// Definitions of hub.hpp.

#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/checkpoint/locate.hpp"
#include "silica/checkpoint/origin.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/gguf.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <system_error>
#include <vector>

namespace silica::checkpoint {

namespace detail {

/// A variable of the environment; an empty one counts as absent.
SILICA_INLINE std::optional<std::string> environment(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

/// `path` with a leading "~" replaced by the home directory.
SILICA_INLINE std::filesystem::path expand_home(std::string_view path) {
    if (path == "~" || path.starts_with("~/"))
        if (const auto home = environment("HOME"))
            return std::filesystem::path(*home) / std::string(path.substr(std::min<std::size_t>(path.size(), 2)));
    return std::string(path);
}

SILICA_INLINE bool word(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// `text` with "$NAME" and "${NAME}" replaced by variables of the environment; those that are not set stay.
SILICA_INLINE std::string expand_variables(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t begin = at + 1, end = begin, next = begin;
        if (text[at] == '$' && begin < text.size() && text[begin] == '{') {
            end = std::min(text.find('}', ++begin), text.size());
            next = end + 1;
        } else if (text[at] == '$') {
            while (end < text.size() && word(text[end])) ++end;
            next = end;
        }
        const char* value = nullptr;
        if (end > begin && next <= text.size())
            value = std::getenv(std::string(text.substr(begin, end - begin)).c_str());  // NOLINT(concurrency-mt-unsafe)
        if (value != nullptr)
            out += value;
        else
            out += text.substr(at, std::min(next, text.size()) - at);
        at = next;
    }
    return out;
}

/// A path as a variable of huggingface_hub holds it.
SILICA_INLINE std::filesystem::path expanded(std::string_view path) {
    return expand_variables(expand_home(path).string());
}

/// One half of a repository name, by the rules of huggingface_hub.
SILICA_INLINE bool repo_part(std::string_view part) {
    return !part.empty() && part.size() <= 96 && word(part.front()) && word(part.back()) &&
           std::all_of(part.begin(), part.end(), [](char c) { return word(c) || c == '-' || c == '.'; }) &&
           part.find("..") == std::string_view::npos && part.find("--") == std::string_view::npos &&
           !part.ends_with(".git");
}

/// A branch, tag, commit or "refs/pr/7": no way out of the cache.
SILICA_INLINE bool revision_name(std::string_view revision) {
    if (revision.empty() || revision.size() > 200 || revision.front() == '/' || revision.back() == '/') return false;
    if (revision.front() == '-' || revision.front() == '.') return false;
    if (revision.find("..") != std::string_view::npos || revision.find("//") != std::string_view::npos) return false;
    if (revision.find("/.") != std::string_view::npos) return false;
    return std::all_of(revision.begin(), revision.end(),
                       [](char c) { return word(c) || c == '-' || c == '.' || c == '/' || c == '+'; });
}

/// The names of the refs (or snapshots) below `directory`, for errors: "main, refs/pr/3".
SILICA_INLINE std::string names_below(const std::filesystem::path& directory) {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::recursive_directory_iterator at(directory, error), end;
    for (; !error && at != end && names.size() < 20; at.increment(error))
        if (at->is_regular_file(error)) names.push_back(at->path().lexically_relative(directory).generic_string());
    std::sort(names.begin(), names.end());
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace detail

SILICA_INLINE std::filesystem::path hub_cache() {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
        if (const auto value = detail::environment(name)) return detail::expanded(*value);
    if (const auto home = detail::environment("HF_HOME")) return detail::expanded(*home) / "hub";
    if (const auto xdg = detail::environment("XDG_CACHE_HOME")) return detail::expanded(*xdg) / "huggingface" / "hub";
    return detail::expand_home("~/.cache/huggingface/hub");
}

SILICA_INLINE std::optional<RepoName> repo_name(std::string_view text) {
    const auto at = text.find('@');
    const auto repo = text.substr(0, at);
    const auto slash = repo.find('/');
    const bool good = slash == std::string_view::npos
                          ? detail::repo_part(repo)
                          : detail::repo_part(repo.substr(0, slash)) && detail::repo_part(repo.substr(slash + 1));
    if (!good) return std::nullopt;
    if (at == std::string_view::npos) return RepoName{std::string(repo), {}};
    const auto revision = text.substr(at + 1);
    if (!detail::revision_name(revision)) return std::nullopt;
    return RepoName{std::string(repo), std::string(revision)};
}

SILICA_INLINE std::filesystem::path hub_snapshot(const RepoName& name) {
    const auto cache = hub_cache();
    std::string folder = "models--" + name.repo;
    if (const auto slash = folder.find('/'); slash != std::string::npos) folder.replace(slash, 1, "--");
    const auto repo = cache / folder;
    const std::string remedy = "Run `" + download_line(name.repo, name.revision) + "`.";
    std::error_code error;
    if (!std::filesystem::is_directory(repo, error))
        throw CheckpointError(name.repo + " is neither a directory here nor in the hub cache " + cache.string() + ".",
                              remedy);
    const std::string revision = name.revision.empty() ? "main" : name.revision;
    std::string commit = revision;
    if (const auto ref = repo / "refs" / revision; std::filesystem::is_regular_file(ref, error)) {
        const auto file = File::open(ref);
        commit = file->read_text(0, std::min<std::uint64_t>(file->size(), 256));
        while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r' || commit.back() == ' '))
            commit.pop_back();
        if (!detail::revision_name(commit) || commit.find('/') != std::string::npos)
            throw CheckpointError(ref.string() + " should hold the name of a commit, but holds " + quote(commit) + ".",
                                  remedy);
    }
    const auto snapshot = repo / "snapshots" / commit;
    if (commit.find('/') == std::string::npos && std::filesystem::is_directory(snapshot, error)) return snapshot;
    const std::string refs = detail::names_below(repo / "refs");
    throw CheckpointError("The hub cache has " + name.repo + ", but not its revision " + quote(revision) +
                              (refs.empty() ? "" : " (it has " + refs + ")") + ": looked for " + snapshot.string() +
                              ".",
                          remedy);
}

SILICA_INLINE std::filesystem::path resolve(std::string_view dir_or_repo, Need need) {
    const auto path = detail::expand_home(dir_or_repo);
    std::error_code error;
    if (!dir_or_repo.empty() && std::filesystem::exists(path, error)) {
        refuse_dangling_links(path);
        if (need == Need::model) refuse_adapter(path);
        return path;
    }
    const auto name = repo_name(dir_or_repo);
    if (!name)
        throw CheckpointError(
            "There is no directory " + quote(dir_or_repo) + ", and it is not the name of a repository of the hub.",
            "Name an existing directory, or a repository as org/name or org/name@revision.");
    const auto snapshot = hub_snapshot(*name);
    refuse_dangling_links(snapshot);
    if (need == Need::directory) return snapshot;
    refuse_adapter(snapshot);
    if (!is_listed(snapshot / "config.json") && !find_gguf(snapshot))
        throw CheckpointError(
            "The hub cache has only a part of " + name->repo + ": " + snapshot.string() + " has no config.json.",
            "Run `" + download_line(name->repo, name->revision, "config.json") + "`.");
    static_cast<void>(locate_weights(snapshot));
    return snapshot;
}

}  // namespace silica::checkpoint
