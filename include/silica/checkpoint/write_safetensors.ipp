#pragma once
/// Writes safetensors.

#include "silica/checkpoint/entry.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/checkpoint/write_safetensors.hpp"
#include "silica/core/atomic_file.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace silica::checkpoint {

namespace detail {

/// `text` as a JSON string.
SILICA_INLINE std::string json_string(std::string_view text) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20) {
            out += "\\u00";
            out += hex[byte >> 4U];
            out += hex[byte & 0xfU];
            continue;
        }
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

SILICA_INLINE std::string_view format_name(const std::string& name, at::ScalarType type) {
    for (const auto& dtype : format_dtypes)
        if (dtype.dtype == type && type != at::ScalarType::Undefined) return dtype.name;
    throw InputError("Tensor " + quote(name) + " is of type " + at::toString(type) + ", which safetensors cannot hold.",
                     "Convert it before it is written.");
}

}  // namespace detail

SILICA_INLINE void write_safetensors(const std::filesystem::path& path, NamedTensors tensors,
                                     const std::map<std::string, std::string>& metadata) {
    // as the reference does: wide elements first, so that every tensor is aligned, then by name
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
        const auto x = a.second.element_size(), y = b.second.element_size();
        return x != y ? x > y : a.first < b.first;
    });
    std::vector<PlannedTensor> plan;
    for (const auto& [name, tensor] : tensors) plan.push_back({name, tensor.scalar_type(), tensor.sizes().vec()});
    write_safetensors(path, plan, [&](std::size_t i) { return tensors[i].second; }, metadata);
}

SILICA_INLINE void write_safetensors(const std::filesystem::path& path, const std::vector<PlannedTensor>& plan,
                                     const std::function<Tensor(std::size_t)>& make,
                                     const std::map<std::string, std::string>& metadata) {
    std::map<std::string_view, bool> seen;
    std::string header = "{";
    const auto text = [](std::string_view s) {
        if (first_bad_utf8(s) != s.size())
            throw InputError(quote(s) + " is not UTF-8.", "Use UTF-8 in names and metadata.");
        return detail::json_string(s);
    };
    if (!metadata.empty()) {
        header += "\"__metadata__\":{";
        for (const auto& [key, value] : metadata) {
            if (header.back() != '{') header += ',';
            header += text(key) + ':' + text(value);
        }
        header += '}';
    }
    std::uint64_t end = 0;
    for (const auto& [name, dtype, sizes] : plan) {
        if (!seen.emplace(name, true).second || name == "__metadata__")
            throw InputError("Tensor " + quote(name) + " cannot be written: the name is taken.",
                             "Give it another name.");
        std::uint64_t bytes = c10::elementSize(dtype);
        std::string shape;
        for (const auto size : sizes) {
            shape += (shape.empty() ? "" : ",") + std::to_string(size);
            bytes *= static_cast<std::uint64_t>(size);
        }
        const std::uint64_t begin = std::exchange(end, end + bytes);
        if (header.size() > 1) header += ',';
        header += text(name) + ":{\"dtype\":\"" + std::string(detail::format_name(name, dtype)) + "\",\"shape\":[" +
                  shape + "],\"data_offsets\":[" + std::to_string(begin) + ',' + std::to_string(end) + "]}";
    }
    header += '}';
    header.append((8 - header.size() % 8) % 8, ' ');
    unsigned char length[8];
    for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(header.size() >> (8 * i));
    silica::detail::AtomicFile<CheckpointError> file(path);
    file.write(length, sizeof length);
    file.write(header.data(), header.size());
    for (std::size_t i = 0; i < plan.size(); ++i) {
        const Tensor tensor = make(i).detach().to(at::kCPU).resolve_conj().resolve_neg().contiguous();
        if (tensor.scalar_type() != plan[i].dtype || tensor.sizes() != plan[i].shape)
            throw InputError("Tensor " + quote(plan[i].name) + " is not as it was planned.",
                             "Give it the type and shape of the plan.");
        file.write(tensor.const_data_ptr(), tensor.nbytes());
    }
    file.commit();
}

}  // namespace silica::checkpoint
