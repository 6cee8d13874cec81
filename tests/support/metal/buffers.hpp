#pragma once
/// Buffers for kernels on the host: numbers of a type between others that no kernel may read or write.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/metal/half.hpp"
#include "support/metal/kernels.hpp"
#include "support/metal/threadgroup.hpp"

namespace silica::test::metal {

/// TYPE of the texts.
enum class Type : int { float32, float16, bfloat16 };

/// Of a rounding to `type`, relative.
inline double epsilon(Type type) { return type == Type::float32 ? 6e-8 : type == Type::float16 ? 0x1p-11 : 0x1p-8; }

/// The nearest number of `type`.
inline double nearest(double x, Type type) {
    using stdlib::as_type;
    const auto f = static_cast<float>(x);
    if (type == Type::float32) return f;
    if (type == Type::float16) return static_cast<double>(static_cast<float>(stdlib::half(f)));
    const auto u = as_type<std::uint32_t>(f);
    return static_cast<double>(as_type<float>((u + 0x7fffU + (u >> 16U & 1U)) & 0xffff0000U));
}

/// Bytes between fences. Reading beyond the end gives NaN in every type, writing there is found by `check`.
class Buffer {
public:
    explicit Buffer(std::size_t bytes) : memory_(bytes + 2 * fence, std::byte{0xff}) {}
    [[nodiscard]] void* data() { return memory_.data() + fence; }
    /// Throws when something was written beside it.
    void check() const {
        const auto touched = [](std::byte b) { return b != std::byte{0xff}; };
        if (std::any_of(memory_.begin(), memory_.begin() + fence, touched) ||
            std::any_of(memory_.end() - fence, memory_.end(), touched))
            throw std::runtime_error("a kernel wrote beside a buffer");
    }

private:
    static constexpr std::ptrdiff_t fence = 4096;
    std::vector<std::byte> memory_;
};

/// Values as a buffer of `type`.
inline Buffer of(const std::vector<double>& values, Type type) {
    Buffer b(values.size() * (type == Type::float32 ? 4 : 2));
    auto* at = static_cast<std::byte*>(b.data());
    for (const double v : values) {
        const auto f = static_cast<float>(nearest(v, type));
        if (type == Type::float32) {
            std::memcpy(at, &f, 4);
            at += 4;
            continue;
        }
        std::uint16_t bits = 0;
        if (type == Type::float16) {
            const stdlib::half h(f);
            std::memcpy(&bits, &h, 2);
        } else {
            bits = static_cast<std::uint16_t>(stdlib::as_type<std::uint32_t>(f) >> 16U);
        }
        std::memcpy(at, &bits, 2);
        at += 2;
    }
    return b;
}

/// Values of anything else.
template <class T>
Buffer of(const std::vector<T>& values) {
    Buffer b(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(b.data(), values.data(), values.size() * sizeof(T));
    return b;
}

/// The first `n` numbers of a buffer.
inline std::vector<double> numbers(Buffer& b, std::size_t n, Type type) {
    std::vector<double> out(n);
    for (std::size_t i = 0; i < n; ++i) {
        if (type == Type::float32) {
            out[i] = static_cast<double>(static_cast<const float*>(b.data())[i]);
            continue;
        }
        const auto bits = static_cast<const std::uint16_t*>(b.data())[i];
        stdlib::half h;
        std::memcpy(static_cast<void*>(&h), &bits, 2);
        const float f =
            type == Type::float16 ? static_cast<float>(h) : stdlib::as_type<float>(std::uint32_t{bits} << 16U);
        out[i] = static_cast<double>(f);
    }
    return out;
}

/// Normal numbers, rounded to `type`, the same for the same seed.
inline std::vector<double> normal(std::size_t n, unsigned seed, Type type, double scale = 1) {
    std::mt19937 engine(seed);
    std::vector<double> out(n);
    for (double& v : out) {
        double sum = 0;  // of uniform numbers: the library's distributions differ from one to another
        for (int i = 0; i < 12; ++i) sum += static_cast<double>(engine()) * 0x1p-32;
        v = nearest((sum - 6) * scale, type);
    }
    return out;
}

/// `name` with its values as host_kernel knows them.
inline std::string variant(std::string name, std::initializer_list<std::pair<const char*, int>> values) {
    for (const auto& [key, value] : values) name += std::string(" ") + key + "=" + std::to_string(value);
    return name;
}

/// Runs a kernel that must be there and looks at the fences of its buffers.
inline void launch(std::string_view name, std::string_view mutation, std::vector<Buffer*> buffers, void* constants,
                   std::array<unsigned, 3> groups, unsigned threads) {
    const HostKernel* found = host_kernel(name, mutation);
    if (found == nullptr) throw std::runtime_error("not compiled for the host: " + std::string(name));
    std::vector<void*> arguments;
    for (Buffer* b : buffers) arguments.push_back(b->data());
    arguments.push_back(constants);
    found->run(arguments, groups, threads);
    for (const Buffer* b : buffers) b->check();
}

/// How far numbers are from what they should be, at most, in units of what is allowed; infinite for what is no number.
inline double worst(const std::vector<double>& got, const std::vector<double>& want, const std::vector<double>& near) {
    double most = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
        const double by = std::fabs(got[i] - want[i]) / near[i];
        most = by <= most ? most : std::isnan(by) ? INFINITY : by;
    }
    return most;
}

}  // namespace silica::test::metal
