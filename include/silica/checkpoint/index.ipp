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
#include <set>
#include <string>
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
    bool seen = false;
    json.object([&](const std::string& key) {
        if (key != "weight_map") return json.skip();
        seen = true;
        index.weight_map.clear();
        json.object([&](std::string name) {
            std::string shard = json.string();
            if (!detail::plain_file_name(shard))
                json.fail("puts tensor " + quote(name) + " in " + quote(shard) +
                          ", which is not a file name in the directory of the index");
            index.weight_map.insert_or_assign(std::move(name), std::move(shard));
        });
    });
    json.end();
    if (!seen) json.fail("has no 'weight_map'");
    if (index.weight_map.empty()) json.fail("has an empty 'weight_map'");
    const auto shards = [&] {
        std::set<std::string_view> names;
        for (const auto& [name, shard] : index.weight_map) names.insert(shard);
        return names;
    }();
    if (shards.size() > most_shards) json.fail("names more than 10000 files");
    index.shards.assign(shards.begin(), shards.end());
    return index;
}

SILICA_INLINE std::vector<std::string> missing_shards(const Index& index, const std::filesystem::path& directory) {
    std::vector<std::string> missing;
    for (const auto& shard : index.shards)
        if (!is_listed(directory / shard)) missing.push_back(shard);
    return missing;
}

}  // namespace silica::checkpoint
