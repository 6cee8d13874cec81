#pragma once
/// Reads what the files of a directory say about quantised weights.

#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/read_scheme.hpp"
#include "silica/core/compiled.hpp"

#include <string>
#include <utility>

namespace silica::checkpoint {

SILICA_INLINE Scheme read_scheme(const std::filesystem::path& directory) {
    if (is_listed(directory / "config.json")) {
        const Json json = read_json_file(directory, "config.json");
        if (auto found = Scheme::read(json, (directory / "config.json").string())) return *std::move(found);
    }
    for (const auto& [name, method] : {std::pair("quantize_config.json", Scheme::Method::gptq),
                                       std::pair("quant_config.json", Scheme::Method::awq)}) {
        if (!is_listed(directory / name)) continue;
        return Scheme::read_file(read_json_file(directory, name), (directory / name).string(), method);
    }
    return {};
}

}  // namespace silica::checkpoint
