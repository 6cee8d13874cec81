#pragma once
/// `silica embed` for files: a line of JSON for each.

#include <cstddef>
#include <string>
#include <vector>

#include "silica/core/tensor.hpp"
#include "silica/task/in_batches.hpp"

namespace silica::bench {

/// Prints a line for each file as soon as it is known: {"files": [...], "embedding": [...]}, or an error.
class VectorReport {
public:
    /// InputError where there are no files; `kind`: of what they are, "pictures". The files outlive it.
    VectorReport(const std::vector<std::string>& files, const std::string& kind);

    /// What became of a file.
    void give(const task::FileResult<Tensor>& result);
    /// The exit code of the program: bad_input where a file was refused, which is also said on stderr.
    [[nodiscard]] int finish() const;

private:
    const std::vector<std::string>& files_;
    std::size_t refused_ = 0;
    std::string first_refusal_;
};

}  // namespace silica::bench
