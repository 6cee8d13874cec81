// LLaMA, Mistral and Qwen2 against transformers: one forward pass over devices and precisions, and greedy generation
// with prefill and step, whole, in chunks, padded and alone.
#include "silica/arch/llama.hpp"
#include "silica/arch/mistral.hpp"
#include "silica/arch/qwen2.hpp"

#include <boost/hana/cartesian_product.hpp>
#include <boost/hana/unpack.hpp>

#include "silica/op/argmax.hpp"
#include "support/catch.hpp"
#include "support/golden_grid.hpp"

using namespace silica;
using silica::test::Halves, silica::test::Reference;

namespace {

namespace hana = boost::hana;
namespace fs = std::filesystem;
using device::Cpu, device::Mps;
using precision::Fp32;

constexpr auto grid = hana::cartesian_product(hana::make_tuple(test::devices, test::precisions));

/// Each file of a case whose name begins so, with the directory of the checkpoint it belongs to: the case itself, or a
/// copy of it with another configuration.
template <class F>
void for_each_file(const fs::path& directory, const std::string& prefix, F f) {
    std::vector<fs::path> files;
    for (const auto& file : fs::directory_iterator(directory)) {
        const auto name = file.path().filename().string();
        if (name.starts_with(prefix) && file.path().extension() == ".safetensors") files.push_back(file.path());
    }
    std::sort(files.begin(), files.end());
    REQUIRE(!files.empty());
    for (const auto& file : files) {
        const auto stem = file.stem().string();
        const auto config = directory / ("config" + stem.substr(std::min(prefix.size(), stem.size())) + ".json");
        CAPTURE(file.filename());
        if (stem == prefix || !fs::exists(config)) {
            f(directory, file);
            continue;
        }
        const test::Directory other;
        fs::copy_file(config, other.path() / "config.json");
        fs::copy_file(directory / "model.safetensors", other.path() / "model.safetensors");
        f(other.path(), file);
    }
}

/// The case on every device in every precision.
template <class Arch>
void forward_case(const std::string& family, const std::string& name, Halves halves = Halves::none) {
    const auto directory = test::golden(family, name);
    REQUIRE(fs::exists(directory / "reference-exact.safetensors") == (halves == Halves::given));
    hana::for_each(grid, [&](auto point) {
        hana::unpack(point, [&](auto d, auto p) {
            using D = typename decltype(d)::type;
            using P = typename decltype(p)::type;
            if (!test::present<D>()) return;
            for_each_file(directory, "reference", [&](const fs::path& checkpoint, const fs::path& file) {
                if (!test::judges<P>(file)) return;
                INFO(name << ": " << Arch::name << ", " << D::name << ", " << P::name);
                const auto model = Model<Arch, D, P, loader::Mapped>::open(checkpoint.string());
                CHECK(model.account().unexpected.empty());
                const Reference reference(file);
                const FallbackScope fallbacks;
                const auto out = model(reference.template inputs<nn::DecoderInputs>());
                test::covered(test::point_of<Arch, D, P, loader::Mapped>(family),
                              test::check<P>(reference, out, test::place<D>()));
                CHECK(fallbacks.report().empty());
                if (file.stem() == "reference-exact")
                    test::check_beside_transformers<P>(reference, directory, halves, out);
            });
        });
    });
}

/// Greedy continuation: (batch, prompt + new) as transformers' generate() returns it, with the prompt taken in pieces
/// of `chunk` tokens.
template <class M>
Tensor continuation(const M& model, const nn::DecoderInputs& in, std::int64_t n, std::int64_t chunk) {
    const auto tokens = in.input_ids.size(1);
    auto state = model.make_state(in.input_ids.size(0), tokens + n);
    Tensor logits;
    for (std::int64_t begin = 0; begin < tokens; begin += chunk) {
        const auto part = std::min(chunk, tokens - begin);
        nn::DecoderInputs piece{in.input_ids.narrow(1, begin, part)};
        if (in.attention_mask) piece.attention_mask = in.attention_mask->narrow(1, begin, part);
        logits = model.prefill(piece, state);
    }
    CHECK(state.length() == tokens);
    std::vector<Tensor> all = {in.input_ids};
    for (std::int64_t i = 0; i < n; ++i) {
        const Tensor next = run<op::Argmax, typename M::Exec>(logits);
        all.push_back(next.to(at::kCPU).unsqueeze(1));
        if (i + 1 < n) logits = model.step(next, state);
    }
    return at::cat(all, 1);
}

/// One row of a batch without its padding.
nn::DecoderInputs alone(const nn::DecoderInputs& in, std::int64_t row) {
    const Tensor ids = in.input_ids.narrow(0, row, 1);
    if (!in.attention_mask) return {ids};
    const auto n = in.attention_mask->narrow(0, row, 1).sum().item<std::int64_t>();
    return {ids.narrow(1, ids.size(1) - n, n)};
}

template <class Arch, class D>
void generate_case(const std::string& family, const std::string& name, bool chunks = true) {
    if (!test::present<D>()) return;
    for_each_file(test::golden(family, name), "generate", [&](const fs::path& checkpoint, const fs::path& file) {
        INFO(name << ": " << Arch::name << ", " << D::name);
        const auto tensors = test::tensors_of(file);
        nn::DecoderInputs in{tensors.at("inputs.input_ids")};
        if (tensors.contains("inputs.attention_mask")) in.attention_mask = tensors.at("inputs.attention_mask");
        const Tensor want = tensors.at("outputs.sequences");
        const auto tokens = in.input_ids.size(1), n = want.size(1) - tokens;
        const auto model = Model<Arch, D, Fp32>::open(checkpoint.string());
        const FallbackScope fallbacks;
        CHECK(continuation(model, in, n, tokens).equal(want));
        if (chunks) {
            for (const std::int64_t chunk : {1, 3, 5, 11}) {
                CAPTURE(chunk);
                CHECK(continuation(model, in, n, chunk).equal(want));
            }
        }
        for (std::int64_t row = 0; row < in.input_ids.size(0) && chunks; ++row) {
            CAPTURE(row);
            const auto single = alone(in, row);
            const Tensor got = continuation(model, single, n, single.input_ids.size(1));
            CHECK(got.narrow(1, single.input_ids.size(1), n).equal(want.narrow(0, row, 1).narrow(1, tokens, n)));
        }
        CHECK(fallbacks.report().empty());
    });
}

}  // namespace

TEST_CASE("LLaMA equals transformers on every device, in every precision") {
    forward_case<arch::LlamaForCausalLM>("llama", "base", Halves::given);
    forward_case<arch::LlamaForCausalLM>("llama", "biases_tied");
    forward_case<arch::LlamaForCausalLM>("llama", "bfloat16_file");
    forward_case<arch::Llama>("llama", "model");
}

TEST_CASE("LLaMA's positions are scaled as transformers scales them") {
    forward_case<arch::LlamaForCausalLM>("llama", "ropes");
}

TEST_CASE("Mistral equals transformers, its window smaller and larger than the text") {
    forward_case<arch::MistralForCausalLM>("mistral", "sliding");
}

TEST_CASE("Qwen2 equals transformers, tied, with windows in some layers") {
    forward_case<arch::Qwen2ForCausalLM>("qwen2", "tied", Halves::given);
    forward_case<arch::Qwen2ForCausalLM>("qwen2", "sliding");
}

TEMPLATE_LIST_TEST_CASE("Greedy continuations equal transformers', from a whole prompt, from pieces, from a row alone",
                        "", test::Devices) {
    generate_case<arch::LlamaForCausalLM, TestType>("llama", "base");
    generate_case<arch::LlamaForCausalLM, TestType>("llama", "biases_tied");
    generate_case<arch::LlamaForCausalLM, TestType>("llama", "ropes", /*chunks=*/false);  // some depend on the length
    generate_case<arch::MistralForCausalLM, TestType>("mistral", "sliding");
    generate_case<arch::Qwen2ForCausalLM, TestType>("qwen2", "tied");
    generate_case<arch::Qwen2ForCausalLM, TestType>("qwen2", "sliding");
}
