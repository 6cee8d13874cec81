#pragma once
/// What runs where: for each family, hardware and precision what became of its rows.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "suite/report/data.hpp"

namespace silica::bench::suite::report {

/// `not_compiled`: the program that writes the report does not have it, and no run has rows of it.
enum class Support { native, with_fallbacks, failed, not_available, not_compiled, not_run };

/// "native", "with fallbacks", "failed", "not available", "not compiled", "not run".
[[nodiscard]] std::string_view name_of(Support support);

struct MatrixCell {
    Support support = Support::not_run;
    bool simulated = false;
    std::size_t rows = 0, measured = 0, failed = 0;
    Marks marks = {};

    /// "simulated, native (1 of 3 rows failed)".
    [[nodiscard]] std::string text() const;
};

struct Matrix {
    std::vector<std::string> families, hardware, precisions;
    std::vector<MatrixCell> cells;

    [[nodiscard]] const MatrixCell& at(std::size_t family, std::size_t device, std::size_t precision) const {
        return cells.at((family * hardware.size() + device) * precisions.size() + precision);
    }
    /// Whether any row names this hardware.
    [[nodiscard]] bool has_rows(std::size_t device) const;
};

/// From the reported rows. What was asked for counts: a row that went to the CPU instead has failed on its hardware.
[[nodiscard]] Matrix matrix_of(const Data& data);

}  // namespace silica::bench::suite::report
