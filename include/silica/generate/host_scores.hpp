#pragma once
/// Scores on the host, where processors and samples want them.

#include "silica/core/error.hpp"
#include "silica/generate/decoder.hpp"
#include "silica/generate/scores.hpp"

#include <cstdint>
#include <string>

namespace silica::generate {

/// The scores of each row on the host, float32, to be changed in place. Their memory is kept from step to step.
class HostScores {
public:
    /// Copies logits (rows, vocabulary) of any type from the device of `decoder`.
    void copy(const Decoder& decoder, const Tensor& logits) {
        decoder.on_device([&] {
            if (!host_.defined() || host_.sizes() != logits.sizes())
                host_ = at::empty(logits.sizes(), at::TensorOptions().dtype(c10::ScalarType::Float));
            host_.copy_(logits);
        });
    }
    [[nodiscard]] Scores row(std::size_t r) {
        const auto n = host_.size(1);
        return {host_.mutable_data_ptr<float>() + static_cast<std::int64_t>(r) * n, static_cast<std::size_t>(n)};
    }

private:
    Tensor host_;
};

/// InputError that says that a row's scores are no numbers.
[[noreturn]] inline void no_numbers(std::size_t row) {
    throw InputError("The scores of row " + std::to_string(row) + " are not numbers, or forbid every token.",
                     "use a wider precision (bfloat16, float32), or forbid less.");
}

}  // namespace silica::generate
