#pragma once
/// The golden sounds (tests/golden/make_sounds.py), and sounds made here.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/directory.hpp"

namespace silica::test {

inline std::filesystem::path sound(const std::string& name) {
    return std::filesystem::path(SILICA_TESTS_DIR) / "golden" / "sounds" / name;
}

template <class T>
std::vector<T> numbers_of(const std::filesystem::path& path) {
    const auto bytes = read_file(path);
    REQUIRE(!bytes.empty());
    std::vector<T> made(bytes.size() / sizeof(T));
    std::memcpy(made.data(), bytes.data(), made.size() * sizeof(T));
    return made;
}

inline std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

template <class A, class B>
double largest_difference(const A& a, const B& b) {
    REQUIRE(a.size() == b.size());
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    return most;
}

/// As make_sounds.py makes it.
inline std::vector<float> noise(std::size_t count, std::uint32_t seed) {
    std::vector<float> made(count);
    for (std::size_t i = 0; i < count; ++i) {
        seed = seed * 1664525U + 1013904223U;
        made[i] = std::ldexp((static_cast<float>(seed >> 16U) - 32768) / 32768, -static_cast<int>(i / 1000 % 8));
    }
    return made;
}

/// `count` bytes of `value`, the least significant first.
inline std::string little(std::uint64_t value, std::size_t count) {
    std::string made;
    for (std::size_t i = 0; i < count; ++i) made += static_cast<char>(value >> 8 * i & 0xFFU);
    return made;
}

/// The head of a WAV file: `format` 1 is integers, 3 is floating point.
inline std::string wav_head(unsigned format, unsigned channels, std::uint32_t rate, unsigned bits, std::uint64_t data) {
    const unsigned frame = channels * bits / 8;
    return "RIFF" + little(36 + data, 4) + "WAVEfmt " + little(16, 4) + little(format, 2) + little(channels, 2) +
           little(rate, 4) + little(std::uint64_t{rate} * frame, 4) + little(frame, 2) + little(bits, 2) + "data" +
           little(data, 4);
}

/// A WAV file of floating point, one channel.
inline std::string float_wav(std::span<const float> samples, std::uint32_t rate) {
    return wav_head(3, 1, rate, 32, samples.size_bytes()) +
           std::string(reinterpret_cast<const char*>(samples.data()), samples.size_bytes());
}

}  // namespace silica::test
