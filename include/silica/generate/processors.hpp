#pragma once
/// All that changes scores before a token is chosen, in transformers' order. Followed: transformers 5.23,
/// generation/utils.py, _get_logits_processor.

#include "silica/generate/config.hpp"
#include "silica/generate/scores.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace silica::generate {

/// The processors that a configuration asks for.
class Processors {
public:
    Processors() = default;

    /// `prompt`: tokens of a row before the first new one, padding included; `max_length`: tokens of a row at its end;
    /// `more`: processors of the caller, which run before those of sampling. InputError where one of them is empty, and
    /// for parameters out of range.
    Processors(const GenerationConfig& c, std::size_t prompt, std::size_t max_length,
               const std::vector<Processor>& more = {});

    /// Whether scores stay as the model gives them.
    [[nodiscard]] bool empty() const noexcept { return all_.empty(); }

    /// Whether scores are at most divided by the temperature.
    [[nodiscard]] bool only_temperature() const noexcept { return all_.size() == std::size_t{tempered_}; }

    void operator()(Scores scores, const Row& row) {
        for (auto& each : all_) each(scores, row);
    }

private:
    void add(Processor p);

    /// Beams keep a token more than there are ends, so that one of them goes on.
    void add_warpers(const GenerationConfig& c, std::int64_t ends);

    std::vector<Processor> all_;
    bool tempered_ = false;  ///< one of them is the temperature
};

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/processors.ipp"
#endif
