#pragma once
/// The tensors of one op call, seen from the host: CPU tensors over the same memory, and back.

#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

namespace silica::test::sim_mps::detail {

/// LibTorch's TypeErrors for dtypes that an MPS tensor cannot have.
void check_factory_dtype(at::ScalarType dtype);
/// LibTorch's TypeErrors for dtypes that no MPS kernel takes.
void check_kernel_dtype(at::ScalarType dtype);
void check_rank(std::size_t rank);

/// Lives for one call. Storages are aliased once each, so that views and overlapping arguments stay coherent.
class HostView {
public:
    /// The CPU tensor over the memory of an mps tensor; other tensors as they are.
    at::Tensor to_host(const at::Tensor& tensor);
    std::optional<at::Tensor> to_host(const std::optional<at::Tensor>& tensor);

    /// The mps tensor of a CPU tensor: the argument it came from, a view of an argument's memory, or a new buffer.
    at::Tensor to_device(const at::Tensor& tensor);

    /// Both for any argument or result: tensors, lists of tensors, devices, generators.
    c10::IValue to_host(const c10::IValue& value);
    c10::IValue to_device(const c10::IValue& value);

    /// After the call: gives mps tensors the sizes and the memory that the op gave to their CPU twins (`out=`,
    /// resizes).
    void write_back();

private:
    struct Twin {
        at::Tensor device, host;
    };
    std::unordered_map<c10::StorageImpl*, c10::Storage> host_storages_;    // by mps storage
    std::unordered_map<c10::StorageImpl*, c10::Storage> device_storages_;  // by CPU storage
    std::vector<Twin> twins_;
};

}  // namespace silica::test::sim_mps::detail
