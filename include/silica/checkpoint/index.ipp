#pragma once
/// Reads an index.

#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/impostor.hpp"
#include "silica/checkpoint/index.hpp"
#include "silica/checkpoint/origin.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/json_reader.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

namespace detail {

/// A file name without any way out of its directory.
SILICA_INLINE bool plain_file_name(std::string_view name) {
    if (name.empty() || name.size() > 255 || name == "." || name == "..") return false;
    for (const char c : name)
        if (c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20) return false;
    return true;
}

}  // namespace detail

SILICA_INLINE Index read_index(const std::filesystem::path& path) {
    constexpr std::uint64_t largest = 100'000'000;
    constexpr std::size_t most_shards = 10'000;
    const auto file = File::open(path);
    if (file->size() > largest)
        throw CheckpointError(path.string() + " is " + bytes(file->size()) + " long; an index has at most 100000000.",
                              fetch_again(path));
    refuse_impostor(*file);
    const std::string text = file->read_text(0, file->size());
    JsonReader json(text, path.string(), fetch_again(path));
    Index index;
    std::map<std::string, bool, std::less<>> shards;
    bool seen = false;
    json.object([&](const std::string& key) {
        if (key != "weight_map") return json.skip();
        if (std::exchange(seen, true)) json.fail("has 'weight_map' twice");
        json.object([&](std::string name) {
            std::string shard = json.string();
            if (!detail::plain_file_name(shard))
                json.fail("puts tensor " + quote(name) + " in " + quote(shard) +
                          ", which is not a file name in the directory of the index");
            shards[shard] = true;
            if (shards.size() > most_shards) json.fail("names more than 10000 files");
            const auto [at, added] = index.weight_map.emplace(std::move(name), std::move(shard));
            if (!added) json.fail("has tensor " + quote(at->first) + " twice");
        });
    });
    json.end();
    if (!seen) json.fail("has no 'weight_map'");
    if (shards.empty()) json.fail("has an empty 'weight_map'");
    for (auto& [shard, used] : shards) index.shards.push_back(shard);
    return index;
}

SILICA_INLINE std::vector<std::string> missing_shards(const Index& index, const std::filesystem::path& directory) {
    std::vector<std::string> missing;
    for (const auto& shard : index.shards)
        if (!is_listed(directory / shard)) missing.push_back(shard);
    return missing;
}

}  // namespace silica::checkpoint
