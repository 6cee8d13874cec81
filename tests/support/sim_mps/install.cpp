// Registers everything before main, unless this LibTorch has a real MPS backend.
#if defined(__linux__)
#include <list>

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/Allocator.h>
#include <torch/library.h>

#include "silica/device/simulated.hpp"
#include "support/sim_mps/allocator.hpp"
#include "support/sim_mps/boxed.hpp"
#include "support/sim_mps/guard.hpp"
#include "support/sim_mps/hooks.hpp"
#include "support/sim_mps/kernels.hpp"
#include "support/sim_mps/state.hpp"

namespace silica::test::sim_mps::detail {
namespace {

/// Never destroyed: tensors on the device may outlive every static object.
torch::Library& library(const char* ns, c10::DispatchKey key) {
    static auto& libraries = *new std::list<torch::Library>;
    return libraries.emplace_back(torch::Library::IMPL, ns, key, __FILE__, __LINE__);
}

void install_kernels() {
    library("_", c10::DispatchKey::MPS).fallback(missing_op());
    torch::Library& aten = library("aten", c10::DispatchKey::MPS);
    torch::Library& autograd = library("aten", c10::DispatchKey::AutogradMPS);
    std::set<std::string> done = add_factories(aten);
    done.merge(add_copies(aten));
    done.merge(add_convolutions(aten));
    done.merge(add_attention(aten, autograd));
    done.merge(add_quantized(aten));
    for (const std::string& name : op_list()) {
        if (done.contains(name)) continue;
        const auto dot = name.find('.');
        const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(
            ("aten::" + name.substr(0, dot)).c_str(), dot == std::string::npos ? "" : name.substr(dot + 1).c_str());
        aten.impl(name.c_str(), boxed_kernel(op));
    }
}

[[maybe_unused]] const bool installed_before_main = [] {
    if (!install_hooks()) return false;
    c10::SetAllocator(c10::DeviceType::MPS, &allocator());
    install_guard();
    install_kernels();
    silica::device::simulated_mps = description;
    state().installed = true;
    return true;
}();

}  // namespace
}  // namespace silica::test::sim_mps::detail
#endif
