#include "support/sim_mps/host_view.hpp"

#if defined(__linux__)
#include <algorithm>
#include <cstring>

#include <c10/core/CPUAllocator.h>
#include <c10/core/StorageImpl.h>
#include <c10/core/TensorImpl.h>

#include "support/sim_mps/allocator.hpp"
#include "support/sim_mps/generator.hpp"
#include "support/sim_mps/memory.hpp"

namespace silica::test::sim_mps::detail {
namespace {

bool is_mps_dtype(at::ScalarType dtype) {
    switch (dtype) {
        case at::kBool:
        case at::kByte:
        case at::kChar:
        case at::kShort:
        case at::kInt:
        case at::kLong:
        case at::kHalf:
        case at::kBFloat16:
        case at::kFloat:
        case at::kComplexHalf:
        case at::kComplexFloat:
        case at::kUInt16:
        case at::kUInt32:
        case at::kUInt64:
            return true;
        default:
            return false;
    }
}

at::Tensor like(const at::Tensor& tensor, c10::Storage storage, c10::DispatchKey key) {
    auto made = at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(key), tensor.dtype());
    auto* impl = made.unsafeGetTensorImpl();
    impl->set_sizes_and_strides(tensor.sizes(), tensor.strides(), tensor.storage_offset());
    if (tensor.unsafeGetTensorImpl()->is_wrapped_number()) impl->set_wrapped_number(true);
    if (tensor.is_conj()) made._set_conj(true);
    if (tensor.is_neg()) made._set_neg(true);
    return made;
}

/// A buffer with a copy of the storage's bytes.
c10::DataPtr upload(const c10::Storage& host) {
    const std::size_t bytes = host.nbytes();
    c10::DataPtr buffer = allocator().allocate(bytes);
    if (bytes > 0) std::memcpy(host_address(buffer.get()), host.data(), bytes);
    return buffer;
}

template <class F>
c10::IValue map_tensors(const c10::IValue& value, F f) {
    if (value.isTensor()) return f(value.toTensor());
    if (value.isTensorList()) {
        c10::List<at::Tensor> list;
        for (const at::Tensor& t : value.toTensorVector()) list.push_back(f(t));
        return list;
    }
    if (value.isOptionalTensorList()) {
        c10::List<std::optional<at::Tensor>> list;
        for (const auto& t : value.toOptionalTensorVector()) {
            list.push_back(t ? std::optional(f(*t)) : std::nullopt);
        }
        return list;
    }
    return value;
}

}  // namespace

void check_factory_dtype(at::ScalarType dtype) {
    TORCH_CHECK_TYPE(dtype != at::kDouble,
                     "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64. "
                     "Please use float32 instead.");
    check_kernel_dtype(dtype);
}

void check_kernel_dtype(at::ScalarType dtype) {
    TORCH_CHECK_TYPE(dtype != at::kDouble,
                     "Cannot convert a float64 Tensor to MPS as the MPS framework doesn't support float64. "
                     "Please use float32 instead.");
    TORCH_CHECK_TYPE(is_mps_dtype(dtype), "Trying to convert ", dtype,
                     " to the MPS backend but it does not have support for that dtype.");
}

void check_rank(std::size_t rank) {
    TORCH_CHECK(rank <= 16, "MPS supports tensors with dimensions <= 16, but got ", rank, ".");
}

at::Tensor HostView::to_host(const at::Tensor& tensor) {
    if (!tensor.defined() || !tensor.is_mps()) return tensor;
    const auto known = std::find_if(twins_.begin(), twins_.end(), [&](auto& t) { return t.device.is_same(tensor); });
    if (known != twins_.end()) return known->host;
    const c10::Storage& device = tensor.storage();
    auto& host = host_storages_[device.unsafeGetStorageImpl()];
    if (!host) {
        c10::DataPtr alias(
            host_address(device.data()), new c10::Storage(device),
            [](void* context) { delete static_cast<c10::Storage*>(context); }, c10::DeviceType::CPU);
        host = c10::Storage(c10::Storage::use_byte_size_t(), device.nbytes(), std::move(alias), c10::GetCPUAllocator(),
                            true);
        device_storages_.emplace(host.unsafeGetStorageImpl(), device);
    }
    at::Tensor twin = like(tensor, host, c10::DispatchKey::CPU);
    twins_.push_back({tensor, twin});
    return twin;
}

std::optional<at::Tensor> HostView::to_host(const std::optional<at::Tensor>& tensor) {
    return tensor ? std::optional(to_host(*tensor)) : std::nullopt;
}

at::Tensor HostView::to_device(const at::Tensor& tensor) {
    if (!tensor.defined() || !tensor.is_cpu()) return tensor;
    for (const Twin& twin : twins_) {
        if (twin.host.is_same(tensor)) return twin.device;
    }
    const auto known = device_storages_.find(tensor.storage().unsafeGetStorageImpl());
    if (known != device_storages_.end()) return like(tensor, known->second, c10::DispatchKey::MPS);
    check_factory_dtype(tensor.scalar_type());
    check_rank(tensor.sizes().size());
    c10::Storage device(c10::Storage::use_byte_size_t(), tensor.storage().nbytes(), upload(tensor.storage()),
                        &allocator(), true);
    device_storages_.emplace(tensor.storage().unsafeGetStorageImpl(), device);
    // Two results may share this storage, so it must outlive the call's lookups: the twin keeps it.
    at::Tensor result = like(tensor, std::move(device), c10::DispatchKey::MPS);
    twins_.push_back({result, tensor});
    return result;
}

c10::IValue HostView::to_host(const c10::IValue& value) {
    if (value.isDevice() && value.toDevice().is_mps()) return c10::Device(c10::DeviceType::CPU);
    if (value.isGenerator()) return host_generator(value.toGenerator());
    return map_tensors(value, [this](const at::Tensor& t) { return to_host(t); });
}

c10::IValue HostView::to_device(const c10::IValue& value) {
    return map_tensors(value, [this](const at::Tensor& t) { return to_device(t); });
}

void HostView::write_back() {
    for (auto& [device_impl, host] : host_storages_) {
        if (host.data() == host_address(device_impl->data()) && host.nbytes() == device_impl->nbytes()) continue;
        device_impl->set_data_ptr_noswap(upload(host));
        device_impl->set_nbytes(host.nbytes());
    }
    for (const Twin& twin : twins_) {
        auto* impl = twin.device.unsafeGetTensorImpl();
        if (twin.device.sizes() != twin.host.sizes() || twin.device.strides() != twin.host.strides() ||
            twin.device.storage_offset() != twin.host.storage_offset()) {
            impl->set_sizes_and_strides(twin.host.sizes(), twin.host.strides(), twin.host.storage_offset());
        }
    }
}

}  // namespace silica::test::sim_mps::detail
#endif
