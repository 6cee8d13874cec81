#pragma once
/// The tensors of an unpickled state dict, each checked against the storage it views.

#include "silica/checkpoint/entry.hpp"
#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/pickle.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/checkpoint/zip.hpp"
#include "silica/core/error.hpp"
#include "silica/core/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::checkpoint {

namespace detail {

class StateDict {
public:
    using Kind = PickleValue::Kind;
    /// `place` says where in the file the bytes of a storage are.
    StateDict(const File& file, std::size_t index, const Pickle& pickle,
              const std::function<ZipMember(const PickleStorage&)>& place)
        : file_(file), index_(index), pickle_(pickle), place_(place) {}

    [[nodiscard]] std::vector<TensorEntry> entries() const {
        const auto& items = dictionary();
        std::vector<TensorEntry> entries;
        std::set<std::string_view> names;
        std::string_view inner;  // a dictionary in the dictionary, for the hint
        for (std::size_t i = 0; i < items.size(); i += 2) {
            if (items[i].kind != Kind::text) continue;
            const auto name = pickle_.text(items[i]);
            if (items[i + 1].kind == Kind::dict) inner = name;
            if (items[i + 1].kind != Kind::tensor) continue;  // step counts, versions
            if (first_bad_utf8(name) != name.size()) refuse("has a tensor whose name is not UTF-8");
            if (!names.insert(name).second) refuse("has tensor " + quote(name) + " twice");
            entries.push_back(entry(name, pickle_.tensors[static_cast<std::size_t>(items[i + 1].number)]));
        }
        if (entries.empty() && !inner.empty())
            refuse("holds no tensors itself, but a dictionary " + quote(inner),
                   "Save that one: torch.save(torch.load(...)[" + quote(inner) + "], 'pytorch_model.bin').");
        if (entries.empty()) refuse("holds no tensors", "Save model.state_dict() with torch.save, or safetensors.");
        sort_by_place(entries);
        return entries;
    }

private:
    /// The dictionary of tensors: the root, or its "state_dict".
    [[nodiscard]] const std::vector<PickleValue>& dictionary() const {
        if (pickle_.root.kind != Kind::dict)
            refuse("holds no dictionary of tensors", "Save model.state_dict() with torch.save, or safetensors.");
        const auto& items = pickle_.items(pickle_.root);
        for (std::size_t i = 0; i < items.size(); i += 2)
            if (items[i].kind == Kind::text && pickle_.text(items[i]) == "state_dict" &&
                items[i + 1].kind == Kind::dict)
                return pickle_.items(items[i + 1]);
        return items;
    }

    [[nodiscard]] TensorEntry entry(std::string_view name, const PickleTensor& tensor) const {
        const auto& storage = pickle_.storages[tensor.storage];
        const auto bytes_at = place_(storage);
        const auto item = static_cast<std::uint64_t>(at::elementSize(storage.type->dtype));
        const auto numel = static_cast<std::uint64_t>(storage.numel);
        const auto what = [&] {
            return "has tensor " + quote(name) + " of shape " + tuple_text(tensor.shape) + ", strides " +
                   tuple_text(tensor.strides) + ", offset " + std::to_string(tensor.offset) + " in a storage of " +
                   std::to_string(storage.numel) + " elements";
        };
        if (numel > bytes_at.nbytes / item || numel * item != bytes_at.nbytes)
            refuse(what() + ", whose data is " + bytes(bytes_at.nbytes) + " long");
        if (tensor.offset < 0 || static_cast<std::uint64_t>(tensor.offset) > numel) refuse(what() + ": out of range");
        const auto first = static_cast<std::uint64_t>(tensor.offset);
        std::uint64_t last = first, count = 1;
        const bool empty = std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end();
        for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
            if (tensor.shape[d] < 0 || tensor.strides[d] < 0) refuse(what() + ": negative sizes");
            const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(tensor.shape[d], 1));
            const auto stride = static_cast<std::uint64_t>(tensor.strides[d]);
            if (count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / item / size)
                refuse(what() + ": more than any memory holds");
            count *= size;
            if (empty || size == 1) continue;
            if (stride > 0 && size - 1 > (numel - last) / stride) refuse(what() + ": out of range");
            last += (size - 1) * stride;
        }
        if (!empty && last >= numel) refuse(what() + ": out of range");
        if (!empty && count > file_.size() / item)
            refuse(what() + ": repeated to more than the file's own size", "Save the tensor contiguous().");
        TensorEntry out = {std::string(name),
                           storage.type->dtype,
                           tensor.shape,
                           tensor.strides,
                           0,
                           0,
                           index_,
                           std::string(storage.type->name)};
        out.offset = bytes_at.offset + (empty ? 0 : first * item);
        out.nbytes = empty ? 0 : (last - first + 1) * item;
        if (empty) out.strides = row_major(out.shape);
        return out;
    }

    [[noreturn]] void refuse(const std::string& problem, const std::string& remedy = {}) const {
        throw CheckpointError(file_.path().string() + " " + problem + ".",
                              remedy.empty() ? fetch_again(file_.path()) : remedy);
    }

    const File& file_;
    std::size_t index_;
    const Pickle& pickle_;
    const std::function<ZipMember(const PickleStorage&)>& place_;
};

}  // namespace detail

/// The tensors of `pickle`, a dictionary or one in a dictionary under "state_dict", in the order of their bytes.
[[nodiscard]] inline std::vector<TensorEntry> state_dict(const File& file, std::size_t index, const Pickle& pickle,
                                                         const std::function<ZipMember(const PickleStorage&)>& place) {
    return detail::StateDict(file, index, pickle, place).entries();
}

}  // namespace silica::checkpoint
