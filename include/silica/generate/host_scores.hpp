#pragma once
/// Scores on the host, where processors and samples want them.

#include "silica/core/error.hpp"
#include "silica/core/floating_types.hpp"
#include "silica/core/inputs.hpp"
#include "silica/generate/decoder.hpp"
#include "silica/generate/scores.hpp"

#include <cstdint>
#include <string>

namespace silica::generate {

/// Throws InputError unless `logits` are (rows, vocabulary) of floating numbers.
inline void require_logits(const Tensor& logits) { require_tensor("logits", logits, 2, floating_types); }

/// The scores of each row on the host, float32, to be changed in place. Their memory is kept from step to step.
class HostScores {
public:
    /// Copies logits (rows, vocabulary) of any floating type from the device of `decoder`. InputError for others.
    void copy(const Decoder& decoder, const Tensor& logits) {
        require_logits(logits);
        decoder.on_device([&] {
            if (!host_.defined() || host_.sizes() != logits.sizes())
                host_ = at::empty(logits.sizes(), at::TensorOptions().dtype(c10::ScalarType::Float));
            host_.copy_(logits);
        });
    }
    /// InputError where there is no such row.
    [[nodiscard]] Scores row(std::size_t r) {
        const auto rows = host_.defined() ? static_cast<std::size_t>(host_.size(0)) : 0;
        if (r >= rows) no_row(r, rows);
        const auto n = host_.size(1);
        return {host_.mutable_data_ptr<float>() + static_cast<std::int64_t>(r) * n, static_cast<std::size_t>(n)};
    }

private:
    [[noreturn]] static void no_row(std::size_t r, std::size_t rows) {
        throw InputError("The decoder gave scores of " + std::to_string(rows) + " rows, of row " + std::to_string(r) +
                             " there are none.",
                         "give logits of as many rows as the decoder was started with.");
    }

    Tensor host_;
};

/// InputError that says that a row's scores are no numbers.
[[noreturn]] inline void no_numbers(std::size_t row) {
    throw InputError("The scores of row " + std::to_string(row) + " are not numbers, or forbid every token.",
                     "use a wider precision (bfloat16, float32), or forbid less.");
}

}  // namespace silica::generate
