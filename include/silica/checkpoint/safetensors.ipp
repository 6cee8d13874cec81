#pragma once
/// The parser of safetensors headers.

#include "silica/checkpoint/impostor.hpp"
#include "silica/checkpoint/origin.hpp"
#include "silica/checkpoint/safetensors.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/json_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

namespace detail {

inline constexpr std::uint64_t longest_header = 100'000'000;  // the reference's limit
inline constexpr std::size_t most_tensors = 500'000, most_metadata = 100'000, most_dimensions = 64;

/// Reads the header of one file. Used once per file.
class SafetensorsParser {
public:
    SafetensorsParser(const File& file, std::size_t index) : file_(file), path_(file.path().string()), index_(index) {}

    [[nodiscard]] SafetensorsHeader parse() && {
        const std::string text = header_text();
        JsonReader json(text, path_ + ": the header", fetch_again(file_.path()));
        json_ = &json;
        bool metadata_seen = false;
        if (json.peek() != '{') json.fail("should be a JSON object");
        json.object([&](std::string name) {
            if (name != "__metadata__") return tensor(std::move(name));
            if (std::exchange(metadata_seen, true)) json.fail("has '__metadata__' twice");
            if (json.null()) return;
            json.object([&](std::string key) {
                if (header_.metadata.size() == most_metadata) json.fail("has more than 100000 lines of metadata");
                header_.metadata[std::move(key)] = json.string();
            });
        });
        json.end();
        check_names();
        check_layout();
        const auto format = header_.metadata.find("format");
        const bool mlx = format != header_.metadata.end() && format->second == "mlx";
        for (auto& entry : header_.entries) entry.mlx = mlx;
        return std::move(header_);
    }

private:
    [[nodiscard]] std::string header_text() {
        refuse_impostor(file_);
        const auto start = file_.read_text(0, std::min<std::uint64_t>(file_.size(), 8));
        if (start.starts_with("PK\x03\x04"))
            throw CheckpointError(path_ + " is a zip archive as torch.save writes them, not safetensors.",
                                  "Rename it to pytorch_model.bin.");
        if (start.size() < 8) refuse("is only " + bytes(start.size()) + " long, too short for a safetensors file");
        std::uint64_t length = 0;
        for (std::size_t i = 8; i-- > 0;) length = length << 8U | static_cast<unsigned char>(start[i]);
        if (length > longest_header)
            refuse("says that its header is " + bytes(length) + " long; safetensors allows 100000000");
        if (length > file_.size() - 8)
            refuse("says that its header is " + bytes(length) + " long, but only " + bytes(file_.size() - 8) +
                   " follow: it is cut short or not a safetensors file");
        data_ = 8 + length;
        return file_.read_text(8, length);
    }

    void tensor(std::string name) {
        if (header_.entries.size() == most_tensors) refuse("has more than 500000 tensors");
        TensorEntry entry = {std::move(name), at::ScalarType::Undefined, {}, {}, 0, 0, index_, {}};
        std::vector<std::uint64_t> offsets;
        bool has_dtype = false, has_shape = false, has_offsets = false;
        if (json_->peek() != '{') json_->fail("should have an object for tensor " + quote(entry.name));
        json_->object([&](const std::string& key) {
            const auto once = [&](bool& seen) {
                if (std::exchange(seen, true))
                    json_->fail("has " + quote(key) + " twice for tensor " + quote(entry.name));
            };
            if (key == "dtype") {
                once(has_dtype);
                entry.dtype_name = json_->string();
            } else if (key == "shape") {
                once(has_shape);
                json_->array([&] { dimension(entry); });
            } else if (key == "data_offsets") {
                once(has_offsets);
                json_->array([&] {
                    if (offsets.size() == 2)
                        json_->fail("should have two data_offsets for tensor " + quote(entry.name));
                    offsets.push_back(json_->number([&] { return "a data offset of tensor " + quote(entry.name); }));
                });
            } else {
                json_->skip();
            }
        });
        if (!has_dtype || !has_shape || offsets.size() != 2)
            json_->fail("lacks dtype, shape or data_offsets for tensor " + quote(entry.name));
        place(entry, offsets[0], offsets[1]);
        header_.entries.push_back(std::move(entry));
    }

    void dimension(TensorEntry& entry) {
        const auto size = json_->number([&] { return "a dimension of tensor " + quote(entry.name); });
        if (entry.shape.size() == most_dimensions)
            json_->fail("gives tensor " + quote(entry.name) + " more than 64 dimensions");
        if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            json_->fail("gives tensor " + quote(entry.name) + " a dimension of " + std::to_string(size));
        entry.shape.push_back(static_cast<std::int64_t>(size));
    }

    void place(TensorEntry& entry, std::uint64_t begin, std::uint64_t end) {
        const auto dtype = format_dtype(entry.dtype_name);
        if (!dtype)
            refuse("has tensor " + quote(entry.name) + " of dtype " + quote(entry.dtype_name) +
                   ", which the safetensors format does not have");
        std::uint64_t bits = dtype->bits;
        bool empty = false;
        for (const auto size : entry.shape) {
            if (size == 0) empty = true;
            const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1));
            if (bits > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor)
                refuse("has tensor " + quote(entry.name) + " of shape " + tuple_text(entry.shape) +
                       ", more than any memory holds");
            bits *= factor;
        }
        if (empty) bits = 0;
        const std::uint64_t data_size = file_.size() - data_;
        const auto where = [&] {
            return "tensor " + quote(entry.name) + " at bytes " + std::to_string(begin) + " to " + std::to_string(end) +
                   " of its data";
        };
        if (end < begin) refuse("has " + where() + ": reversed offsets");
        if (end > data_size)
            refuse("has " + where() + ", of which it has only " + bytes(data_size) + ": it is cut short or damaged");
        if (bits % 8 != 0 || bits / 8 != end - begin)
            refuse("has " + where() + ", but " + entry.dtype_name + " of shape " + tuple_text(entry.shape) + " takes " +
                   (bits % 8 == 0 ? bytes(bits / 8) : std::to_string(bits) + " bits"));
        entry.dtype = dtype->dtype;
        entry.offset = data_ + begin;
        entry.nbytes = end - begin;
        entry.strides = row_major(entry.shape);
    }

    void check_names() {
        std::vector<const std::string*> names;
        names.reserve(header_.entries.size());
        for (const auto& entry : header_.entries) names.push_back(&entry.name);
        std::sort(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a < *b; });
        const auto twice =
            std::adjacent_find(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a == *b; });
        if (twice != names.end()) refuse("has tensor " + quote(**twice) + " twice");
    }

    /// The tensors must cover the data without gap or overlap, as the reference requires.
    void check_layout() {
        auto& entries = header_.entries;
        sort_by_place(entries);
        std::uint64_t end = data_;
        const TensorEntry* before = nullptr;
        for (const auto& entry : entries) {
            if (entry.offset < end)
                refuse("has tensors " + quote(before->name) + " and " + quote(entry.name) + " in the same bytes");
            if (entry.offset > end)
                refuse("has " + bytes(entry.offset - end) + " before tensor " + quote(entry.name) +
                       " that belong to no tensor");
            end = entry.offset + entry.nbytes;
            before = &entry;
        }
        if (end != file_.size())
            refuse("has " + bytes(file_.size() - end) + " after its last tensor that belong to none");
    }

    [[noreturn]] void refuse(const std::string& problem) const {
        throw CheckpointError(path_ + " " + problem + ".", fetch_again(file_.path()));
    }

    const File& file_;
    std::string path_;
    std::size_t index_;
    std::uint64_t data_ = 0;  // where the tensors' bytes begin
    JsonReader* json_ = nullptr;
    SafetensorsHeader header_;
};

}  // namespace detail

SILICA_INLINE SafetensorsHeader read_safetensors(const File& file, std::size_t index) {
    return detail::SafetensorsParser(file, index).parse();
}

}  // namespace silica::checkpoint
