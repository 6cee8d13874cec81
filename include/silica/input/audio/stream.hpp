#pragma once
/// The sound of a file, piece by piece.

#include "silica/core/compiled.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::audio {

/// What `read` (read.hpp) gives, a piece at a time, within a few MB however long the file is:
///
///     auto stream = audio::Stream::open("lecture.flac", 16000);
///     while (true) {
///         const std::vector<float> piece = stream.read(160000);              // 10 s
///         if (piece.empty()) break;
///         ...
///     }
///
/// Files are refused as `read` refuses them, some only where the damage is reached. One caller at a time.
class Stream {
public:
    /// Opens a file. `rate` is that of the samples which are given.
    [[nodiscard]] static Stream open(const std::filesystem::path& path, std::int64_t rate);
    /// The same for a file whose bytes are in memory, and stay there. `name` stands for it in errors.
    [[nodiscard]] static Stream open(std::span<const std::byte> file, std::string_view name, std::int64_t rate);

    Stream(Stream&&) noexcept;
    Stream& operator=(Stream&&) noexcept;
    ~Stream();

    /// Fills `to` with the next samples -> how many; fewer than its size only at the end of the sound.
    /// InputError where the file is damaged.
    std::size_t read(std::span<float> to);
    /// The next `n` samples, fewer at the end of the sound. InputError for less than 0 too.
    [[nodiscard]] std::vector<float> read(std::int64_t n);

    [[nodiscard]] std::int64_t rate() const noexcept;
    /// How many samples were given.
    [[nodiscard]] std::int64_t position() const noexcept;
    /// How many samples there are in all, where the file says so at its beginning.
    [[nodiscard]] std::optional<std::int64_t> length() const noexcept;
    /// The file, as errors name it.
    [[nodiscard]] const std::string& name() const noexcept;

private:
    struct State;
    explicit Stream(std::unique_ptr<State> state) noexcept;

    std::unique_ptr<State> state_;
};

}  // namespace silica::audio

#ifndef SILICA_COMPILED
#include "silica/input/audio/stream.ipp"
#endif
