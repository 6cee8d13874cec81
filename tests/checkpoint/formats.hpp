#pragma once
/// What the tests of quantised formats share: random codes and scales, checkpoints written by hand, and how they look
/// when they are opened.

#include "checkpoint/support.hpp"
#include "silica/checkpoint/decoded.hpp"
#include "silica/checkpoint/write_safetensors.hpp"
#include "silica/loader/cpu_first.hpp"
#include "silica/loader/mapped.hpp"
#include "silica/loader/streamed.hpp"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <map>
#include <string>
#include <vector>

namespace silica::test {

/// A matrix by its codes: w = (code - zero) * scale, exact in float32 for scales of half precision.
struct Coded {
    Coded(std::int64_t rows, std::int64_t columns, std::int64_t group_columns, int code_bits)
        : bits(code_bits),
          group(group_columns),
          codes(at::randint(0, 1 << bits, {rows, columns}, at::kLong)),
          zeros(at::randint(1, 1 << bits, {rows, (columns + group - 1) / group}, at::kLong)),
          scales((at::randn({rows, (columns + group - 1) / group}) * 0.02).to(at::kHalf)) {}

    int bits;
    std::int64_t group;
    Tensor codes, zeros, scales;

    [[nodiscard]] std::int64_t rows() const { return codes.size(0); }
    [[nodiscard]] std::int64_t columns() const { return codes.size(1); }
    [[nodiscard]] std::int64_t code(std::int64_t n, std::int64_t k) const {
        return codes.const_data_ptr<std::int64_t>()[n * columns() + k];
    }
    [[nodiscard]] std::int64_t zero(std::int64_t n, std::int64_t g) const {
        return zeros.const_data_ptr<std::int64_t>()[n * zeros.size(1) + g];
    }
    /// The weights; `group_of` says the group of each column, where they do not follow one another.
    [[nodiscard]] Tensor weights(const std::vector<std::int64_t>& group_of = {}) const {
        Tensor w = at::empty({rows(), columns()}, at::kFloat);
        const Tensor s = scales.to(at::kFloat);
        for (std::int64_t n = 0; n < rows(); ++n)
            for (std::int64_t k = 0; k < columns(); ++k) {
                const auto g = group_of.empty() ? k / group : group_of[static_cast<std::size_t>(k)];
                w.mutable_data_ptr<float>()[n * columns() + k] =
                    static_cast<float>(code(n, k) - zero(n, g)) * s.const_data_ptr<float>()[n * s.size(1) + g];
            }
        return w;
    }
};

/// Words (rows, words) of `count` codes a row, the first lowest; `code(r, i)` says them.
template <class Code>
Tensor words(std::int64_t rows, std::int64_t count, int bits, const Code& code) {
    const std::int64_t in_word = 32 / bits, n = (count + in_word - 1) / in_word;
    Tensor out = at::zeros({rows, n}, at::kInt);
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t i = 0; i < count; ++i) {
            auto& word = out.mutable_data_ptr<std::int32_t>()[r * n + i / in_word];
            word = static_cast<std::int32_t>(static_cast<std::uint32_t>(word) | static_cast<std::uint32_t>(code(r, i))
                                                                                    << (i % in_word * bits));
        }
    return out;
}

/// What a directory holds once it is decoded.
struct Opened {
    std::map<std::string, Tensor> tensors = {};     ///< in float32
    std::map<std::string, Tensor> from_codes = {};  ///< those that codes stand for
    std::map<std::string, at::ScalarType> types = {};
    std::vector<std::string> notes = {};
};

template <class Loader = loader::Mapped>
Opened opened(const fs::path& place, at::ScalarType type = at::kFloat) {
    const auto files = Checkpoint::open(place);
    return Loader::load(files, [&](TensorSource& source) {
        Decoded decoded(source, files);
        Opened out;
        const c10::Device cpu(c10::DeviceType::CPU);
        for (const auto& entry : decoded.entries()) {
            out.types[entry.name] = entry.dtype;
            const auto codes = decoded.codes(entry);
            if (codes) {
                check(*codes, entry.name);
                out.from_codes[entry.name] = dequantised(*codes, at::kFloat);
            }
            out.tensors[entry.name] = decoded.read(entry, type, cpu).clone();
        }
        out.notes = decoded.notes();
        return out;
    });
}

/// A directory with these tensors and this config.json.
inline void write(const Directory& directory, NamedTensors tensors, const std::string& config) {
    write_safetensors(directory.path() / "model.safetensors", std::move(tensors));
    directory.write("config.json", config);
}

/// What opening such a directory says.
inline std::string refusal_of(NamedTensors tensors, const std::string& config) {
    const Directory directory;
    write(directory, std::move(tensors), config);
    try {
        static_cast<void>(opened(directory.path()));
    } catch (const Error& error) {
        return error.remedy().empty() ? "(no remedy)" : error.what();
    }
    return "(accepted)";
}

}  // namespace silica::test
