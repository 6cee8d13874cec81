#pragma once
/// From one rate to another, by SoXR.

#include "silica/core/compiled.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace silica::audio::detail {

/// SoXR in high quality over a sound that comes in pieces.
class Resampler {
public:
    /// InputError where SoXR does not go from one rate to the other.
    Resampler(std::int64_t from, std::int64_t to);

    /// Takes a piece and appends to `out` what comes of it and of those before.
    void add(std::span<const float> piece, std::vector<float>& out);
    /// The end of the sound: appends what is left.
    void finish(std::vector<float>& out);

private:
    struct Free {
        void operator()(void* handle) const;
    };
    void process(const float* in, std::size_t n, std::vector<float>& out);

    double ratio_;
    std::unique_ptr<void, Free> handle_;
};

}  // namespace silica::audio::detail

#ifndef SILICA_COMPILED
#include "silica/input/audio/resampler.ipp"
#endif
