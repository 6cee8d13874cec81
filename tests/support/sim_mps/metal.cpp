#include "support/sim_mps_metal.hpp"

#if defined(__linux__)
#include <cstdlib>
#include <map>
#include <stdexcept>

#include <c10/util/Exception.h>

#include "silica/device/mps/metal/own.hpp"
#include "support/metal/kernels.hpp"
#include "support/metal/threadgroup.hpp"
#include "support/sim_mps/memory.hpp"
#include "support/sim_mps/state.hpp"

namespace silica::test::sim_mps {
namespace {

namespace metal = silica::device::mps::metal;

struct Control {
    OwnKernels which = OwnKernels::absent;
    std::string only;
    OwnKernelUse use;

    [[nodiscard]] OwnKernels of(std::string_view kernel) const {
        return kernel.starts_with(only) ? which : OwnKernels::right;
    }
};

Control& control() {
    static auto& instance = *new Control;
    return instance;
}

/// The buffer that a kernel writes its result to.
const std::map<std::string_view, std::size_t> results = {
    {"rows", 6}, {"decode_attention", 5}, {"join_parts", 1}, {"rotary_store", 3}, {"argmax_join", 2}, {"draw_join", 4}};

class HostFunction final : public metal::Function {
public:
    HostFunction(const test::metal::HostKernel& kernel, std::string name) : kernel_(&kernel), name_(std::move(name)) {}
    [[nodiscard]] std::uint64_t most_threads() const override { return 1024; }
    [[nodiscard]] std::uint64_t lanes() const override {
        return control().of(name_) == OwnKernels::lanes_16 ? 16 : test::metal::lanes;
    }
    void run(std::span<const metal::Argument> arguments, const metal::Grid& grid) override {
        const detail::OnDevice device("silica::" + name_);
        ++control().use.launched;
        TORCH_CHECK(control().of(name_) != OwnKernels::throws, "simulated failure of kernel ", name_);
        std::vector<void*> addresses;
        for (const auto& a : arguments) {
            if (a.tensor == nullptr) {
                addresses.push_back(const_cast<void*>(a.bytes));
                continue;
            }
            TORCH_CHECK(a.tensor->is_mps(), "a kernel was given a tensor of the host");
            auto* base = static_cast<std::byte*>(detail::host_address(a.tensor->storage().data()));
            addresses.push_back(base +
                                a.tensor->storage_offset() * static_cast<std::int64_t>(a.tensor->element_size()));
        }
        const auto narrow = [](std::uint64_t n) { return static_cast<unsigned>(n); };
        kernel_->run(addresses, {narrow(grid.groups[0]), narrow(grid.groups[1]), narrow(grid.groups[2])},
                     narrow(grid.threads));
        const auto result = results.find(name_);
        if (control().of(name_) != OwnKernels::wrong || result == results.end()) return;
        const auto& y = *arguments[result->second].tensor;
        auto* first = static_cast<std::byte*>(addresses[result->second]);
        if (y.scalar_type() == at::kLong)
            first[0] ^= std::byte{1};
        else
            first[y.element_size() - 1] ^= std::byte{0x40};
    }

private:
    const test::metal::HostKernel* kernel_;
    std::string name_;
};

class HostCompiler final : public metal::Compiler {
public:
    std::vector<std::unique_ptr<metal::Function>> compile(const metal::Source& source) override {
        ++control().use.compiled;
        std::vector<std::unique_ptr<metal::Function>> made;
        for (const auto view : source.names) {
            const std::string name(view);
            TORCH_CHECK(control().of(name) != OwnKernels::no_compile,
                        "Failed to create metal library, error: simulated, in ", name);
            const auto* kernel = test::metal::host_kernel(name + " " + source.variant());
            TORCH_CHECK(kernel != nullptr, description, ": not compiled for the host: ", name, " ", source.variant());
            made.push_back(std::make_unique<HostFunction>(*kernel, name));
        }
        return made;
    }
};

[[maybe_unused]] const bool chosen_by_environment = [] {
    const char* value = std::getenv("SILICA_SIM_METAL");
    if (value == nullptr) return false;
    static const std::map<std::string_view, OwnKernels> names = {{"right", OwnKernels::right},
                                                                 {"wrong", OwnKernels::wrong},
                                                                 {"throws", OwnKernels::throws},
                                                                 {"no_compile", OwnKernels::no_compile},
                                                                 {"lanes_16", OwnKernels::lanes_16}};
    const auto found = names.find(value);
    if (found != names.end()) set_own_kernels(found->second);
    return found != names.end();
}();

}  // namespace

void set_own_kernels(OwnKernels which, const std::string& only) {
    static HostCompiler compiler;
    control() = {which, only, {}};
    metal::stand_in = which == OwnKernels::absent ? nullptr : &compiler;
    metal::forget_own();
}

OwnKernelUse own_kernel_use() { return control().use; }

}  // namespace silica::test::sim_mps
#endif
