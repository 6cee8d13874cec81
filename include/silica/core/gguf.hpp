#pragma once
/// The header of a GGUF file: metadata, and where its tensors lie. llama.cpp's format
/// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3, little endian.

#include "silica/core/compiled.hpp"
#include "silica/core/find_gguf.hpp"
#include "silica/core/ggml_type.hpp"
#include "silica/core/json.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica {

/// What a GGUF file says about itself.
struct Gguf {
    /// A tensor. Everything here has been checked against the file's size.
    struct Tensor {
        std::string name = {};                 ///< as llama.cpp spells it: "blk.0.attn_q.weight"
        const GgmlType* type = nullptr;        ///< never null
        std::vector<std::int64_t> shape = {};  ///< row-major: rows, columns
        std::uint64_t offset = 0, nbytes = 0;  ///< from the start of the file
        std::size_t file = 0;                  ///< which of `files` that is
    };

    std::filesystem::path path = {};
    std::vector<std::filesystem::path> files = {};  ///< `path`, and the other parts of a model that was split
    Json metadata = Json(Json::Object{});           ///< by key: "llama.block_count"; a float32 is its shortest decimal
    std::vector<Tensor> tensors = {};

    /// Reads the header of a file, and where it is a part of a model ("-00002-of-00003.gguf") those of all, the
    /// metadata being the first one's; without `lists` the long ones of the metadata (tokens, merges) are passed
    /// over, and null. CheckpointError for what is damaged, cut short, missing, or of another version.
    [[nodiscard]] static Gguf open(const std::filesystem::path& path, bool lists = true);

    /// The value of a key; null where there is none.
    [[nodiscard]] const Json* find(std::string_view key) const { return metadata.find(key); }
    /// The string of a key; empty where there is none. CheckpointError for a value of another kind.
    [[nodiscard]] std::string text(std::string_view key) const;
    /// The same for a whole number, or one for each layer, where all are the same.
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const;
    /// The same for true or false.
    [[nodiscard]] std::optional<bool> boolean(std::string_view key) const;
    /// The list of a key; null where there is none. CheckpointError for a value of another kind.
    [[nodiscard]] const Json::Array* list(std::string_view key) const;

    /// Throws the CheckpointError that this file `problem`s: "holds no tokens".
    [[noreturn]] void fail(const std::string& problem) const;
};

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/core/gguf.ipp"
#endif
