#pragma once
/// LibTorch's compiler of Metal texts.

#include "silica/core/compiled.hpp"
#include "silica/device/mps/metal/compiler.hpp"
#include "silica/device/mps/metal/prelude.metal.hpp"

#if defined(__APPLE__) && !defined(TORCH_STABLE_ONLY) && !defined(TORCH_TARGET_VERSION) && \
    __has_include(<ATen/native/mps/MetalShaderLibrary.h>)
#define SILICA_METAL_BY_LIBTORCH 1
#include <ATen/native/mps/MetalShaderLibrary.h>
#endif

namespace silica::device::mps::metal {

#ifdef SILICA_METAL_BY_LIBTORCH
namespace detail {

class LibTorchFunction final : public Function {
public:
    LibTorchFunction(std::shared_ptr<at::native::mps::DynamicMetalShaderLibrary> library, const std::string& name)
        : library_(std::move(library)), function_(library_->getKernelFunction(name)) {}

    [[nodiscard]] std::uint64_t most_threads() const override { return function_->getMaxThreadsPerThreadgroup(); }
    [[nodiscard]] std::uint64_t lanes() const override { return function_->getThreadExecutionWidth(); }
    void run(std::span<const Argument> arguments, const Grid& grid) override {
        const std::array<std::uint64_t, 3> all{grid.groups[0] * grid.threads, grid.groups[1], grid.groups[2]};
        const std::array<std::uint64_t, 3> one{grid.threads, 1, 1};
        function_->runCommandBlock([&] {
            function_->startEncoding();
            unsigned index = 0;
            for (const Argument& a : arguments) {
                if (a.tensor != nullptr)
                    function_->setArg(index++, *a.tensor);
                else
                    function_->setArg(index++, a.bytes, a.size);
            }
            function_->dispatch(c10::ArrayRef<std::uint64_t>(all), c10::OptionalArrayRef<std::uint64_t>(one));
        });
    }

private:
    std::shared_ptr<at::native::mps::DynamicMetalShaderLibrary> library_;
    std::shared_ptr<at::native::mps::MetalKernelFunction> function_;
};

class LibTorchCompiler final : public Compiler {
public:
    std::vector<std::unique_ptr<Function>> compile(const Source& source) override {
        const auto library = std::make_shared<at::native::mps::DynamicMetalShaderLibrary>(source.whole());
        std::vector<std::unique_ptr<Function>> made;
        for (const auto name : source.names)
            made.push_back(std::make_unique<LibTorchFunction>(library, std::string(name)));
        return made;
    }
};

}  // namespace detail
#endif

SILICA_INLINE std::string Source::whole() const {
    std::string all = "#include <metal_stdlib>\nusing namespace metal;\n";
    for (const auto& [name, value] : values) all += "#define " + std::string(name) + " " + std::to_string(value) + "\n";
    return all.append(prelude_text).append(text);
}

SILICA_INLINE std::string Source::variant() const {
    std::string all;
    for (const auto& [name, value] : values)
        all += (all.empty() ? "" : " ") + std::string(name) + "=" + std::to_string(value);
    return all;
}

SILICA_INLINE Compiler* compiler() {
    if (auto* other = stand_in.load(std::memory_order_acquire)) return other;
#ifdef SILICA_METAL_BY_LIBTORCH
    static detail::LibTorchCompiler by_libtorch;
    return &by_libtorch;
#else
    return nullptr;
#endif
}

}  // namespace silica::device::mps::metal

#undef SILICA_METAL_BY_LIBTORCH
