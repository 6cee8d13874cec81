#pragma once
/// Definitions of checkpoint.hpp.

#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/gguf.hpp"
#include "silica/checkpoint/origin.hpp"
#include "silica/checkpoint/safetensors.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/checkpoint/torch_file.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <tuple>
#include <utility>

namespace silica::checkpoint {

SILICA_INLINE Checkpoint Checkpoint::open(const std::filesystem::path& dir_or_file) {
    std::error_code error;
    const bool is_directory = std::filesystem::is_directory(dir_or_file, error);
    const auto path = is_directory ? locate_weights(dir_or_file) : dir_or_file;
    Checkpoint result;
    result.directory_ = is_directory ? dir_or_file : path.parent_path().empty() ? "." : path.parent_path();
    if (path.filename().string().ends_with(".index.json"))
        result.add_shards(path);
    else
        result.format_ = result.add(path);
    result.sort_names();
    return result;
}

SILICA_INLINE const TensorEntry* Checkpoint::find(std::string_view name) const noexcept {
    const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                     [this](std::size_t i, std::string_view n) { return entries_[i].name < n; });
    return at != by_name_.end() && entries_[*at].name == name ? &entries_[*at] : nullptr;
}

SILICA_INLINE void Checkpoint::replace(const Checkpoint& other) {
    std::erase_if(entries_, [&](const TensorEntry& entry) { return other.find(entry.name) != nullptr; });
    for (auto entry : other.entries_) {
        entry.file += files_.size();
        entries_.push_back(std::move(entry));
    }
    files_.insert(files_.end(), other.files_.begin(), other.files_.end());
    sort_names();
}

SILICA_INLINE std::uint64_t Checkpoint::total_bytes() const {
    std::vector<std::tuple<std::size_t, std::uint64_t, std::uint64_t>> spans;
    spans.reserve(entries_.size());
    for (const auto& entry : entries_) spans.emplace_back(entry.file, entry.offset, entry.offset + entry.nbytes);
    std::sort(spans.begin(), spans.end());
    std::uint64_t total = 0, reached = 0;
    std::size_t file = 0;
    for (const auto& [in, begin, end] : spans) {
        if (std::exchange(file, in) != in) reached = 0;
        total += std::max(reached, end) - std::max(reached, begin);
        reached = std::max(reached, end);
    }
    return total;
}

SILICA_INLINE bool Checkpoint::torch_name(const std::filesystem::path& path) {
    const auto extension = path.extension();
    return extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt";
}

SILICA_INLINE std::string Checkpoint::add(const std::filesystem::path& path) {
    auto file = File::open(path);
    std::string format = "safetensors";
    if (path.extension() == ".gguf") {
        const auto gguf = Gguf::open(path, false);
        auto found = gguf_entries(gguf, files_.size());
        std::move(found.begin(), found.end(), std::back_inserter(entries_));
        metadata_.merge(gguf_metadata(gguf));
        format = "GGUF";
        for (const auto& part : gguf.files) files_.push_back(part == path ? file : File::open(part));
        return format;
    } else if (torch_name(path) || (path.extension() != ".safetensors" && is_torch_file(*file))) {
        auto found = read_torch(*file, files_.size());
        std::move(found.entries.begin(), found.entries.end(), std::back_inserter(entries_));
        format = found.format;
    } else {
        auto found = read_safetensors(*file, files_.size());
        std::move(found.entries.begin(), found.entries.end(), std::back_inserter(entries_));
        metadata_.merge(found.metadata);
    }
    files_.push_back(std::move(file));
    return format;
}

SILICA_INLINE void Checkpoint::add_shards(const std::filesystem::path& path) {
    const Index index = read_index(path);
    if (const auto missing = missing_shards(index, directory_); !missing.empty()) fail_missing(path, index, missing);
    for (const auto& shard : index.shards) {
        format_ = add(directory_ / shard);
        std::erase_if(entries_, [&](const TensorEntry& entry) {  // the index puts it elsewhere
            if (entry.file + 1 != files_.size()) return false;
            const auto at = index.weight_map.find(entry.name);
            return at != index.weight_map.end() && at->second != shard;
        });
    }
    format_ += ", " + std::to_string(index.shards.size()) + (index.shards.size() == 1 ? " shard" : " shards");
    sort_names();
    for (const auto& [name, shard] : index.weight_map)
        if (find(name) == nullptr)
            throw CheckpointError(
                path.string() + " puts tensor " + quote(name) + " in " + shard + ", which does not hold it.",
                fetch_again(directory_ / shard));
}

SILICA_INLINE void Checkpoint::sort_names() {
    by_name_.resize(entries_.size());
    for (std::size_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
    const auto less = [this](std::size_t a, std::size_t b) { return entries_[a].name < entries_[b].name; };
    std::sort(by_name_.begin(), by_name_.end(), less);
    const auto twice = std::adjacent_find(by_name_.begin(), by_name_.end(), [this](std::size_t a, std::size_t b) {
        return entries_[a].name == entries_[b].name;
    });
    if (twice != by_name_.end())
        throw CheckpointError("Both " + file_of(entries_[twice[0]]).path().string() + " and " +
                                  file_of(entries_[twice[1]]).path().string() + " hold a tensor " +
                                  quote(entries_[*twice].name) + ", and the index names neither.",
                              "Remove the file that does not belong to the checkpoint, or save it again.");
}

SILICA_INLINE void Checkpoint::fail_missing(const std::filesystem::path& path, const Index& index,
                                            const std::vector<std::string>& missing) const {
    std::string names;
    for (std::size_t i = 0; i < missing.size() && i < 8; ++i) names += (i == 0 ? "" : " ") + missing[i];
    const auto origin = origin_of(path);
    throw CheckpointError(
        path.string() + " names " + std::to_string(index.shards.size()) + " files, of which " +
            std::to_string(missing.size()) + (missing.size() == 1 ? " is" : " are") + " missing: " + names +
            (missing.size() > 8 ? " ..." : "") + ".",
        origin ? "Run `" + download_line(origin->repo, origin->revision, missing.size() > 8 ? "" : names) + "`."
               : "Copy or download these files too, beside the index.");
}

}  // namespace silica::checkpoint
