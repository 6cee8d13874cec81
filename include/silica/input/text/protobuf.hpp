#pragma once
/// Reading protobuf messages field by field, never past their end.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace silica::text {

/// Walks over the fields of a message. After `next()` returned true, `field()` and `wire()` tell what there is; then
/// `number()` or `bytes()` hold its value. `damaged()` says whether the message broke off.
class ProtobufReader {
public:
    explicit ProtobufReader(std::string_view message) : rest_(message) {}

    [[nodiscard]] bool next() {
        if (damaged_ || rest_.empty()) return false;
        const std::uint64_t tag = varint();
        field_ = tag >> 3;
        wire_ = static_cast<unsigned>(tag & 7);
        if (field_ == 0) damaged_ = true;
        switch (wire_) {
            case 0:
                number_ = varint();
                break;
            case 1:
                number_ = fixed(8);
                break;
            case 2:
                take(varint());
                break;
            case 5:
                number_ = fixed(4);
                break;
            default:
                damaged_ = true;
        }
        return !damaged_;
    }
    [[nodiscard]] std::uint64_t field() const noexcept { return field_; }
    [[nodiscard]] unsigned wire() const noexcept { return wire_; }
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
    [[nodiscard]] bool damaged() const noexcept { return damaged_; }

private:
    [[nodiscard]] std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) break;
            const auto byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            value |= std::uint64_t{byte & 0x7FU} << shift;
            if (byte < 0x80) return value;
        }
        damaged_ = true;
        return 0;
    }
    [[nodiscard]] std::uint64_t fixed(std::size_t n) {
        if (rest_.size() < n) {
            damaged_ = true;
            return 0;
        }
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < n; ++i) {
            value |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
        }
        rest_.remove_prefix(n);
        return value;
    }
    void take(std::uint64_t n) {
        if (damaged_ || n > rest_.size()) {
            damaged_ = true;
            return;
        }
        bytes_ = rest_.substr(0, static_cast<std::size_t>(n));
        rest_.remove_prefix(static_cast<std::size_t>(n));
    }

    std::string_view rest_, bytes_;
    std::uint64_t field_ = 0, number_ = 0;
    unsigned wire_ = 0;
    bool damaged_ = false;
};

}  // namespace silica::text
