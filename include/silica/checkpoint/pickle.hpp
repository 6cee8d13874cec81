#pragma once
/// The values in a Python pickle of tensors: dictionaries, lists, tuples, numbers, text, and views of storages. The few
/// Python names that may occur stand in `pickle_globals`, each with its own meaning here. Reading: unpickler.hpp.

#include <c10/core/ScalarType.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace silica::checkpoint {

/// A value in a pickle. Everything but numbers is an index into the `Pickle` it belongs to.
struct PickleValue {
    enum class Kind : std::uint8_t { none, boolean, integer, real, text, tuple, list, dict, global, storage, tensor };
    Kind kind = Kind::none;
    std::int64_t number = 0;  ///< the integer or boolean; the index otherwise
};

/// What a call or a storage type in a pickle may name, and what it means here.
struct PickleGlobal {
    enum class Meaning : std::uint8_t { ordered_dict, size, tensor, parameter, storage };
    std::string_view module, name;
    Meaning meaning;
    at::ScalarType dtype = at::ScalarType::Undefined;  ///< of a storage type
};

/// The only Python names that are understood.
inline constexpr std::array<PickleGlobal, 16> pickle_globals = {{
    {"collections", "OrderedDict", PickleGlobal::Meaning::ordered_dict},
    {"torch", "Size", PickleGlobal::Meaning::size},
    {"torch._utils", "_rebuild_tensor_v2", PickleGlobal::Meaning::tensor},
    {"torch._utils", "_rebuild_parameter", PickleGlobal::Meaning::parameter},
    {"torch", "FloatStorage", PickleGlobal::Meaning::storage, at::kFloat},
    {"torch", "HalfStorage", PickleGlobal::Meaning::storage, at::kHalf},
    {"torch", "BFloat16Storage", PickleGlobal::Meaning::storage, at::kBFloat16},
    {"torch", "DoubleStorage", PickleGlobal::Meaning::storage, at::kDouble},
    {"torch", "LongStorage", PickleGlobal::Meaning::storage, at::kLong},
    {"torch", "IntStorage", PickleGlobal::Meaning::storage, at::kInt},
    {"torch", "ShortStorage", PickleGlobal::Meaning::storage, at::kShort},
    {"torch", "CharStorage", PickleGlobal::Meaning::storage, at::kChar},
    {"torch", "ByteStorage", PickleGlobal::Meaning::storage, at::kByte},
    {"torch", "BoolStorage", PickleGlobal::Meaning::storage, at::kBool},
    {"torch", "ComplexFloatStorage", PickleGlobal::Meaning::storage, at::kComplexFloat},
    {"torch", "ComplexDoubleStorage", PickleGlobal::Meaning::storage, at::kComplexDouble},
}};

/// The bytes that tensors view: `numel` elements, found in the file under `key`.
struct PickleStorage {
    std::string_view key;
    const PickleGlobal* type = nullptr;
    std::int64_t numel = 0;
};

/// A view of a storage; offset and strides in elements. Not yet checked against the storage.
struct PickleTensor {
    std::size_t storage = 0;
    std::int64_t offset = 0;
    std::vector<std::int64_t> shape, strides;
};

/// A whole pickle, unpacked. Text points into the bytes it was read from.
struct Pickle {
    PickleValue root;
    std::vector<std::string_view> texts;
    std::vector<std::vector<PickleValue>> sequences;  ///< tuples, lists; dicts as key, value, key, value, ...
    std::vector<PickleStorage> storages;
    std::vector<PickleTensor> tensors;
    std::size_t nbytes = 0;  ///< read, up to and including the STOP

    [[nodiscard]] std::string_view text(const PickleValue& value) const {
        return texts[static_cast<std::size_t>(value.number)];
    }
    [[nodiscard]] const std::vector<PickleValue>& items(const PickleValue& value) const {
        return sequences[static_cast<std::size_t>(value.number)];
    }
};

}  // namespace silica::checkpoint
