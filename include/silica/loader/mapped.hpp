#pragma once
/// Mapped: the files are mapped into memory. The default.

#include "silica/loader/concept.hpp"
#include "silica/loader/source.hpp"

#include <ATen/ops/from_blob.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace silica::loader {

/// Memory-maps each file, private to the process. A tensor that is wanted on the CPU in the file's own type is the
/// mapping itself where its alignment allows: no copy, read on first use. Otherwise it is converted straight to its
/// place. Pages are given back as soon as the last tensor on them is gone, which for packed weights is at once.
struct Mapped {
    static constexpr std::string_view name = "mapped";

    template <class Build>
    static auto load(const checkpoint::Checkpoint& c, Build&& build) {
        Source source(c);
        return build(source);
    }

private:
    class Source final : public FileSource {
    public:
        explicit Source(const checkpoint::Checkpoint& c) : FileSource(c) {
            for (const auto& file : c.files()) mappings_.push_back(file->map());
        }

        Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
            const auto& mapping = mappings_.at(e.file);
            std::byte* first = mapping->data() + e.offset;
            const auto options = at::TensorOptions().dtype(e.dtype);
            if (e.nbytes == 0) return placed(at::empty(e.shape, options), dtype, device);
            if (reinterpret_cast<std::uintptr_t>(first) % c10::elementSize(e.dtype) != 0) {
                return placed(read_whole(checkpoint_, e), dtype, device);
            }
            mapping->prefetch(e.offset, e.nbytes);
            const auto release = [mapping, offset = e.offset, nbytes = e.nbytes](void*) {
                mapping->release(offset, nbytes);
            };
            const Tensor in_file = at::from_blob(first, e.shape, e.strides, release, options);
            return placed(in_file, dtype, device);
        }

    private:
        std::vector<std::shared_ptr<checkpoint::Mapping>> mappings_;
    };
};
static_assert(LoaderPolicy<Mapped>);

}  // namespace silica::loader
