#pragma once
/// The runs of `silica verify` and how they are printed.

#include <ostream>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "difference.hpp"
#include "models.hpp"
#include "silica/fallback.hpp"

namespace silica::bench {

/// One comparison: an output of the reference and what came out.
struct Compared {
    std::string output;
    std::vector<std::int64_t> shape;
    Difference difference;
};

/// One device, precision and loader.
struct Run {
    const Device* device = nullptr;
    std::string precision, loader, unavailable = {};
    std::vector<Compared> compared = {};
    std::vector<std::string> not_compared = {}, notes = {};
    std::vector<Fallback> fallbacks = {};

    /// It ran, and every output is within what is allowed.
    [[nodiscard]] bool passed() const;
};

/// All runs; JSON is one line.
void print_runs(std::ostream& out, Output output, const Subject& subject, const Head& head,
                const std::vector<Run>& runs, bool passed);

}  // namespace silica::bench
