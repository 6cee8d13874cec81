#include "support/sim_mps/boxed.hpp"

#if defined(__linux__)
#include <algorithm>
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

/// Ops that a Mac has in half precision and the CPU has not: computed in float32 and rounded.
const std::set<std::string> computes_in_float32 = {"aten::_upsample_bicubic2d_aa", "aten::_upsample_bicubic2d_aa.out",
                                                   "aten::_upsample_bilinear2d_aa",
                                                   "aten::_upsample_bilinear2d_aa.out"};

/// Plain assignment makes g++ 12 warn of an overflow that is none.
void replace(c10::IValue& value, c10::IValue by) { value.swap(by); }

bool is_half(const c10::IValue& value) {
    if (!value.isTensor() || !value.toTensor().defined()) return false;
    const auto dtype = value.toTensor().scalar_type();
    return dtype == at::kHalf || dtype == at::kBFloat16;
}

/// Ops that only floating-point tensors may enter, with LibTorch's words for it (Linear.mm).
void check_linear(const std::string& op, at::ArrayRef<c10::IValue> arguments) {
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
          float32_(computes_in_float32.contains(name_)),
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
        const std::size_t count = op.schema().arguments().size(), results = op.schema().returns().size();
        check_linear(name_, torch::jit::last(*stack, count));
        check_arguments(torch::jit::last(*stack, count));
        for (const std::size_t i : generators_) {
            c10::IValue& generator = torch::jit::peek(*stack, i, count);
            if (generator.isNone()) replace(generator, default_generator());
        }
        HostView view;
        for (std::size_t i = 0; i < count; ++i) {
            c10::IValue& argument = torch::jit::peek(*stack, i, count);
            argument = view.to_host(argument);
        }
        call_on_host(op, stack);
        view.write_back();
        for (std::size_t i = 0; i < results; ++i) {
            c10::IValue& result = torch::jit::peek(*stack, i, results);
            result = view.to_device(result);
        }
    }

    void call_on_host(const c10::OperatorHandle& op, Stack* stack) const {
        const c10::DispatchKeySet cpu(c10::DispatchKey::CPU);
        const auto arguments = torch::jit::last(*stack, op.schema().arguments().size());
        const auto* half = std::find_if(arguments.begin(), arguments.end(), is_half);
        if (half == arguments.end() || !float32_) return run_checked(op, stack, cpu);
        const auto dtype = half->toTensor().scalar_type();
        const at::Tensor out = arguments.back().isTensor() ? arguments.back().toTensor() : at::Tensor();
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            c10::IValue& argument = torch::jit::peek(*stack, i, arguments.size());
            if (is_half(argument)) replace(argument, argument.toTensor().to(at::kFloat));
        }
        run_checked(op, stack, cpu);
        const at::Tensor rounded = torch::jit::pop(*stack).toTensor().to(dtype);
        stack->emplace_back(out.defined() ? out.resize_(rounded.sizes()).copy_(rounded) : rounded);
    }

    /// A dtype that the CPU's kernel lacks says nothing about a Mac, so it must not look like a missing op.
    void run_checked(const c10::OperatorHandle& op, Stack* stack, c10::DispatchKeySet cpu) const {
        try {
            op.redispatchBoxed(cpu, stack);
        } catch (const c10::NotImplementedError& e) {
            TORCH_CHECK(false, description, ": the CPU kernel that stands for ", name_, " threw ",
                        e.what_without_backtrace());
        }
    }

    void check_arguments(at::ArrayRef<c10::IValue> arguments) const {
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
    bool view_, waits_, float32_, cpu_indices_;
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
