#pragma once
/// Definitions of read.hpp.

#include "silica/checkpoint/read.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <cstddef>
#include <cstdint>

namespace silica::checkpoint {

SILICA_INLINE Tensor read_tensor(const File& file, const TensorEntry& entry) {
    if (entry.dtype == at::ScalarType::Undefined)
        throw CheckpointError("Tensor " + quote(entry.name) + " in " + file.path().string() + " is of type " +
                                  entry.dtype_name + ", which LibTorch cannot hold.",
                              "Use a checkpoint in float32, float16 or bfloat16.");
    const auto options = at::TensorOptions().dtype(entry.dtype);
    const bool contiguous = entry.contiguous();
    const auto item = static_cast<std::uint64_t>(at::elementSize(entry.dtype));
    Tensor out = contiguous ? at::empty(entry.shape, options)
                            : at::empty({static_cast<std::int64_t>(entry.nbytes / item)}, options);
    auto* const data = static_cast<std::byte*>(out.mutable_data_ptr());
    file.read(entry.offset, {data, static_cast<std::size_t>(entry.nbytes)});
    if (entry.dtype == at::kBool)  // any byte but 0 is true, in C++ only 1 is
        for (std::size_t i = 0; i < entry.nbytes; ++i) data[i] = std::byte{data[i] != std::byte{0}};
    return contiguous ? out : out.as_strided(entry.shape, entry.strides).contiguous();
}

SILICA_INLINE Tensor read_tensor(const Checkpoint& checkpoint, std::string_view name) {
    const auto* entry = checkpoint.find(name);
    if (entry == nullptr)
        throw CheckpointError("There is no tensor " + quote(name) + " in " + checkpoint.directory().string() + ".",
                              "Check the name; the names are in Checkpoint::entries().");
    return read_tensor(checkpoint.file_of(*entry), *entry);
}

}  // namespace silica::checkpoint
