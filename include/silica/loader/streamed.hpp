#pragma once
/// Streamed: tensor by tensor through a bounded buffer. The program's `--memory-efficient`.

#include "silica/core/allocate.hpp"
#include "silica/core/host_alias.hpp"
#include "silica/loader/concept.hpp"
#include "silica/loader/source.hpp"

#include <algorithm>

namespace silica::loader {

/// Reads straight into the tensor's memory where the host can write it (CPU; MPS's shared buffers), and otherwise, or
/// to convert, through one staging buffer of `staging_bytes`: host memory beyond the weights stays below that.
struct Streamed {
    static constexpr std::string_view name = "streamed";
    static constexpr std::int64_t staging_bytes = std::int64_t{16} << 20;

    template <class Build>
    static auto load(const checkpoint::Checkpoint& c, Build&& build) {
        Source source(c);
        return build(source);
    }

private:
    class Source final : public FileSource {
    public:
        using FileSource::FileSource;

        Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
            if (!e.contiguous()) return placed(read_whole(checkpoint_, e), dtype, device);  // a view: torch files only
            const Tensor out = allocate(e.shape, dtype, device);
            if (e.nbytes == 0) return out;
            const auto& file = checkpoint_.file_of(e);
            if (dtype == e.dtype) {
                if (const auto host = host_alias(out)) {
                    file.read(e.offset, {static_cast<std::byte*>(host.data), static_cast<std::size_t>(e.nbytes)});
                    host.flush();
                    return out;
                }
            }
            const Tensor flat = out.view({-1});
            const auto item = static_cast<std::int64_t>(c10::elementSize(e.dtype));
            const Tensor stage =
                allocate({std::min(flat.numel(), staging_bytes / item)}, e.dtype, c10::Device(c10::DeviceType::CPU));
            for (std::int64_t done = 0; done < flat.numel(); done += stage.numel()) {
                const auto n = std::min(stage.numel(), flat.numel() - done);
                file.read(e.offset + static_cast<std::uint64_t>(done * item),
                          {static_cast<std::byte*>(stage.mutable_data_ptr()), static_cast<std::size_t>(n * item)});
                flat.slice(0, done, done + n).copy_(stage.slice(0, 0, n));
            }
            return out;
        }
    };
};
static_assert(LoaderPolicy<Streamed>);

}  // namespace silica::loader
