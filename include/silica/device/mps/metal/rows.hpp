#pragma once
/// y = x W^T for few rows of x by an own Metal kernel (rows.metal.hpp): W in numbers or codes, a norm ahead, a
/// residual, a gate or an activation after.

#include "silica/core/compiled.hpp"
#include "silica/device/aten/codes.hpp"
#include "silica/device/mps/metal/own.hpp"
#include "silica/op/activation.hpp"
#include "silica/op/prepared.hpp"

#include <optional>

namespace silica::device::mps::metal {

/// What happens to the sums before they are stored, as the text numbers it.
enum class Epilogue : std::uint32_t { none, add, gated, activation };

/// A matrix as the kernel reads it: numbers of the type of x, or codes.
struct Matrix {
    const Tensor* weight = nullptr;      ///< (rows, columns); null where `codes` is set
    const aten::Codes* codes = nullptr;  ///< not plain
    const std::optional<Tensor>* bias = nullptr;
    std::int64_t rows = 0, columns = 0;

    Matrix(const op::Plain& w);    // NOLINT(google-explicit-constructor)
    Matrix(const aten::Codes& w);  // NOLINT(google-explicit-constructor)
};

/// The rest of a product.
struct After {
    Epilogue epilogue = Epilogue::none;
    Activation act = Activation::linear;
    Tensor residual = {};  ///< (..., n), for `add`
    Tensor scale = {};     ///< of an RMS norm ahead (columns); none where it is not defined
    double eps = 0;        ///< of the norm
};

/// Whether a kernel computes such products.
enum class Serves {
    yes,
    no,      ///< it does not take these sizes or types, or own kernels are not to serve
    failed,  ///< it takes them, and failed its check on this machine
};

/// Whether the kernel serves for x (..., columns): at most four rows (15 where W is codes), one type for
/// all.
[[nodiscard]] Serves rows_serve(const Tensor& x, const Matrix& w, bool norm = false);

/// x (..., columns) -> (..., w.rows) or, gated, (..., w.rows / 2). `rows_serve` has said yes.
[[nodiscard]] Tensor rows(const Tensor& x, const Matrix& w, const After& after = {});

}  // namespace silica::device::mps::metal

#ifndef SILICA_COMPILED
#include "silica/device/mps/metal/rows.ipp"
#endif
