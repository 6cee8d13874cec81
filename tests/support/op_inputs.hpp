#pragma once
/// What LibTorch's ops were called with, on any device: whether the tensors handed to an op were contiguous, and of
/// what shape.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/record_function.h>

#include "silica/core/tensor.hpp"

namespace silica::test {

namespace detail {

/// `RecordFunction::inputs()` asserts, without NDEBUG, a flag that a LibTorch built with NDEBUG never sets; this is the
/// member behind it. (An explicit instantiation may name a private member.)
c10::ArrayRef<const c10::IValue> inputs_of(const at::RecordFunction& f);
template <auto Member>
struct Open {
    friend c10::ArrayRef<const c10::IValue> inputs_of(const at::RecordFunction& f) { return f.*Member; }
};
template struct Open<&at::RecordFunction::inputs_>;

}  // namespace detail

/// Collects the calls of one op ("aten::linear") on this thread while it is alive.
class OpInputs {
public:
    struct Call {
        std::vector<Tensor> tensors;  ///< the defined ones among the arguments, in order
        [[nodiscard]] bool contiguous() const {
            for (const auto& t : tensors) {
                if (!t.is_contiguous()) return false;
            }
            return true;
        }
    };

    explicit OpInputs(std::string op) : outer_(current()), op_(std::move(op)) {
        current() = this;
        handle_ = at::addThreadLocalCallback(
            at::RecordFunctionCallback(&OpInputs::enter).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
    }
    ~OpInputs() {
        at::removeCallback(handle_);
        current() = outer_;
    }
    OpInputs(const OpInputs&) = delete;
    OpInputs& operator=(const OpInputs&) = delete;

    [[nodiscard]] const std::vector<Call>& calls() const noexcept { return calls_; }

private:
    static OpInputs*& current() {
        thread_local OpInputs* open = nullptr;
        return open;
    }

    static std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction& f) {
        auto* const self = current();
        if (self == nullptr || f.name() != self->op_) return nullptr;
        Call call;
        for (const auto& input : detail::inputs_of(f)) {
            if (input.isTensor() && input.toTensor().defined()) call.tensors.push_back(input.toTensor());
        }
        self->calls_.push_back(std::move(call));
        return nullptr;
    }

    OpInputs* outer_;
    std::string op_;
    at::CallbackHandle handle_ = 0;
    std::vector<Call> calls_;
};

}  // namespace silica::test
