#pragma once
/// Reads bitsandbytes.

#include "silica/checkpoint/bitsandbytes.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/json.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace silica::checkpoint {

namespace bitsandbytes_detail {

inline constexpr std::string_view nf4_state = "weight.quant_state.bitsandbytes__nf4";

/// The levels and blocks of one matrix.
struct Parts {
    std::string where;
    TensorEntry codes = {}, map = {}, absmax = {};
    std::optional<TensorEntry> nested_map = {}, nested_absmax = {};
    std::int64_t rows = 0, columns = 0, block = 64, nested_block = 256;
    float offset = 0;

    [[nodiscard]] std::int64_t blocks() const { return (rows * columns + block - 1) / block; }
};

class Levels final : public Rows {
public:
    Levels(Tensor codes, Tensor map, Tensor absmax, std::int64_t columns, std::int64_t block)
        : codes_(std::move(codes)), absmax_(std::move(absmax)), columns_(columns), block_(block) {
        const auto* level = map.const_data_ptr<float>();
        for (std::size_t i = 0; i < 16; ++i) map_[i] = level[i];
    }
    void decode(std::int64_t first, std::int64_t last, float* out) const override {
        const auto* codes = static_cast<const std::uint8_t*>(codes_.const_data_ptr());
        const auto* absmax = absmax_.const_data_ptr<float>();
        for (std::int64_t i = first * columns_; i < last * columns_;) {
            const float scale = absmax[i / block_];
            for (const std::int64_t end = std::min((i / block_ + 1) * block_, last * columns_); i < end; ++i) {
                const unsigned pair = codes[i / 2];
                *out++ = map_[i % 2 == 0 ? pair >> 4U : pair & 15U] * scale;
            }
        }
    }

private:
    Tensor codes_, absmax_;
    std::array<float, 16> map_{};
    std::int64_t columns_, block_;
};

inline std::unique_ptr<Rows> open(const Parts& p, TensorSource& source) {
    Tensor absmax = on_host(source, p.absmax);
    if (p.nested_map) {
        const Tensor map = on_host(source, *p.nested_map), scales = on_host(source, *p.nested_absmax);
        Tensor whole = at::empty({p.blocks()}, at::kFloat);
        const auto* codes = absmax.const_data_ptr<std::uint8_t>();
        const auto *level = map.const_data_ptr<float>(), *scale = scales.const_data_ptr<float>();
        auto* to = whole.mutable_data_ptr<float>();
        for (std::int64_t i = 0; i < p.blocks(); ++i) to[i] = level[codes[i]] * scale[i / p.nested_block] + p.offset;
        absmax = std::move(whole);
    }
    return std::make_unique<Levels>(on_host(source, p.codes), on_host(source, p.map), std::move(absmax), p.columns,
                                    p.block);
}

/// A whole number of the state, at least 1.
inline std::int64_t size_in(const Json& state, const char* key, std::int64_t usual, const Modules& modules,
                            const std::string& name) {
    const Json* found = state.find(key);
    if (found == nullptr || found->is_null()) return usual;
    if (!found->is_integer() || found->integer() < 1 || found->integer() > (std::int64_t{1} << 31))
        modules.fail(name, "has " + quote(key) + " that is " + found->brief());
    return found->integer();
}

inline void read_state(Modules& modules, const TensorEntry& entry, Parts& p) {
    if (entry.dtype != at::kByte || entry.shape.size() != 1 || entry.nbytes > 65536)
        modules.fail(entry.name, "is no text");
    modules.take(entry);
    const Tensor text = on_host(modules.source(), entry);
    Json state;
    try {
        state =
            Json::parse({reinterpret_cast<const char*>(text.const_data_ptr<std::uint8_t>()), entry.nbytes}, entry.name);
    } catch (const ConfigError& e) {
        modules.fail(entry.name, "is no JSON: " + e.problem());
    }
    const Json* shape = state.find("shape");
    if (shape == nullptr || !shape->is_array() || shape->array().size() != 2)
        modules.fail(entry.name, "says no shape of a matrix");
    std::int64_t size[2] = {};
    for (std::size_t d = 0; d < 2; ++d) {
        const Json& n = shape->array()[d];
        if (!n.is_integer() || n.integer() < 1 || n.integer() > (std::int64_t{1} << 31))
            modules.fail(entry.name, "has a shape with " + n.brief());
        size[d] = n.integer();
    }
    p.rows = size[0], p.columns = size[1];
    p.block = size_in(state, "blocksize", 64, modules, entry.name);
    p.nested_block = size_in(state, "nested_blocksize", 256, modules, entry.name);
    if (const Json* offset = state.find("nested_offset"); offset != nullptr && !offset->is_null()) {
        if (!offset->is_number()) modules.fail(entry.name, "has a nested_offset that is " + offset->brief());
        p.offset = static_cast<float>(offset->number());
    }
}

inline PackedMatrix nf4(const std::string& module, const Modules::Parts& parts, Modules& modules) {
    Parts p{.where = modules.where()};
    read_state(modules, *Modules::find(parts, nf4_state), p);
    const auto* codes = Modules::find(parts, "weight");
    const auto numel = p.rows * p.columns;
    if (codes == nullptr || codes->dtype == at::ScalarType::Undefined || !codes->contiguous() ||
        codes->nbytes != static_cast<std::uint64_t>(numel + 1) / 2)
        modules.fail(module + ".weight", "is not the " + std::to_string((numel + 1) / 2) +
                                             " bytes that a matrix of shape " +
                                             tuple_text(std::vector{p.rows, p.columns}) + " takes");
    modules.take(*codes);
    p.codes = *codes;
    p.map = modules.need(module, parts, "weight.quant_map", at::kFloat, {16});
    const auto* absmax = Modules::find(parts, "weight.absmax");
    const bool nested = absmax != nullptr && absmax->dtype == at::kByte;
    p.absmax = modules.need(module, parts, "weight.absmax", nested ? at::kByte : at::kFloat, {p.blocks()});
    if (nested) {
        p.nested_map = modules.need(module, parts, "weight.nested_quant_map", at::kFloat, {256});
        p.nested_absmax = modules.need(module, parts, "weight.nested_absmax", at::kFloat,
                                       {(p.blocks() + p.nested_block - 1) / p.nested_block});
    }
    return {plain_entry(module, *codes, p.rows, p.columns), "bitsandbytes, NF4",
            [p](TensorSource& source) { return open(p, source); }};
}

inline PackedMatrix int8(const std::string& module, const Modules::Parts& parts, Modules& modules) {
    const auto* codes = Modules::find(parts, "weight");
    if (codes->shape.size() != 2 || codes->shape[1] == 0)
        modules.fail(codes->name, "is no matrix: its shape is " + tuple_text(codes->shape));
    const auto rows = codes->shape[0], columns = codes->shape[1];
    modules.need(module, parts, "weight", at::kChar, codes->shape);
    const TensorEntry scales = modules.need(module, parts, "SCB", at::kFloat, {rows});
    if (const auto* format = Modules::find(parts, "weight_format")) {
        if (format->numel() != 1 || format->dtype != at::kByte) modules.fail(format->name, "is not one byte");
        const Tensor kind = on_host(modules.source(), *format);
        if (*kind.const_data_ptr<std::uint8_t>() != 0)
            modules.fail(format->name, "says that the weight is tiled for one kind of GPU, which is not read");
        modules.take(*format);
    }
    return {plain_entry(module, *codes, rows, columns), "bitsandbytes, int8",
            [codes = *codes, scales, rows, columns](TensorSource& source) {
                Affine a;
                a.q = {.bits = 8, .rows = rows, .columns = columns, .group = columns};
                a.q.codes = words_of_int8(on_host(source, codes));
                a.q.scales = on_host(source, scales).view({rows, 1}) / 127.0;
                a.zeros = at::full({rows, 1}, 128.0F, at::kFloat);
                return rows_of(std::move(a));
            }};
}

}  // namespace bitsandbytes_detail

SILICA_INLINE void find_bitsandbytes(Modules& modules, std::vector<PackedMatrix>& found) {
    using namespace bitsandbytes_detail;
    for (const auto& [module, parts] : modules.all()) {
        const auto* weight = Modules::find(parts, "weight");
        if (Modules::find(parts, nf4_state) != nullptr)
            found.push_back(nf4(module, parts, modules));
        else if (Modules::find(parts, "weight.quant_state.bitsandbytes__fp4") != nullptr)
            modules.fail(module + ".weight", "is FP4 of bitsandbytes, which is not read; " + forms_that_are_read());
        else if (weight != nullptr && weight->dtype == at::kChar)
            found.push_back(int8(module, parts, modules));
    }
}

}  // namespace silica::checkpoint
