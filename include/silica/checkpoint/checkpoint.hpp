#pragma once
/// A checkpoint on disk: all of its tensors by name, whatever files and format hold them.
///
/// Nothing of the tensors themselves is read here; that is the loaders' work (`loader/`).

#include "silica/checkpoint/entry.hpp"
#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/index.hpp"
#include "silica/checkpoint/locate.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace silica::checkpoint {

/// The tensors of a checkpoint and the open files they lie in. Copies share the files.
class Checkpoint {
public:
    /// Opens a directory (the first of `weight_files` in it, else its GGUF file) or one file: safetensors, torch, an
    /// index of either, or GGUF. CheckpointError for anything missing, damaged or dangerous; see `read_safetensors`,
    /// `read_torch`, `read_index`, `gguf_entries`.
    [[nodiscard]] static Checkpoint open(const std::filesystem::path& dir_or_file);

    /// Every tensor, in the order of the files' bytes.
    [[nodiscard]] const std::vector<TensorEntry>& entries() const noexcept { return entries_; }

    /// The tensor of that name as the file spells it; null when there is none.
    [[nodiscard]] const TensorEntry* find(std::string_view name) const noexcept;

    /// Takes the tensors of `other` in the place of those of the same names here: an adapter's, whose file holds some
    /// of a model's tensors again.
    void replace(const Checkpoint& other);

    /// The files, one per shard; TensorEntry::file counts them.
    [[nodiscard]] const std::vector<std::shared_ptr<const File>>& files() const noexcept { return files_; }

    /// The file that holds `entry`.
    [[nodiscard]] const File& file_of(const TensorEntry& entry) const { return *files_.at(entry.file); }

    /// The text metadata of safetensors files (`format`, ...); the first shard's where they differ. A GGUF file's
    /// strings and numbers.
    [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }

    /// The bytes of all tensors; those that share bytes (tied weights) are counted once.
    [[nodiscard]] std::uint64_t total_bytes() const;

    /// Where config.json and the tokenizer are looked for: the directory of the weights.
    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

    /// Tells loaders to have no more than one tensor, or some rows of it, at a time in memory as the file has it: what
    /// is made of it is less.
    void read_one_by_one() noexcept { one_by_one_ = true; }
    [[nodiscard]] bool one_by_one() const noexcept { return one_by_one_; }

    /// "safetensors", "safetensors, 3 shards", "torch zip", "GGUF", ...
    [[nodiscard]] const std::string& format() const noexcept { return format_; }

private:
    [[nodiscard]] static bool torch_name(const std::filesystem::path& path);

    /// Adds the tensors of one file and returns the name of its format.
    std::string add(const std::filesystem::path& path);

    /// Adds all shards of an index. A tensor that a shard holds and the index does not name is taken as found; one that
    /// two shards hold is taken from the shard the index names.
    void add_shards(const std::filesystem::path& path);

    void sort_names();

    [[noreturn]] void fail_missing(const std::filesystem::path& path, const Index& index,
                                   const std::vector<std::string>& missing) const;

    std::filesystem::path directory_;
    std::string format_;
    bool one_by_one_ = false;
    std::vector<TensorEntry> entries_;
    std::vector<std::size_t> by_name_;  // indexes of entries_, sorted by name
    std::vector<std::shared_ptr<const File>> files_;
    std::map<std::string, std::string> metadata_;
};

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/checkpoint.ipp"
#endif
