#pragma once
/// Writes GGUF files, of any content.

#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace silica::test {

/// Puts a GGUF file together: metadata, then tensors with their bytes.
class GgufWriter {
public:
    /// `value` in `width` bytes, the low one first.
    static std::string number(std::uint64_t value, int width) {
        std::string out;
        for (int i = 0; i < width; ++i) out += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
        return out;
    }
    static std::string text(const std::string& s) { return number(s.size(), 8) + s; }

    GgufWriter& add(const std::string& key, int value) {
        return raw(key, 4, number(static_cast<std::uint64_t>(value), 4));
    }
    GgufWriter& add(const std::string& key, bool value) { return raw(key, 7, number(value ? 1 : 0, 1)); }
    GgufWriter& add(const std::string& key, const char* value) { return raw(key, 8, text(value)); }
    GgufWriter& add(const std::string& key, float value) {
        return raw(key, 6, number(std::bit_cast<std::uint32_t>(value), 4));
    }
    /// `items` as the bytes of GGUF's `type`.
    GgufWriter& list(const std::string& key, int type, const std::vector<std::string>& items) {
        std::string bytes = number(static_cast<std::uint64_t>(type), 4) + number(items.size(), 8);
        for (const auto& item : items) bytes += item;
        return raw(key, 9, bytes);
    }
    GgufWriter& texts(const std::string& key, const std::vector<std::string>& items) {
        std::vector<std::string> bytes;
        for (const auto& item : items) bytes.push_back(text(item));
        return list(key, 8, bytes);
    }
    /// `shape` as GGUF has it, the columns first.
    GgufWriter& tensor(const std::string& name, std::vector<std::int64_t> shape, int type, std::string bytes) {
        tensors_.push_back({name, std::move(shape), type, std::move(bytes)});
        return *this;
    }

    [[nodiscard]] std::string file(std::uint64_t version = 3) const {
        std::string head = "GGUF" + number(version, 4) + number(tensors_.size(), 8) + number(keys_, 8) + metadata_;
        std::string data;
        for (const auto& t : tensors_) {
            head += text(t.name) + number(t.shape.size(), 4);
            for (const auto size : t.shape) head += number(static_cast<std::uint64_t>(size), 8);
            head += number(static_cast<std::uint64_t>(t.type), 4) + number(data.size(), 8);
            data += t.bytes;
            data.resize((data.size() + 31) / 32 * 32);
        }
        head.resize((head.size() + 31) / 32 * 32);
        return head + data;
    }

private:
    struct Entry {
        std::string name;
        std::vector<std::int64_t> shape;
        int type;
        std::string bytes;
    };
    GgufWriter& raw(const std::string& key, int type, const std::string& bytes) {
        metadata_ += text(key) + number(static_cast<std::uint64_t>(type), 4) + bytes;
        ++keys_;
        return *this;
    }
    std::string metadata_;
    std::uint64_t keys_ = 0;
    std::vector<Entry> tensors_;
};

}  // namespace silica::test
