#if defined(__linux__)
#include <algorithm>
#include <cstring>

#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>

#include "support/sim_mps/allocator.hpp"
#include "support/sim_mps/host_view.hpp"
#include "support/sim_mps/kernels.hpp"
#include "support/sim_mps/memory.hpp"
#include "support/sim_mps/state.hpp"

namespace silica::test::sim_mps::detail {
namespace {

constexpr c10::DispatchKeySet mps_keys(c10::DispatchKey::MPS);

void check_layout(std::optional<at::Layout> layout) {
    TORCH_CHECK_NOT_IMPLEMENTED(layout.value_or(at::kStrided) == at::kStrided,
                                "only strided tensors are supported on MPS");
}

at::ScalarType checked(std::optional<at::ScalarType> dtype) {
    const auto wanted = dtype.value_or(at::get_default_dtype_as_scalartype());
    check_factory_dtype(wanted);
    return wanted;
}

at::Tensor empty(c10::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout> layout,
                 std::optional<c10::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
    check_fault("aten::empty.memory_format");
    check_layout(layout);
    check_rank(size.size());
    return at::detail::empty_generic(size, &allocator(), mps_keys, checked(dtype), format);
}

at::Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef stride, std::optional<at::ScalarType> dtype,
                         std::optional<at::Layout> layout, std::optional<c10::Device>, std::optional<bool>) {
    check_fault("aten::empty_strided");
    check_layout(layout);
    check_rank(size.size());
    return at::detail::empty_strided_generic(size, stride, &allocator(), mps_keys, checked(dtype));
}

void grow(c10::StorageImpl& storage, std::size_t bytes) {
    if (bytes <= storage.nbytes()) return;
    TORCH_CHECK(storage.resizable(), "Trying to resize storage that is not resizable");
    c10::DataPtr buffer = allocator().allocate(bytes);
    if (storage.nbytes() > 0) {
        std::memcpy(host_address(buffer.get()), host_address(storage.data()), storage.nbytes());
    }
    storage.set_data_ptr_noswap(std::move(buffer));
    storage.set_nbytes(bytes);
}

const at::Tensor& resize_(const at::Tensor& self, c10::SymIntArrayRef sizes, std::optional<at::MemoryFormat> format) {
    const auto size = C10_AS_INTARRAYREF_SLOW(sizes);
    auto* impl = self.unsafeGetTensorImpl();
    if (self.sizes() != size) {
        impl->set_sizes_contiguous(size);
        const auto elements = static_cast<std::size_t>(self.storage_offset() + self.numel());
        if (self.numel() > 0) grow(*self.storage().unsafeGetStorageImpl(), elements * self.itemsize());
    }
    if (format) impl->empty_tensor_restride(*format);
    return self;
}

at::Tensor& set_storage_and_shape(at::Tensor& self, at::Storage storage, c10::SymInt offset, c10::SymIntArrayRef size,
                                  c10::SymIntArrayRef stride) {
    TORCH_CHECK(storage.device().is_mps(), "Attempted to set the storage of a tensor on device \"", self.device(),
                "\" to a storage on different device \"", storage.device(), "\".");
    auto* impl = self.unsafeGetTensorImpl();
    impl->set_storage_keep_dtype(std::move(storage));
    if (stride.empty() && !size.empty()) {
        impl->set_storage_offset(offset.expect_int());
        impl->set_sizes_contiguous(C10_AS_INTARRAYREF_SLOW(size));
    } else {
        impl->set_sizes_and_strides(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
                                    offset.expect_int());
    }
    const std::size_t needed = at::detail::computeStorageNbytes(self.sizes(), self.strides(), self.itemsize(),
                                                                static_cast<std::size_t>(self.storage_offset()));
    if (self.numel() > 0) grow(*self.storage().unsafeGetStorageImpl(), needed);
    return self;
}

at::Tensor& set_storage(at::Tensor& self, at::Storage storage) {
    const auto elements = static_cast<int64_t>(storage.nbytes() / self.itemsize());
    const c10::SymInt size(elements), stride(1);
    return set_storage_and_shape(self, std::move(storage), 0, {&size, 1}, {&stride, 1});
}

at::Tensor& set_tensor(at::Tensor& self, const at::Tensor& source) {
    if (self.is_same(source)) return self;
    return set_storage_and_shape(self, source.storage(), source.sym_storage_offset(), source.sym_sizes(),
                                 source.sym_strides());
}

at::Tensor& set_empty(at::Tensor& self) {
    return set_storage(self,
                       c10::Storage(c10::Storage::use_byte_size_t(), 0, allocator().allocate(0), &allocator(), true));
}

}  // namespace

std::set<std::string> add_factories(torch::Library& aten) {
    aten.impl("empty.memory_format", &empty);
    aten.impl("empty_strided", &empty_strided);
    aten.impl("resize_", &resize_);
    aten.impl("set_.source_Storage_storage_offset", &set_storage_and_shape);
    aten.impl("set_.source_Storage", &set_storage);
    aten.impl("set_.source_Tensor", &set_tensor);
    aten.impl("set_", &set_empty);
    return {"empty.memory_format", "empty_strided",      "resize_", "set_.source_Storage_storage_offset",
            "set_.source_Storage", "set_.source_Tensor", "set_"};
}

}  // namespace silica::test::sim_mps::detail
#endif
