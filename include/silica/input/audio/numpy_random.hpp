#pragma once
/// The random numbers of numpy.random.seed(s).

#include <bit>
#include <cstdint>
#include <random>

namespace silica::audio {

/// numpy's legacy generator: the Mersenne twister, and its way from 32 bits to a range (masked rejection).
class NumpyRandom {
public:
    explicit NumpyRandom(std::uint32_t seed = 0) : bits_(seed) {}

    /// numpy.random.randint(0, n) for 1 <= n <= 2^32; also the index that numpy.random.choice takes of n. Nothing is
    /// drawn where n is 1.
    [[nodiscard]] std::uint32_t below(std::uint64_t n) {
        const auto most = static_cast<std::uint32_t>(n - 1);
        if (most == 0) return 0;
        const auto mask = ~std::uint32_t{0} >> static_cast<unsigned>(std::countl_zero(most));
        while (true) {
            const auto drawn = static_cast<std::uint32_t>(bits_()) & mask;
            if (drawn <= most) return drawn;
        }
    }

private:
    std::mt19937 bits_;
};

}  // namespace silica::audio
