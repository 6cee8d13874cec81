#pragma once
/// Rows set against another that differs in one thing: the hardware, the precision or the loader.

#include <vector>

#include "suite/report/data.hpp"

namespace silica::bench::suite::report {

/// How many times as fast a row is as its base, with the interval of that.
struct Faster {
    const Entry *base = nullptr, *row = nullptr;
    Comparison times;

    [[nodiscard]] Marks marks() const { return base->marks | row->marks; }
};

/// Rows of other hardware against the CPU of the same machine: of the same precision, else in float32, else its first.
/// A simulated device has no speed, so none of these.
[[nodiscard]] std::vector<Faster> against_cpu(const Data& data);

/// Rows against the same in float32, or else in the first precision there is.
[[nodiscard]] std::vector<Faster> against_float32(const Data& data);

/// Rows against the same through the mapped loader, or else the first there is.
[[nodiscard]] std::vector<Faster> against_mapped(const Data& data);

}  // namespace silica::bench::suite::report
