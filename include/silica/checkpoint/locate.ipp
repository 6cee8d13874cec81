#pragma once
/// Definitions of locate.hpp.

#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/locate.hpp"
#include "silica/checkpoint/origin.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/gguf.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <system_error>
#include <vector>

namespace silica::checkpoint {

namespace detail {

/// The names in `directory`, sorted; at most 20 and then "...".
SILICA_INLINE std::string listing(const std::filesystem::path& directory) {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
        names.push_back(at->path().filename().string());
        if (names.size() == 1000) break;
    }
    std::sort(names.begin(), names.end());
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < 20; ++i) text += (i == 0 ? "" : ", ") + quote(names[i]);
    return names.size() > 20 ? text + ", ..." : text.empty() ? "nothing" : text;
}

SILICA_INLINE bool has_any(const std::filesystem::path& directory, std::initializer_list<std::string_view> names) {
    return std::any_of(names.begin(), names.end(), [&](auto name) { return is_listed(directory / name); });
}

/// Whether huggingface_hub has noted that the repository of a snapshot has no such file.
SILICA_INLINE bool noted_absent(const std::filesystem::path& snapshot, std::string_view name) {
    return is_listed(snapshot.parent_path().parent_path() / ".no_exist" / snapshot.filename() / name);
}

SILICA_INLINE std::string remedy_without_weights(const std::filesystem::path& directory) {
    const auto origin = origin_of(directory);
    if (is_listed(directory / "adapter_config.json")) {
        return "adapter_config.json makes it a PEFT adapter, not a model: merge it into its base model "
               "(model.merge_and_unload().save_pretrained(...)) and open that.";
    }
    if (has_any(directory, {"tf_model.h5", "flax_model.msgpack", "model.onnx", "rust_model.ot"})) {
        return "These are weights of another framework: get model.safetensors of the same model" +
               (origin ? ", `" + download_line(origin->repo, {}, "model.safetensors") +
                             "` (some repositories have it on --revision refs/pr/1 only)"
                       : std::string()) +
               ", or convert them with transformers: AutoModel.from_pretrained(..., from_tf or from_flax=True)."
               "save_pretrained(...).";
    }
    if (origin && noted_absent(directory, "model.safetensors") &&
        noted_absent(directory, "model.safetensors.index.json"))
        return "Run `" + download_line(origin->repo, origin->revision, "--include \"*.bin*\"") +
               "`: the repository has no safetensors.";
    if (origin)
        return "Run `" + download_line(origin->repo, origin->revision, "--include \"*.safetensors*\"") +
               "` (\"*.bin*\" where the repository has no safetensors).";
    return "Put model.safetensors, or model.safetensors.index.json with its shards, there, or name the file itself.";
}

}  // namespace detail

SILICA_INLINE void refuse_adapter(const std::filesystem::path& directory) {
    if (!is_listed(directory / "adapter_config.json")) return;
    throw CheckpointError(
        directory.string() + " holds a PEFT adapter (adapter_config.json): it changes the weights of its base model.",
        "Merge it (model.merge_and_unload().save_pretrained(...)) and open the result, or remove adapter_config.json "
        "to open base weights that lie beside it as they are.");
}

SILICA_INLINE bool is_gguf(const std::filesystem::path& place) {
    std::error_code ignored;
    return place.extension() == ".gguf" && std::filesystem::is_regular_file(place, ignored);
}

SILICA_INLINE std::filesystem::path files_beside(const std::filesystem::path& place) {
    std::error_code ignored;
    if (is_gguf(place) || !std::filesystem::is_regular_file(place, ignored)) return place;
    return place.has_parent_path() ? place.parent_path() : std::filesystem::path(".");
}

SILICA_INLINE std::filesystem::path locate_weights(const std::filesystem::path& directory) {
    std::error_code ignored;
    if (is_gguf(directory)) return directory;
    for (const auto name : weight_files) {
        auto path = directory / name;
        if (!is_listed(path)) continue;
        if (!std::filesystem::exists(path, ignored)) static_cast<void>(File::open(path));  // says what it points to
        return path;
    }
    if (auto gguf = find_gguf(directory)) return *std::move(gguf);
    throw CheckpointError("The directory " + directory.string() +
                              " holds no weights (model.safetensors, "
                              "pytorch_model.bin, an index of either, or a .gguf file). It has " +
                              detail::listing(directory) + ".",
                          detail::remedy_without_weights(directory));
}

}  // namespace silica::checkpoint
