/// A loader of your own, from outside the library: it refuses weights that are not finite numbers. The rest shows it
/// on a checkpoint that the program writes itself, a BERT without layers.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>

#include <unistd.h>

#include <ATen/ops/isfinite.h>
#include <ATen/ops/randn.h>

#include "silica/arch/bert.hpp"
#include "silica/checkpoint/write_safetensors.hpp"
#include "silica/model.hpp"

namespace mine {

using namespace silica;

/// Reads one tensor after another, looks at it on the CPU, and puts it where it is wanted.
struct Finite {
    static constexpr std::string_view name = "finite";

    template <class Build>
    static auto load(const checkpoint::Checkpoint& c, Build&& build) {
        Source source(c);
        return build(source);
    }

private:
    class Source final : public loader::FileSource {
    public:
        using FileSource::FileSource;

        Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
            const Tensor host = loader::read_whole(checkpoint_, e);
            if (!at::isfinite(host).all().item<bool>()) {
                throw CheckpointError("Tensor '" + e.name + "' holds NaN or infinity.", "train or download it again.");
            }
            return loader::placed(host, dtype, device);
        }
    };
};
static_assert(LoaderPolicy<Finite>);

}  // namespace mine

int main() {
    using namespace silica;
    const auto directory = std::filesystem::temp_directory_path() / ("my_loader_" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "config.json")
        << R"({"model_type": "bert", "num_hidden_layers": 0, "hidden_size": 8, "num_attention_heads": 2, "vocab_size": 10})";
    checkpoint::NamedTensors weights = {{"embeddings.word_embeddings.weight", at::randn({10, 8})},
                                        {"embeddings.position_embeddings.weight", at::randn({512, 8})},
                                        {"embeddings.token_type_embeddings.weight", at::randn({2, 8})},
                                        {"embeddings.LayerNorm.weight", at::ones({8})},
                                        {"embeddings.LayerNorm.bias", at::zeros({8})}};
    checkpoint::write_safetensors(directory / "model.safetensors", weights);

    using Bert = Model<arch::Bert, device::Cpu, precision::Fp32, mine::Finite>;
    const auto account = Bert::open(directory.string()).account();
    std::printf("%s: %llu tensors, %llu parameters\n", account.loader.c_str(), static_cast<unsigned long long>(account.tensors),
                static_cast<unsigned long long>(account.parameters));

    weights[0].second[3][0] = std::numeric_limits<float>::quiet_NaN();
    checkpoint::write_safetensors(directory / "model.safetensors", weights);
    try {
        static_cast<void>(Bert::open(directory.string()));
    } catch (const CheckpointError& e) {
        std::printf("%s\n", e.what());
        std::filesystem::remove_all(directory);
        return 0;
    }
    return 1;
}
