#pragma once
/// What own Metal kernels need of a device: a compiler of their texts, and functions that can be run. LibTorch's on a
/// Mac (its DynamicMetalShaderLibrary, plain C++); a stand-in in tests of the simulated device.

#include "silica/core/compiled.hpp"
#include "silica/core/tensor.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::device::mps::metal {

/// Functions of one text, compiled together with the same values.
struct Source {
    std::vector<std::string_view> names;                        ///< of its kernels
    std::string_view text;                                      ///< uses `values` by #if
    std::vector<std::pair<std::string_view, int>> values = {};  ///< TYPE first (prelude.metal.hpp)

    /// The text as it is compiled.
    [[nodiscard]] std::string whole() const;
    /// "TYPE=1 BITS=4": the values.
    [[nodiscard]] std::string variant() const;
};

/// A buffer or a constant, at the index of its place; what it names outlives it.
struct Argument {
    const Tensor* tensor = nullptr;  ///< its values, from its storage offset on
    const void* bytes = nullptr;     ///< where there is no tensor: a struct, as the text declares it
    std::size_t size = 0;

    Argument(const Tensor& t) : tensor(&t) {}  // NOLINT(google-explicit-constructor)
    Argument(Tensor&&) = delete;
    template <class Constants>
        requires(std::is_trivially_copyable_v<Constants> && !std::is_convertible_v<Constants, Tensor>)
    Argument(const Constants& c) : bytes(&c), size(sizeof c) {}  // NOLINT(google-explicit-constructor)
};

/// Threadgroups, and the threads of each: whole simdgroups of 32.
struct Grid {
    std::array<std::uint64_t, 3> groups{1, 1, 1};
    std::uint64_t threads = 32;
};

/// A kernel, ready to run.
class Function {
public:
    Function() = default;
    Function(const Function&) = delete;
    Function& operator=(const Function&) = delete;
    virtual ~Function() = default;
    /// The most threads that a threadgroup of it can have.
    [[nodiscard]] virtual std::uint64_t most_threads() const = 0;
    /// Lanes of a simdgroup.
    [[nodiscard]] virtual std::uint64_t lanes() const = 0;
    /// Submits it, after what was submitted before.
    virtual void run(std::span<const Argument> arguments, const Grid& grid) = 0;
};

/// Makes functions of texts.
class Compiler {
public:
    Compiler() = default;
    Compiler(const Compiler&) = delete;
    Compiler& operator=(const Compiler&) = delete;
    virtual ~Compiler() = default;
    /// The functions of `source`, in the order of its names. Throws where the text does not compile.
    virtual std::vector<std::unique_ptr<Function>> compile(const Source& source) = 0;
};

/// Serves instead of LibTorch's compiler, in tests.
SILICA_API inline std::atomic<Compiler*> stand_in{nullptr};

/// The compiler of this program; null where it has none (not a Mac, or a LibTorch without it).
[[nodiscard]] Compiler* compiler();

}  // namespace silica::device::mps::metal

#ifndef SILICA_COMPILED
#include "silica/device/mps/metal/compiler.ipp"
#endif
