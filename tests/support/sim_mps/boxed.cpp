#include "support/sim_mps/boxed.hpp"

#if defined(__linux__)
#include <cstdlib>
#include <set>

#include <ATen/native/CPUFallback.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include "support/sim_mps/generator.hpp"
#include "support/sim_mps/host_view.hpp"
#include "support/sim_mps/state.hpp"

namespace silica::test::sim_mps::detail {
namespace {

using torch::jit::Stack;

/// Ops that read a result on the host, and so wait for the device.
const std::set<std::string> waiting = {
    "aten::nonzero", "aten::nonzero.out", "aten::masked_select",     "aten::_unique2",
    "aten::equal",   "aten::unique_dim",  "aten::masked_select.out", "aten::unique_consecutive"};

/// Ops whose index tensors may lie on the CPU.
const std::set<std::string> takes_cpu_indices = {"aten::index.Tensor", "aten::index.Tensor_out",
                                                 "aten::_index_put_impl_"};

/// Ops that only floating-point tensors may enter, with LibTorch's words for it (Linear.mm).
void check_linear(const std::string& op, const std::vector<c10::IValue>& arguments) {
    if (op != "aten::linear") return;
    const auto check = [&](std::size_t i, const char* plural, const char* argument) {
        if (!arguments[i].isTensor() || !arguments[i].toTensor().defined()) return;
        const at::Tensor& tensor = arguments[i].toTensor();
        TORCH_CHECK(tensor.is_floating_point() || tensor.is_complex(),
                    "MPS device does not support linear for non-float ", plural);
        TORCH_CHECK(tensor.is_mps(), "Tensor for argument ", argument, " is on ", tensor.device(),
                    " but expected on mps");
    };
    check(0, "inputs", "input");
    check(1, "weights", "weight");
    check(2, "bias", "bias");
}

bool is_view(const c10::FunctionSchema& schema) {
    for (const auto& result : schema.returns()) {
        if (result.alias_info() != nullptr && !result.alias_info()->isWrite()) return true;
    }
    return false;
}

class BoxedKernel final : public c10::OperatorKernel {
public:
    explicit BoxedKernel(const c10::OperatorHandle& op)
        : name_(c10::toString(op.operator_name())),
          view_(is_view(op.schema())),
          waits_(waiting.contains(name_)),
          cpu_indices_(takes_cpu_indices.contains(name_)) {
        const auto& arguments = op.schema().arguments();
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            if (*arguments[i].type() == *c10::OptionalType::create(c10::GeneratorType::get())) generators_.push_back(i);
        }
    }

    void operator()(const c10::OperatorHandle& op, c10::DispatchKeySet, Stack* stack) {
        if (view_) {
            check_fault(name_);
            return run(op, stack);
        }
        const OnDevice device(name_);
        run(op, stack);
        if (waits_) count_implicit_sync();
    }

private:
    void run(const c10::OperatorHandle& op, Stack* stack) const {
        TORCH_CHECK(op.hasComputedKernelForDispatchKey(c10::DispatchKey::CPU), description, ": ", name_,
                    " has an MPS kernel on a Mac; the simulation has none.");
        auto arguments = torch::jit::pop(*stack, op.schema().arguments().size());
        check_linear(name_, arguments);
        check_arguments(arguments);
        for (const std::size_t i : generators_) {
            if (arguments[i].isNone()) arguments[i] = default_generator();
        }
        HostView view;
        for (const auto& argument : arguments) stack->push_back(view.to_host(argument));
        op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
        view.write_back();
        for (auto& result : torch::jit::last(*stack, op.schema().returns().size())) {
            const_cast<c10::IValue&>(result) = view.to_device(result);
        }
    }

    void check_arguments(const std::vector<c10::IValue>& arguments) const {
        std::vector<at::Tensor> tensors;
        for (const auto& argument : arguments) {
            if (argument.isTensor()) {
                tensors.push_back(argument.toTensor());
            } else if (argument.isTensorList()) {
                for (const at::Tensor& t : argument.toTensorVector()) tensors.push_back(t);
            } else if (argument.isOptionalTensorList()) {
                for (const auto& t : argument.toOptionalTensorVector()) {
                    if (t) add_index(*t, tensors);
                }
            }
        }
        check_same_device(tensors);
        if (view_) return;
        for (const at::Tensor& t : tensors) {
            if (t.defined() && t.is_mps()) check_kernel_dtype(t.scalar_type());
        }
    }

    void add_index(const at::Tensor& index, std::vector<at::Tensor>& tensors) const {
        if (cpu_indices_ && index.defined() && index.is_cpu()) {
            count_h2d(index.nbytes());  // LibTorch moves it
        } else {
            tensors.push_back(index);
        }
    }

    std::string name_;
    bool view_, waits_, cpu_indices_;
    std::vector<std::size_t> generators_;  // arguments that are generators
};

void throw_missing(const c10::OperatorHandle& op, Stack*) { throw_not_implemented(c10::toString(op.operator_name())); }

void run_on_cpu(const c10::OperatorHandle& op, Stack* stack) {
    TORCH_WARN_ONCE("The operator '", c10::toString(op.operator_name()),
                    "' is not currently supported on the MPS backend and will fall back to run on the CPU. This may "
                    "have performance implications.");
    at::native::cpu_fallback(op, stack);
}

}  // namespace

torch::CppFunction boxed_kernel(const c10::OperatorHandle& op) {
    return torch::CppFunction::makeFromBoxedFunctor(std::make_unique<BoxedKernel>(op));
}

torch::CppFunction missing_op() {
    const char* fallback = std::getenv("PYTORCH_ENABLE_MPS_FALLBACK");
    if (fallback == nullptr || std::atoi(fallback) == 0) {
        return torch::CppFunction::makeFromBoxedFunction<&throw_missing>();
    }
    return torch::CppFunction::makeFromBoxedFunction<&run_on_cpu>();
}

void check_same_device(at::ArrayRef<at::Tensor> tensors) {
    bool on_device = false, on_host = false;
    for (const at::Tensor& t : tensors) {
        if (!t.defined()) continue;
        on_device = on_device || t.is_mps();
        on_host = on_host || (t.is_cpu() && t.dim() > 0);
    }
    TORCH_CHECK(!on_host || !on_device,
                "Expected all tensors to be on the same device, but found at least two devices, mps:0 and cpu!");
}

}  // namespace silica::test::sim_mps::detail
#endif
