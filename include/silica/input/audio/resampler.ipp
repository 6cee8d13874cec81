#pragma once
/// SoXR, one channel of float32.

#include "silica/core/error.hpp"
#include "silica/input/audio/resampler.hpp"

#include <new>
#include <string>

#include <soxr.h>

namespace silica::audio::detail {

SILICA_INLINE void Resampler::Free::operator()(void* handle) const { soxr_delete(static_cast<soxr_t>(handle)); }

SILICA_INLINE Resampler::Resampler(std::int64_t from, std::int64_t to)
    : ratio_(static_cast<double>(to) / static_cast<double>(from)) {
    soxr_error_t error = nullptr;
    const auto form = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    const auto quality = soxr_quality_spec(SOXR_HQ, 0);
    const auto runtime = soxr_runtime_spec(1);
    handle_.reset(
        soxr_create(static_cast<double>(from), static_cast<double>(to), 1, &error, &form, &quality, &runtime));
    if (error != nullptr || !handle_) {
        throw InputError("Sound of " + std::to_string(from) + " samples in a second does not become sound of " +
                             std::to_string(to) + ": SoXR says '" + (error != nullptr ? error : "no memory") + "'.",
                         "Convert the sound to a rate such as 16000 or 48000 first.");
    }
}

SILICA_INLINE void Resampler::process(const float* in, std::size_t n, std::vector<float>& out) {
    // More than can come of it, so that all is taken at once; at the end as often as something comes.
    while (true) {
        const auto begin = out.size(), room = static_cast<std::size_t>(static_cast<double>(n) * ratio_) + 4096;
        out.resize(begin + room);
        std::size_t taken = 0, given = 0;
        const auto error =
            soxr_process(static_cast<soxr_t>(handle_.get()), in, n, &taken, out.data() + begin, room, &given);
        if (error != nullptr) throw std::bad_alloc();
        out.resize(begin + given);
        if (in == nullptr ? given == 0 : taken == n && given < room) return;
        if (in != nullptr) in += taken, n -= taken;
    }
}

SILICA_INLINE void Resampler::add(std::span<const float> piece, std::vector<float>& out) {
    if (!piece.empty()) process(piece.data(), piece.size(), out);
}

SILICA_INLINE void Resampler::finish(std::vector<float>& out) { process(nullptr, 0, out); }

}  // namespace silica::audio::detail
