#pragma once
/// CUDA graphs: work recorded once and replayed with one launch, its memory kept apart. Through LibTorch's
/// device-neutral graphs (2.13 on); in 2.11 and 2.12 through at::cuda::CUDAGraph, whose header needs the CUDA toolkit,
/// by the names that libtorch_cuda exports: its layout is that of a release, so these two were tried.

#include "silica/device/concept.hpp"
#include "silica/device/cuda/nvrtc.hpp"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <torch/version.h>

#if __has_include(<ATen/core/GraphImplInterface.h>)
#include <ATen/core/GraphImplInterface.h>
#elif __has_include(<dlfcn.h>)
#include <dlfcn.h>
#endif

namespace silica::device::cuda {

#if __has_include(<ATen/core/GraphImplInterface.h>)

/// A graph: `begin`, work on the current stream, `end`, then `replay` any number of times.
class Graph {
public:
    /// Whether this LibTorch can record.
    static Availability available() {
        if (at::has_graph_impl(c10::DeviceType::CUDA)) return {true};
        return {false, "this LibTorch is built without CUDA graphs"};
    }

    Graph() : impl_(at::create_graph_impl(c10::DeviceType::CUDA)) {}
    void begin() { impl_->capture_begin({0, 0}, at::GraphCaptureMode::ThreadLocal); }
    void end() { impl_->capture_end(); }
    void replay() { impl_->replay(); }

private:
    std::unique_ptr<at::GraphImplInterface> impl_;
};

#elif TORCH_VERSION_MAJOR == 2 && (TORCH_VERSION_MINOR == 11 || TORCH_VERSION_MINOR == 12) && __has_include(<dlfcn.h>)

/// A graph: `begin`, work on the current stream, `end`, then `replay` any number of times.
class Graph {
public:
    /// Whether this LibTorch can record.
    static Availability available() {
        if (symbols().usable) return {true};
        return {false, "this LibTorch is built without CUDA graphs"};
    }

    Graph() : memory_(new Storage) {
        if (const auto can = available(); !can)
            throw DeviceError("CUDA graphs cannot be recorded: " + can.reason + ".", "run steps as they are.");
        symbols().construct(memory_.get(), false);
        alive_ = true;
    }
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;
    ~Graph() {
        if (alive_) symbols().destroy(memory_.get());
    }
    void begin() { symbols().begin(memory_.get(), {0, 0}, thread_local_mode); }
    void end() { symbols().end(memory_.get()); }
    void replay() { symbols().replay(memory_.get()); }

private:
    /// Room for an at::cuda::CUDAGraph, about 150 bytes in 2.11.
    struct alignas(64) Storage {
        std::byte bytes[4096];
    };
    static constexpr int thread_local_mode = 1;  // cudaStreamCaptureModeThreadLocal

    struct Symbols {
        void (*construct)(void*, bool);
        void (*destroy)(void*);
        void (*begin)(void*, std::pair<unsigned long long, unsigned long long>, int);
        void (*end)(void*);
        void (*replay)(void*);
        bool usable;
    };
    static const Symbols& symbols() {
        static const Symbols found = [] {
            void* torch = ::dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD);
            const auto find = [&]<class F>(F*& f, const char* name) {
                f = torch == nullptr ? nullptr : reinterpret_cast<F*>(::dlsym(torch, name));
                return f != nullptr;
            };
            Symbols s{};
            s.usable = find(s.construct, "_ZN2at4cuda9CUDAGraphC1Eb") && find(s.destroy, "_ZN2at4cuda9CUDAGraphD1Ev") &&
                       find(s.begin, "_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode") &&
                       find(s.end, "_ZN2at4cuda9CUDAGraph11capture_endEv") &&
                       find(s.replay, "_ZN2at4cuda9CUDAGraph6replayEv");
            return s;
        }();
        return found;
    }

    std::unique_ptr<Storage> memory_;
    bool alive_ = false;
};

#else

/// Nothing to record with here.
class Graph {
public:
    static Availability available() {
        return {false, "CUDA graphs were tried with LibTorch 2.11, 2.12 and from 2.13 on, and this is " +
                           std::to_string(TORCH_VERSION_MAJOR) + "." + std::to_string(TORCH_VERSION_MINOR)};
    }
    void begin() {}
    void end() {}
    void replay() {}
};

#endif

/// Records what `f` does on `device` without doing it. `f` does not write the weights of products (they are read
/// ahead). On a throw the recording is given up.
template <class F>
void record(Graph& graph, c10::Device device, F&& f) {
    const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
    const auto before = guard.exchangeStream(guard.getStreamFromGlobalPool(device, /*isHighPriority=*/false));
    try {
        graph.begin();
        silica::recording = true;
        try {
            f();
            silica::recording = false;
        } catch (...) {
            silica::recording = false;
            try {
                graph.end();
            } catch (const std::exception&) {  // the first error says more
            }
            throw;
        }
        graph.end();
    } catch (...) {
        guard.exchangeStream(before);
        throw;
    }
    guard.exchangeStream(before);
}

}  // namespace silica::device::cuda
