#pragma once
/// Numbers and names at any place of a file.

#include "silica/input/media/source.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace silica::media {

/// A few bytes of a file at a time, read in larger pieces.
class Window {
public:
    explicit Window(Source& source) : source_(source) {}

    /// Up to `n` <= 4096 bytes at `offset`; fewer at the end of the file.
    [[nodiscard]] std::string_view text(std::uint64_t offset, std::size_t n) {
        if (offset < begin_ || offset + n > begin_ + count_) {
            begin_ = offset;
            count_ = source_.read(offset, std::as_writable_bytes(std::span(bytes_)));
        }
        return std::string_view(bytes_.data(), count_).substr(static_cast<std::size_t>(offset - begin_), n);
    }
    /// A number of n <= 8 bytes, the most significant first; what the file lacks counts as 0.
    [[nodiscard]] std::uint64_t big(std::uint64_t offset, std::size_t n) {
        const auto bytes = text(offset, n);
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < n; ++i) value = value << 8U | (i < bytes.size() ? byte(bytes[i]) : 0U);
        return value;
    }
    /// The least significant first.
    [[nodiscard]] std::uint64_t little(std::uint64_t offset, std::size_t n) {
        const auto bytes = text(offset, n);
        std::uint64_t value = 0;
        for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8U | byte(bytes[i]);
        return value;
    }
    [[nodiscard]] bool begins(std::uint64_t offset, std::string_view bytes) {
        return text(offset, bytes.size()) == bytes;
    }
    [[nodiscard]] Source& source() const noexcept { return source_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return source_.size(); }

private:
    [[nodiscard]] static unsigned byte(char c) noexcept { return static_cast<unsigned char>(c); }

    Source& source_;
    std::array<char, 1U << 16U> bytes_;
    std::uint64_t begin_ = 0;
    std::size_t count_ = 0;
};

}  // namespace silica::media
