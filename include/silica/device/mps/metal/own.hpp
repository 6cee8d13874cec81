#pragma once
/// Own Metal kernels: compiled on this machine at their first use, and used where they then agreed with LibTorch's ops.

#include "silica/core/compiled.hpp"
#include "silica/device/mps/metal/compiler.hpp"
#include "silica/device/mps/metal/verdicts.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace silica::device::mps::metal {

/// Whether own kernels may serve; set to false to have LibTorch's alone. The environment variable SILICA_METAL=0 does
/// it for a whole process.
SILICA_API inline std::atomic<bool> own_kernels{true};

/// Whether own kernels can be asked for at all: they may serve, and this program has a compiler of them.
[[nodiscard]] bool has_own();

/// The functions of a text, in the order of its names.
using Functions = std::vector<std::unique_ptr<Function>>;

/// Runs a kernel on small inputs and LibTorch's ops on the same: the largest difference, in units of what is allowed.
/// What it throws turns the kernel off, too.
using Proof = std::function<double(const Functions&)>;

/// One kernel in one variant: made, or why not.
struct Own {
    Functions functions;  ///< empty: off
    Verdict verdict;
    [[nodiscard]] bool serves() const { return !functions.empty(); }
};

/// All of them by number.
enum class Family : std::uint64_t { rows = 1, decode_attention, rotary_store, argmax, draw };

/// A kernel as its op describes it.
struct Described {
    Source source;
    std::string name;
    Proof proof;
};

/// The kernel `key` of `family`; null before it was made.
[[nodiscard]] const Own* find_own(Family family, std::uint64_t key);
/// Compiles and checks it; on this machine once for all, as the file of verdicts keeps that.
const Own& make_own(Family family, std::uint64_t key, const Described& described);

/// The kernel `key` of `family`, as `make()` describes it at the first call. `has_own()` has said yes.
template <class Make>
const Own& own(Family family, std::uint64_t key, Make&& make) {
    if (const Own* known = find_own(family, key)) return *known;
    return make_own(family, key, make());
}

/// What is known of own kernels on this machine, from the file and from this process.
[[nodiscard]] std::vector<Verdict> verdicts();

/// Forgets what this process knows, and reads the file again: for tests.
void forget_own();

/// TYPE of the texts, -1 for a type that they do not have.
[[nodiscard]] constexpr int type_number(at::ScalarType type) {
    return type == at::kFloat ? 0 : type == at::kHalf ? 1 : type == at::kBFloat16 ? 2 : -1;
}

/// Of a rounding to `type`, relative.
[[nodiscard]] constexpr double rounding(at::ScalarType type) {
    return type == at::kHalf ? 0x1p-11 : type == at::kBFloat16 ? 0x1p-8 : 0x1p-23;
}

/// Threads of a threadgroup, whole simdgroups: at most `wanted` and what the pipeline allows.
[[nodiscard]] inline std::uint64_t threads_of(const Function& f, std::uint64_t wanted) {
    const std::uint64_t most = f.most_threads() / 32 * 32;
    return most < wanted ? most : wanted;
}

/// The largest |got - want| / (absolute + relative |want|), infinite where one of them is no number and the other is.
[[nodiscard]] double difference(const Tensor& got, const Tensor& want, double absolute, double relative);

/// Numbers in [-1, 1] that look like noise and are the same each time, on `device`.
[[nodiscard]] Tensor noise(at::IntArrayRef shape, int seed, at::ScalarType type, c10::Device device);

}  // namespace silica::device::mps::metal

#ifndef SILICA_COMPILED
#include "silica/device/mps/metal/own.ipp"
#endif
