#pragma once
/// Random numbers of sampling: Philox4x32-10, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"
/// (https://doi.org/10.1145/2063384.2063405). A number depends on the seed, the row and the place only: the same on
/// every platform, whatever ran before, however many threads there are.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace silica::generate {

/// Ten rounds of Philox: four random words from a 64-bit key and a 128-bit counter.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox(std::uint64_t key, std::array<std::uint32_t, 4> counter) {
    auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32U);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53U} * counter[0], b = std::uint64_t{0xCD9E8D57U} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32U) ^ counter[1] ^ k0, static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32U) ^ counter[3] ^ k1, static_cast<std::uint32_t>(a)};
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    return counter;
}

/// The random numbers of one place in one row. The seed is the key; the counter is (draw, place, row, 0).
class Random {
public:
    constexpr Random(std::uint64_t seed, std::uint32_t row, std::uint32_t place)
        : seed_(seed), row_(row), place_(place) {}

    /// The `draw`-th number, uniform in [0, 1), of 53 bits.
    [[nodiscard]] constexpr double uniform(std::uint32_t draw = 0) const {
        const auto words = philox(seed_, {draw, place_, row_, 0});
        return static_cast<double>((std::uint64_t{words[0]} << 32U | words[1]) >> 11U) * 0x1p-53;
    }
    /// The `draw`-th number, of Gumbel's distribution: the largest of log p + gumbel is a sample of p.
    [[nodiscard]] double gumbel(std::uint32_t draw) const {
        return -std::log(-std::log(std::max(uniform(draw), 0x1p-54)));  // of neither 0 nor 1
    }

private:
    std::uint64_t seed_;
    std::uint32_t row_, place_;
};

}  // namespace silica::generate
