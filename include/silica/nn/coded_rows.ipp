#pragma once
/// Joining codes.

#include "silica/core/allocate.hpp"
#include "silica/core/compiled.hpp"
#include "silica/nn/coded_rows.hpp"

#include <algorithm>
#include <numeric>

namespace silica::nn {
namespace coded_detail {

/// Rows of `parts`, each of which `read` gives, in `type` on `device`.
template <class Read>
Tensor joined(const std::vector<MatrixPart>& parts, std::vector<std::int64_t> shape, c10::ScalarType type,
              c10::Device device, const Read& read) {
    if (parts.size() == 1) return read(parts[0]);
    const Tensor all = allocate(shape, type, device);
    std::int64_t row = 0;
    for (const auto& part : parts) {
        all.narrow(0, row, part.out).copy_(read(part));
        row += part.out;
    }
    return all;
}

/// The form that `parts`, which have no values, have together: see checkpoint::joined_rows.
inline checkpoint::Quantised counted(const std::vector<checkpoint::Quantised>& parts) {
    checkpoint::Quantised all = parts.at(0);
    if (parts.size() == 1) return all;
    all.rows = 0;
    for (const auto& part : parts) {
        all.bits = std::max(all.bits, part.bits);
        all.group = std::gcd(all.group, part.group);
        all.rows += part.rows;
    }
    const auto options = all.scales.options();
    all.codes = at::empty({all.rows, all.words()}, all.codes.options());
    all.scales = at::empty({all.rows, all.groups()}, options);
    all.biases = at::empty({all.rows, all.groups()}, options);
    return all;
}

}  // namespace coded_detail

SILICA_INLINE op::Coded coded(const checkpoint::Quantised& q, std::optional<Tensor> bias, c10::ScalarType type,
                              c10::Device device) {
    op::Coded made;
    made.codes = q.codes.to(device);
    made.scales = q.scales.to(device);
    made.biases = q.biases.to(device);
    made.bias = std::move(bias);
    made.bits = q.bits;
    made.rows = q.rows, made.columns = q.columns, made.group = q.group;
    made.type = type;
    return made;
}

SILICA_INLINE op::Coded coded_rows(const std::vector<MatrixPart>& parts, std::int64_t in, c10::ScalarType type,
                                   c10::Device device) {
    std::int64_t rows = 0;
    bool biased = false;
    for (const auto& part : parts) {
        part.place.require("weight", {part.out, in});
        rows += part.out, biased = biased || part.biased();
    }
    std::optional<Tensor> bias;
    if (biased) {
        bias = coded_detail::joined(parts, {rows}, type, device, [&](const MatrixPart& part) {
            return part.biased() ? part.place.get("bias", {part.out}, type, device)
                                 : at::zeros({part.out}, at::TensorOptions().dtype(type).device(device));
        });
    }
    std::vector<checkpoint::Quantised> codes;
    for (const auto& part : parts) {
        auto q = part.place.codes(part.out, in);
        if (!q) {
            codes.clear();
            break;
        }
        codes.push_back(std::move(*q));
    }
    if (codes.empty()) {
        return op::Plain{coded_detail::joined(parts, {rows, in}, type, device,
                                              [&](const MatrixPart& part) {
                                                  return part.place.get("weight", {part.out, in}, type, device);
                                              }),
                         std::move(bias)};
    }
    auto made = coded(parts[0].place.counts() ? coded_detail::counted(codes) : checkpoint::joined_rows(codes),
                      std::move(bias), type, device);
    made.integers = parts[0].place.quantising().integers;
    return made;
}

}  // namespace silica::nn
