#pragma once
/// In what form the matrices of a checkpoint lie: what `quantization_config` and its kin say.

#include "silica/core/json.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::checkpoint {

/// How linear layers are stored. Which of them are is told by the tensors themselves.
struct Scheme {
    enum class Method { plain, awq, gptq, compressed_tensors, bitsandbytes, mlx };

    Method method = Method::plain;
    std::int64_t bits = 4;
    std::optional<std::int64_t> group = {};  ///< columns of a group; -1: all of them
    bool symmetric = false;                  ///< GPTQ: the zero is the middle code, whatever the file has
    bool zeros_as_they_are = false;          ///< GPTQ v2; v1 stores them less one
    Json modules = {};                       ///< MLX: overrides by the names of modules
    std::vector<std::string> notes = {};     ///< for the account

    /// What config.json says, here or in a configuration inside (text_config, ...); nothing where it says none.
    /// ConfigError for a form that is not read, which lists those that are; so do the others.
    [[nodiscard]] static std::optional<Scheme> read(const Json& json, const std::string& file);
    /// What a file of its own says, as GPTQ and AWQ had it in 2023.
    [[nodiscard]] static Scheme read_file(const Json& json, const std::string& file, Method method);
    /// What the object under `key` ("quantization_config") says.
    [[nodiscard]] static Scheme read_object(const Json& json, const std::string& file, std::string_view key);
};

/// "Read are ...", for refusals.
[[nodiscard]] const std::string& forms_that_are_read();

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/scheme.ipp"
#endif
