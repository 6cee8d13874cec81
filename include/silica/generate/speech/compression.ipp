#pragma once
/// How repetitive a text is.

#include "silica/generate/speech/compression.hpp"

#include <cmath>
#include <vector>

#ifdef SILICA_ZLIB
#include <zlib.h>
#endif

namespace silica::generate {

SILICA_INLINE std::optional<double> compression_ratio([[maybe_unused]] std::span<const std::int64_t> tokens,
                                                      [[maybe_unused]] std::int64_t vocab_size) {
#ifdef SILICA_ZLIB
    if (tokens.empty() || vocab_size < 1) return {};
    const auto width = static_cast<unsigned>(std::log2(static_cast<double>(vocab_size)) / 8) + 1;
    std::vector<Bytef> bytes;
    for (const auto token : tokens) {
        for (unsigned i = 0; i < width; ++i)
            bytes.push_back(static_cast<Bytef>(static_cast<std::uint64_t>(token) >> 8U * i & 0xffU));
    }
    uLongf size = compressBound(static_cast<uLong>(bytes.size()));
    std::vector<Bytef> made(size);
    if (compress(made.data(), &size, bytes.data(), static_cast<uLong>(bytes.size())) != Z_OK) return {};
    return static_cast<double>(bytes.size()) / static_cast<double>(size);
#else
    return {};
#endif
}

}  // namespace silica::generate
