// Texts of LLaMA, Qwen2 and T5: equal to what transformers generates, on every device.
#include <filesystem>
#include <set>

#include <ATen/ops/tensor.h>

#include "silica/arch/llama.hpp"
#include "silica/arch/qwen2.hpp"
#include "silica/arch/t5.hpp"
#include "silica/generate/complete.hpp"
#include "silica/generate/read_config.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

namespace families_tests {

using namespace silica;

namespace {

/// All references of a checkpoint, each with prompts taken whole and in pieces.
template <class Arch, class Device>
void check(const std::string& name) {
    if (!test::present<Device>()) return;
    const auto directory = test::golden("generate", name);
    const auto model = Model<Arch, Device, precision::Fp32>::open(directory.string());
    const auto own = generate::read_generation_config(directory);
    generate::ModelDecoder decoder(model);
    CHECK(decoder.facts().encoder_decoder == (name == "t5"));
    std::size_t checked = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        const auto file = entry.path().filename().string();
        if (!file.starts_with("reference")) continue;
        CAPTURE(name, file);
        const auto metadata = checkpoint::Checkpoint::open(entry.path()).metadata();
        const auto tensors = test::tensors_of(entry.path());
        generate::GenerationConfig config{.max_new_tokens = std::stoll(metadata.at("max_new_tokens"))};
        if (const auto found = metadata.find("generation_config"); found != metadata.end())
            read_json(config, Json::parse(found->second, file), file + ":");
        for (const std::int64_t chunk : {2048, 3}) {
            CAPTURE(chunk);
            config.prefill_chunk_size = chunk;
            const auto out = complete(decoder, {tensors.at("inputs.input_ids"), tensors.at("inputs.attention_mask")},
                                      merged(config, own));
            const Tensor want = tensors.at("outputs.sequences");
            REQUIRE(out.sequences.sizes() == want.sizes());
            CHECK(test::differs(out.sequences, want, 0) == "");
        }
        ++checked;
    }
    CHECK(checked == 7);
    CHECK(decoder.state_bytes() > 0);

    // A text that goes on where the last ended, from what the caches hold.
    generate::Held held;
    generate::ModelDecoder fresh(model);
    std::vector<std::int64_t> ids{5, 9, 11};
    for (int turn = 0; turn < 3; ++turn) {
        const generate::Prompt prompt{at::tensor(ids, at::kLong).view({1, -1})};
        const std::vector<std::int64_t> none;
        const generate::GenerationConfig config{.max_new_tokens = turn == 2 ? 4 : 8, .eos_token_id = none};
        const auto out = complete(decoder, prompt, merged(config, own), {.held = &held});
        CHECK(out.sequences.equal(complete(fresh, prompt, merged(config, own)).sequences));
        // The caches grow in the last turn; an encoder reads its text whole.
        CHECK(out.held_tokens == (turn == 0 || name == "t5" ? 0 : static_cast<std::int64_t>(ids.size()) - 2));
        ids.insert(ids.end(), out.tokens[0].begin(), out.tokens[0].end());
        ids.push_back(7);
    }
    // One that goes on otherwise, from where the two part.
    ids.resize(6);
    ids.push_back(!held.tokens.empty() && held.tokens[6] == 4 ? 5 : 4);
    ids.push_back(8);
    const generate::Prompt prompt{at::tensor(ids, at::kLong).view({1, -1})};
    const auto out = complete(decoder, prompt, own, {.held = &held});
    CHECK(out.sequences.equal(complete(fresh, prompt, own).sequences));
    CHECK(out.held_tokens == (name == "t5" ? 0 : 6));
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("LLaMA writes what it writes in transformers", "[generate]", test::Devices) {
    check<arch::LlamaForCausalLM, TestType>("llama");
}
TEMPLATE_LIST_TEST_CASE("Qwen2 writes what it writes in transformers", "[generate]", test::Devices) {
    check<arch::Qwen2ForCausalLM, TestType>("qwen2");
}
TEMPLATE_LIST_TEST_CASE("T5 writes what it writes in transformers", "[generate]", test::Devices) {
    check<arch::T5ForConditionalGeneration, TestType>("t5");
}

}  // namespace families_tests
