#pragma once
/// Finds packed matrices, and makes them plain.

#include "silica/checkpoint/awq.hpp"
#include "silica/checkpoint/bitsandbytes.hpp"
#include "silica/checkpoint/compressed_tensors.hpp"
#include "silica/checkpoint/decoded.hpp"
#include "silica/checkpoint/gguf.hpp"
#include "silica/checkpoint/gptq.hpp"
#include "silica/checkpoint/mlx_modules.hpp"
#include "silica/checkpoint/read_scheme.hpp"
#include "silica/core/allocate.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/parallel.hpp"

#include <algorithm>
#include <utility>

namespace silica::checkpoint {

namespace decoded_detail {

inline std::vector<PackedMatrix> find(Modules& modules, const Scheme& scheme, const Checkpoint& files) {
    std::vector<PackedMatrix> found;
    if (files.format() == "GGUF") {
        find_gguf_blocks(modules, files.metadata(), found);
        return found;
    }
    using Method = Scheme::Method;
    switch (scheme.method) {
        case Method::plain:
            break;
        case Method::awq:
            find_awq(modules, found);
            break;
        case Method::gptq:
            find_gptq(modules, scheme, found);
            break;
        case Method::compressed_tensors:
            find_compressed_tensors(modules, scheme, found);
            break;
        case Method::bitsandbytes:
            find_bitsandbytes(modules, found);
            break;
        case Method::mlx:
            find_mlx(modules, scheme, found);
            break;
    }
    return found;
}

}  // namespace decoded_detail

SILICA_INLINE Decoded::Decoded(TensorSource& source, const Checkpoint& files)
    : source_(source), holds_codes_(source.holds_codes()) {
    const Scheme scheme = files.format() == "GGUF" ? Scheme{} : read_scheme(files.directory());
    notes_ = scheme.notes;
    if (scheme.group) group_ = *scheme.group;
    Modules modules(source);
    for (auto& matrix : decoded_detail::find(modules, scheme, files)) {
        entries_.push_back(matrix.plain);
        holds_codes_ = holds_codes_ || !matrix.form.empty();
        packed_.emplace(matrix.plain.name, std::move(matrix));
    }
    for (const auto& entry : source.entries()) {
        if (modules.taken(entry)) continue;
        if (packed_.contains(entry.name)) modules.fail(entry.name, "lies there plain and packed as well");
        entries_.push_back(entry);
    }
}

SILICA_INLINE Tensor Decoded::read(const TensorEntry& entry, at::ScalarType dtype, c10::Device device) {
    const auto found = packed_.find(entry.name);
    if (found == packed_.end()) return source_.read(entry, dtype, device);
    const auto rows = found->second.open(source_);
    if (!found->second.form.empty()) ++decoded_[found->second.form];
    const auto& shape = found->second.plain.shape;
    const std::int64_t n = shape[0], columns = shape.size() == 1 ? 1 : shape[1];
    constexpr std::int64_t staged = std::int64_t{4} << 20;  // numbers
    const std::int64_t some =
        std::clamp<std::int64_t>(staged / std::max<std::int64_t>(columns, 1), 1, std::max<std::int64_t>(n, 1));
    const Tensor out = allocate(shape, dtype, device);
    const bool direct = dtype == at::kFloat && device.is_cpu();
    Tensor stage;
    if (!direct) {
        auto staged_shape = shape;
        staged_shape[0] = some;
        stage = allocate(staged_shape, at::kFloat, c10::Device(c10::DeviceType::CPU));
    }
    for (std::int64_t first = 0; first < n; first += some) {
        const auto last = std::min(first + some, n);
        float* to = direct ? out.mutable_data_ptr<float>() + first * columns : stage.mutable_data_ptr<float>();
        parallel_for(first, last, (std::int64_t{1} << 14) / std::max<std::int64_t>(columns, 1) + 1,
                     [&](std::int64_t a, std::int64_t b) { rows->decode(a, b, to + (a - first) * columns); });
        if (!direct) out.narrow(0, first, last - first).copy_(stage.narrow(0, 0, last - first));
    }
    return out;
}

SILICA_INLINE std::vector<std::string> Decoded::notes() const {
    auto notes = notes_;
    for (const auto& [form, count] : decoded_)
        notes.push_back(std::to_string(count) + (count == 1 ? " matrix" : " matrices") + " of " + form +
                        (count == 1 ? " was" : " were") + " dequantised");
    return notes;
}

SILICA_INLINE std::optional<Quantised> Decoded::form_of(const TensorEntry& entry) const {
    const auto found = packed_.find(entry.name);
    if (found == packed_.end() || found->second.form.empty() || entry.shape.size() != 2) return std::nullopt;
    if (found->second.form.ends_with("NF4")) return std::nullopt;  // no step between its codes is like another
    const std::int64_t rows = entry.shape[0], columns = entry.shape[1];
    const double bits =
        8.0 * static_cast<double>(entry.nbytes) / static_cast<double>(std::max<std::int64_t>(1, entry.numel()));
    return Quantised{.bits = bits < 5.5 ? 4 : 8,
                     .rows = rows,
                     .columns = columns,
                     .group = Quantised::group_of(std::max<std::int64_t>(group_, 0), columns)};
}

SILICA_INLINE std::optional<Quantised> Decoded::codes(const TensorEntry& entry) {
    const auto found = packed_.find(entry.name);
    if (found == packed_.end()) return source_.codes(entry);
    return found->second.open(source_)->quantised();
}

}  // namespace silica::checkpoint
