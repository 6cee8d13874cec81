#pragma once
/// CpuFirst: everything into host memory, then to the device. The program's `--alternative-loading`.

#include "silica/loader/concept.hpp"
#include "silica/loader/source.hpp"

#include <unordered_map>

namespace silica::loader {

/// Reads all tensors before the first is used, so the files may change afterwards (those of a checkpoint that is
/// `one_by_one`, each when it is used), then converts on the CPU and
/// transfers finished tensors: for devices whose direct copies or conversions fail.
struct CpuFirst {
    static constexpr std::string_view name = "cpu-first";

    template <class Build>
    static auto load(const checkpoint::Checkpoint& c, Build&& build) {
        Source source(c);
        return build(source);
    }

private:
    class Source final : public FileSource {
    public:
        explicit Source(const checkpoint::Checkpoint& c) : FileSource(c) {
            for (const auto& e : c.entries()) {
                if (c.one_by_one()) break;
                if (e.dtype != at::ScalarType::Undefined) host_.emplace(e.name, read_whole(c, e));
            }
        }

        [[nodiscard]] bool reads_rows() const override { return checkpoint_.one_by_one(); }

        /// The host copy is dropped once it has been handed out; a second request reads the file again.
        Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
            auto found = host_.extract(e.name);
            const Tensor host = found.empty() ? read_whole(checkpoint_, e) : std::move(found.mapped());
            return placed(placed(host, dtype, c10::Device(c10::DeviceType::CPU)), dtype, device);
        }

    private:
        std::unordered_map<std::string, Tensor> host_;
    };
};
static_assert(LoaderPolicy<CpuFirst>);

}  // namespace silica::loader
