#pragma once
/// The parser of GGUF headers.

#include "silica/core/error.hpp"
#include "silica/core/gguf.hpp"
#include "silica/core/gguf_integer.hpp"
#include "silica/core/impostor.hpp"
#include "silica/core/quote.hpp"
#include "silica/core/utf8.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <system_error>
#include <type_traits>
#include <utility>

namespace silica {

namespace gguf_detail {

inline constexpr std::uint64_t most_keys = 100'000, most_tensors = 500'000, most_values = 8'000'000;

/// `x` as the shortest decimal that reads back as this float: 1e-05, not 9.99999974737875e-06.
inline double shortest(float x) {
    if (!std::isfinite(x)) return static_cast<double>(x);
    char text[32];
    for (int digits = 6; digits <= 9; ++digits) {
        std::snprintf(text, sizeof text, "%.*g", digits, static_cast<double>(x));
        if (std::strtof(text, nullptr) == x) break;
    }
    return std::strtod(text, nullptr);
}

/// Reads one header from its first byte to its last.
class Parser {
public:
    Parser(const std::filesystem::path& path, bool lists) : path_(path), in_(path, std::ios::binary), lists_(lists) {
        std::error_code error;
        size_ = std::filesystem::file_size(path, error);
        made_.path = path;
        if (error || !in_)
            throw CheckpointError("Opening " + path.string() + " failed.",
                                  "Check the path, and that you may read the file.");
    }

    [[nodiscard]] Gguf parse() && {
        std::string magic = bytes(std::min<std::uint64_t>(size_, impostor_bytes));
        if (const auto found = impostor(magic))
            throw CheckpointError(path_.string() + " is " + std::string(found->what) + ", not the file itself.",
                                  std::string(found->remedy));
        if (!magic.starts_with("GGUF")) made_.fail("is no GGUF file: it does not begin with GGUF");
        in_.seekg(4);
        at_ = 4;
        const auto version = number<std::uint32_t>();
        if (version != 0 && version % 65536 == 0) made_.fail("is a GGUF file of a big-endian machine");
        if (version != 2 && version != 3)
            made_.fail("is GGUF of version " + std::to_string(version) + ", where 2 and 3 are read");
        const auto tensors = number<std::uint64_t>(), keys = number<std::uint64_t>();
        if (tensors > most_tensors) made_.fail("says that it has " + std::to_string(tensors) + " tensors");
        if (keys > most_keys) made_.fail("says that it has " + std::to_string(keys) + " keys");
        metadata(keys);
        for (std::uint64_t i = 0; i < tensors; ++i) tensor();
        place();
        return std::move(made_);
    }

private:
    [[nodiscard]] std::string bytes(std::uint64_t n) {
        if (n > size_ - at_) made_.fail("ends within its header: it is cut short or damaged");
        std::string text(static_cast<std::size_t>(n), '\0');
        if (!in_.read(text.data(), static_cast<std::streamsize>(n))) made_.fail("cannot be read");
        at_ += n;
        return text;
    }

    void skip(std::uint64_t n) {
        if (n > size_ - at_) made_.fail("ends within its header: it is cut short or damaged");
        if (!in_.ignore(static_cast<std::streamsize>(n))) made_.fail("cannot be read");
        at_ += n;
    }

    template <class T>
    [[nodiscard]] T number() {
        unsigned char raw[sizeof(T)];
        if (sizeof(T) > size_ - at_) made_.fail("ends within its header: it is cut short or damaged");
        if (!in_.read(reinterpret_cast<char*>(raw), sizeof raw)) made_.fail("cannot be read");
        at_ += sizeof raw;
        std::uint64_t value = 0;
        for (std::size_t i = sizeof raw; i-- > 0;) value = value << 8U | raw[i];
        if constexpr (std::is_same_v<T, float>)
            return std::bit_cast<float>(static_cast<std::uint32_t>(value));
        else if constexpr (std::is_same_v<T, double>)
            return std::bit_cast<double>(value);
        else
            return static_cast<T>(value);
    }

    [[nodiscard]] std::string text(const char* what) {
        std::string read = bytes(number<std::uint64_t>());
        if (first_bad_utf8(read) != read.size()) made_.fail(std::string("has ") + what + " that is not UTF-8");
        return read;
    }

    void metadata(std::uint64_t keys) {
        Json::Object all;
        std::vector<std::string> names;
        for (std::uint64_t i = 0; i < keys; ++i) {
            std::string key = text("a key");
            const auto type = number<std::uint32_t>();
            names.push_back(key);
            all.emplace_back(std::move(key), value(type, 0));
        }
        std::sort(names.begin(), names.end());
        if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
            made_.fail("has the key " + quote(*twice) + " twice");
        made_.metadata = Json(std::move(all));
    }

    [[nodiscard]] Json value(std::uint32_t type, int depth) {
        if (++values_ > most_values) made_.fail("has more than 8000000 values in its metadata");
        const auto integer = [](auto x) { return Json(static_cast<std::int64_t>(x)); };
        switch (type) {
            case 0:
                return integer(number<std::uint8_t>());
            case 1:
                return integer(number<std::int8_t>());
            case 2:
                return integer(number<std::uint16_t>());
            case 3:
                return integer(number<std::int16_t>());
            case 4:
                return integer(number<std::uint32_t>());
            case 5:
                return integer(number<std::int32_t>());
            case 6:
                return Json(shortest(number<float>()));
            case 7:
                return Json(number<std::uint8_t>() != 0);
            case 8:
                return Json(bytes(number<std::uint64_t>()));
            case 9:
                return list(depth);
            case 10: {
                const auto x = number<std::uint64_t>();
                if (x > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
                    return Json(LongInteger{std::to_string(x)});
                return integer(x);
            }
            case 11:
                return integer(number<std::int64_t>());
            case 12:
                return Json(number<double>());
            default:
                made_.fail("has a value of type " + std::to_string(type) + ", which GGUF does not have");
        }
    }

    [[nodiscard]] Json list(int depth) {
        if (depth == 4) made_.fail("has lists in lists in lists in lists");
        const auto type = number<std::uint32_t>();
        const auto n = number<std::uint64_t>();
        if (n > size_ - at_) made_.fail("ends within its header: it is cut short or damaged");
        Json::Array all;
        for (std::uint64_t i = 0; i < n; ++i) {
            if (lists_ || type != 8)
                all.push_back(value(type, depth + 1));
            else
                skip(number<std::uint64_t>());
        }
        return lists_ || (type != 8 && n <= gguf_most_layers) ? Json(std::move(all)) : Json();
    }

    void tensor() {
        Gguf::Tensor t{.name = text("the name of a tensor")};
        const auto of = [&] { return "tensor " + quote(t.name); };
        const auto dimensions = number<std::uint32_t>();
        if (dimensions > 4) made_.fail("gives " + of() + " " + std::to_string(dimensions) + " dimensions");
        std::uint64_t count = 1;
        for (std::uint32_t d = 0; d < dimensions; ++d) {
            const auto size = number<std::uint64_t>();
            if (size > (std::uint64_t{1} << 48U) / std::max<std::uint64_t>(count, 1))
                made_.fail("gives " + of() + " more elements than any memory holds");
            count *= size;
            t.shape.insert(t.shape.begin(), static_cast<std::int64_t>(size));
        }
        const auto type = number<std::uint32_t>();
        t.type = ggml_type(type);
        if (t.type == nullptr)
            made_.fail("has " + of() + " of ggml's type " + std::to_string(type) + ", not known here");
        const std::int64_t row = t.shape.empty() ? 1 : t.shape.back();
        if (row % t.type->numbers != 0)
            made_.fail("has " + of() + " of type " + std::string(t.type->name) + " with rows of " +
                       std::to_string(row) + ", no whole number of blocks of " + std::to_string(t.type->numbers));
        t.nbytes = count / static_cast<std::uint64_t>(t.type->numbers) * static_cast<std::uint64_t>(t.type->bytes);
        t.offset = number<std::uint64_t>();
        made_.tensors.push_back(std::move(t));
    }

    /// Offsets from the start of the file, each checked: inside of it, aligned, and no bytes in two tensors.
    void place() {
        const auto alignment = made_.integer("general.alignment").value_or(32);
        if (alignment < 1 || alignment > (1 << 20) || !std::has_single_bit(static_cast<std::uint64_t>(alignment)))
            made_.fail("has the alignment " + std::to_string(alignment));
        const auto step = static_cast<std::uint64_t>(alignment), data = (at_ + step - 1) / step * step;
        std::vector<const Gguf::Tensor*> order;
        for (auto& t : made_.tensors) {
            const auto of = "tensor " + quote(t.name) + " at byte " + std::to_string(t.offset) + " of its data";
            if (t.offset % step != 0) made_.fail("has " + of + ", which is not aligned");
            if (data > size_ || t.offset > size_ - data || t.nbytes > size_ - data - t.offset)
                made_.fail("has " + of + " and ends before that is over: it is cut short or damaged");
            t.offset += data;
            order.push_back(&t);
        }
        std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
            return a->offset != b->offset ? a->offset < b->offset : a->nbytes < b->nbytes;
        });
        for (std::size_t i = 1; i < order.size(); ++i)
            if (order[i]->offset < order[i - 1]->offset + order[i - 1]->nbytes)
                made_.fail("has tensors " + quote(order[i - 1]->name) + " and " + quote(order[i]->name) +
                           " in the same bytes");
        std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
        for (std::size_t i = 1; i < order.size(); ++i)
            if (order[i]->name == order[i - 1]->name) made_.fail("has tensor " + quote(order[i]->name) + " twice");
    }

    std::filesystem::path path_;
    std::ifstream in_;
    bool lists_;
    std::uint64_t size_ = 0, at_ = 0, values_ = 0;
    Gguf made_;
};

}  // namespace gguf_detail

SILICA_INLINE Gguf Gguf::open(const std::filesystem::path& path, bool lists) {
    auto files = gguf_parts(path);
    Gguf made = gguf_detail::Parser(files.front(), lists).parse();
    made.files = std::move(files);
    const auto n = static_cast<std::int64_t>(made.files.size());
    const auto says = [&](const Gguf& part, std::int64_t number) {
        if (part.integer("split.count").value_or(1) != n || part.integer("split.no").value_or(0) != number)
            part.fail("says that it is another part of a model than its name does");
    };
    if (n == 1 && made.integer("split.count").value_or(1) > 1)
        made.fail("is one of several files of a model, which its name does not say (-00001-of-00003.gguf)");
    says(made, 0);
    for (std::size_t i = 1; i < made.files.size(); ++i) {
        Gguf part = gguf_detail::Parser(made.files[i], false).parse();
        says(part, static_cast<std::int64_t>(i));
        for (auto& t : part.tensors) {
            t.file = i;
            made.tensors.push_back(std::move(t));
        }
    }
    const auto all = made.integer("split.tensors.count");
    if (const auto there = static_cast<std::int64_t>(made.tensors.size()); n > 1 && all && *all != there)
        made.fail("says that its parts hold " + std::to_string(*all) + " tensors, and they hold " +
                  std::to_string(there));
    return made;
}

SILICA_INLINE void Gguf::fail(const std::string& problem) const {
    throw CheckpointError(path.string() + " " + problem + ".",
                          "Copy or download the file again, or have llama.cpp write it again.");
}

SILICA_INLINE std::string Gguf::text(std::string_view key) const {
    const Json* found = find(key);
    if (found == nullptr) return {};
    if (!found->is_string()) fail("has " + quote(key) + " that is " + found->brief() + ", where a string is wanted");
    return found->string();
}

SILICA_INLINE std::optional<std::int64_t> Gguf::integer(std::string_view key) const {
    const Json* found = find(key);
    if (found == nullptr) return std::nullopt;
    if (const auto number = gguf_integer(*found)) return number;
    fail("has " + quote(key) + " that is " + found->brief() + ", where a whole number is wanted");
}

SILICA_INLINE std::optional<bool> Gguf::boolean(std::string_view key) const {
    const Json* found = find(key);
    if (found == nullptr) return std::nullopt;
    if (!found->is_bool()) fail("has " + quote(key) + " that is " + found->brief() + ", where true or false is wanted");
    return found->boolean();
}

SILICA_INLINE const Json::Array* Gguf::list(std::string_view key) const {
    const Json* found = find(key);
    if (found == nullptr) return nullptr;
    if (!found->is_array()) fail("has " + quote(key) + " that is " + found->brief() + ", where a list is wanted");
    return &found->array();
}

}  // namespace silica
