#pragma once
/// What the readers of packed matrices share.

#include "silica/checkpoint/codes.hpp"
#include "silica/checkpoint/packed.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <algorithm>
#include <utility>

namespace silica::checkpoint {

namespace packed_detail {

/// Where the name of a module ends: before its last part, which bitsandbytes writes as "weight.absmax".
inline std::size_t module_end(std::string_view name) {
    const auto last = name.rfind('.');
    if (last == std::string_view::npos) return 0;
    for (const std::string_view part :
         {".weight.absmax", ".weight.quant_map", ".weight.nested_absmax", ".weight.nested_quant_map"})
        if (name.ends_with(part)) return name.size() - part.size();
    if (const auto state = name.find(".weight.quant_state."); state != std::string_view::npos) return state;
    return last;
}

class AffineRows final : public Rows {
public:
    explicit AffineRows(Affine a) : a_(std::move(a)) {
        const Quantised& q = a_.q;
        codes_ = q.codes.const_data_ptr<std::int32_t>();
        scales_ = q.scales.const_data_ptr<float>();
        if (a_.zeros.defined()) zeros_ = a_.zeros.const_data_ptr<float>();
        if (!a_.zeros.defined()) biases_ = q.biases.const_data_ptr<float>();
        if (a_.group_of.defined()) group_of_ = a_.group_of.const_data_ptr<std::int32_t>();
    }

    void decode(std::int64_t first, std::int64_t last, float* out) const override {
        const Quantised& q = a_.q;
        const std::int64_t words = q.words(), groups = q.scales.size(1);
        std::vector<std::uint8_t> codes(static_cast<std::size_t>(q.columns));
        for (std::int64_t r = first; r < last; ++r, out += q.columns) {
            unpack_codes(codes_ + r * words, q.columns, q.bits, codes.data());
            const float* scales = scales_ + r * groups;
            const float* offsets = (zeros_ != nullptr ? zeros_ : biases_) + r * groups;
            if (group_of_ != nullptr) {
                for (std::int64_t i = 0; i < q.columns; ++i)
                    some(&codes[at(i)], 1, scales[group_of_[i]], offsets[group_of_[i]], out + i);
                continue;
            }
            for (std::int64_t g = 0; g < groups; ++g) {
                const std::int64_t from = g * q.group;
                some(&codes[at(from)], std::min(q.group, q.columns - from), scales[g], offsets[g], out + from);
            }
        }
    }

    [[nodiscard]] std::optional<Quantised> quantised() const override {
        if (group_of_ != nullptr) return std::nullopt;
        Quantised q = a_.q;
        if (a_.zeros.defined()) q.biases = -(a_.zeros * q.scales);
        return q;
    }

private:
    static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

    /// n codes of one group. The offset is its zero, or its bias where there are no zeros.
    void some(const std::uint8_t* codes, std::int64_t n, float scale, float offset, float* out) const {
        if (zeros_ != nullptr)
            for (std::int64_t i = 0; i < n; ++i) out[i] = (static_cast<float>(codes[i]) - offset) * scale;
        else
            for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(codes[i]) * scale + offset;
    }

    Affine a_;
    const std::int32_t *codes_ = nullptr, *group_of_ = nullptr;
    const float *scales_ = nullptr, *zeros_ = nullptr, *biases_ = nullptr;
};

}  // namespace packed_detail

SILICA_INLINE std::unique_ptr<Rows> rows_of(Affine a) {
    return std::make_unique<packed_detail::AffineRows>(std::move(a));
}

SILICA_INLINE Modules::Modules(TensorSource& source) : source_(source), where_(source.where()) {
    for (const auto& entry : source.entries()) {
        const std::string_view name = entry.name;
        const auto end = packed_detail::module_end(name);
        if (end > 0) all_[std::string(name.substr(0, end))].emplace(name.substr(end + 1), &entry);
    }
}

SILICA_INLINE const TensorEntry* Modules::find(const Parts& parts, std::string_view name) {
    const auto at = parts.find(name);
    return at == parts.end() ? nullptr : at->second;
}

SILICA_INLINE const TensorEntry& Modules::need(const std::string& module, const Parts& parts, std::string_view name,
                                               at::ScalarType dtype, const std::vector<std::int64_t>& shape) {
    const auto* entry = find(parts, name);
    const std::string whole = module + '.' + std::string(name);
    const std::string wanted = std::string(c10::toString(dtype)) + " of shape " + tuple_text(shape);
    if (entry == nullptr) fail(whole, "is missing; the tensors beside it make it " + wanted);
    if (entry->dtype != dtype || entry->shape != shape)
        fail(whole, "is " + entry->dtype_name + " of shape " + tuple_text(entry->shape) +
                        "; the tensors beside it make it " + wanted);
    take(*entry);
    return *entry;
}

SILICA_INLINE const TensorEntry& Modules::need_real(const std::string& module, const Parts& parts,
                                                    std::string_view name, const std::vector<std::int64_t>& shape) {
    const auto* entry = find(parts, name);
    const auto dtype = entry == nullptr ? at::kHalf : entry->dtype;
    const bool real = dtype == at::kFloat || dtype == at::kHalf || dtype == at::kBFloat16;
    return need(module, parts, name, real ? dtype : at::kHalf, shape);
}

SILICA_INLINE std::int64_t Modules::need_group(const TensorEntry& scales, std::int64_t groups, std::int64_t columns,
                                               std::optional<std::int64_t> asked) const {
    const std::int64_t wanted = std::min(asked.value_or(-1), columns);
    if (wanted > 0 && (columns - 1) / wanted + 1 == groups) return wanted;
    if (groups < 1 || columns < 1 || columns % groups != 0)
        fail(scales.name,
             "has " + std::to_string(groups) + " groups, which " + std::to_string(columns) + " columns do not make");
    return columns / groups;
}

SILICA_INLINE void Modules::fail(const std::string& name, const std::string& problem) const {
    fail_part(where_, name, problem);
}

SILICA_INLINE void fail_part(const std::string& where, const std::string& name, const std::string& problem) {
    throw CheckpointError(where + ": " + quote(name) + " " + problem + ".",
                          "The file is damaged, or another tool's than its configuration says: download both again.");
}

SILICA_INLINE TensorEntry plain_entry(const std::string& module, const TensorEntry& codes, std::int64_t rows,
                                      std::int64_t columns) {
    return {.name = module + ".weight",
            .dtype = at::kFloat,
            .shape = {rows, columns},
            .strides = {columns, 1},
            .offset = codes.offset,
            .nbytes = codes.nbytes,
            .file = codes.file,
            .dtype_name = codes.dtype_name};
}

SILICA_INLINE Tensor words_of_int8(const Tensor& bytes) {
    const auto rows = bytes.size(0), columns = bytes.size(1), words = Quantised::words(columns, 8);
    Tensor codes = at::empty({rows, words}, at::kInt);
    const auto* from = static_cast<const std::uint8_t*>(bytes.const_data_ptr());
    auto* to = codes.mutable_data_ptr<std::int32_t>();
    std::vector<std::uint8_t> row(static_cast<std::size_t>(columns));
    for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t i = 0; i < columns; ++i)
            row[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(from[r * columns + i] ^ 0x80U);
        pack_codes(row.data(), columns, 8, to + r * words);
    }
    return codes;
}

SILICA_INLINE Tensor on_host(TensorSource& source, const TensorEntry& entry, at::ScalarType dtype) {
    return source.read(entry, dtype, c10::Device(c10::DeviceType::CPU)).contiguous();
}

SILICA_INLINE Tensor on_host(TensorSource& source, const TensorEntry& entry) {
    return on_host(source, entry, entry.dtype);
}

}  // namespace silica::checkpoint
