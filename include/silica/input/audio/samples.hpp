#pragma once
/// Sound in memory.

#include "silica/core/error.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::audio {

/// One channel of finite numbers, full scale being from -1 to 1, `rate` of them in a second. Copies share the numbers,
/// which nobody writes to.
class Samples {
public:
    /// Samples that lie elsewhere, not copied: `owner` keeps them alive, or, where it is null, the caller does.
    /// InputError unless there are some, all of them finite, and the rate is 1 or more.
    Samples(std::span<const float> mono, std::int64_t rate, std::shared_ptr<const void> owner)
        : mono_(checked(mono, rate)), rate_(rate), owner_(std::move(owner)) {}

    /// Samples that become the object's own.
    Samples(std::vector<float> mono, std::int64_t rate)
        : Samples(std::make_shared<const std::vector<float>>(std::move(mono)), rate) {}
    /// What is moved from stays as it was: it would else name samples that it no longer keeps.
    Samples(const Samples&) = default;
    Samples& operator=(const Samples&) = default;

    [[nodiscard]] std::span<const float> mono() const noexcept { return mono_; }
    /// Samples in a second.
    [[nodiscard]] std::int64_t rate() const noexcept { return rate_; }
    [[nodiscard]] double seconds() const noexcept {
        return static_cast<double>(mono_.size()) / static_cast<double>(rate_);
    }

private:
    Samples(std::shared_ptr<const std::vector<float>> own, std::int64_t rate)
        : Samples(std::span(own->data(), own->size()), rate, own) {}

    static std::span<const float> checked(std::span<const float> mono, std::int64_t rate) {
        if (mono.empty()) throw InputError("There are no samples of sound.", "give at least one.");
        if (rate < 1) {
            throw InputError("A rate of " + std::to_string(rate) + " samples in a second cannot be.",
                             "give the rate at which the sound was sampled: 16000, 44100, 48000.");
        }
        // By its bits: under -ffast-math every number counts as finite.
        const auto finite = [](float x) { return (std::bit_cast<std::uint32_t>(x) & 0x7F800000U) != 0x7F800000U; };
        if (const auto bad = std::ranges::find_if_not(mono, finite); bad != mono.end()) {
            throw InputError("Sample " + std::to_string(bad - mono.begin()) + " of the sound is not a finite number.",
                             "repair the sound, or cut it there.");
        }
        return mono;
    }

    std::span<const float> mono_;
    std::int64_t rate_;
    std::shared_ptr<const void> owner_;
};

}  // namespace silica::audio
