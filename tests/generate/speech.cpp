// A family whose encoder takes sound: the loops need to know of its inputs only how many rows there are.
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include "generate/toy.hpp"
#include "silica/generate/complete.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/refuses.hpp"

using namespace silica;
using generate::complete, generate::GenerationConfig, generate::ModelDecoder, generate::Prompt;

namespace {

using Network = test::ToySpeech::Network<Exec<device::Cpu, precision::Fp32>>;

/// Three recordings of 2 mels and 4 frames, whose sums are 1, 2 and 5.
Tensor features() {
    Tensor x = at::zeros({3, 2, 4});
    x[0][0][0] = 1;
    x[1][1][3] = 2;
    x[2][0][1] = 5;
    return x;
}

const GenerationConfig base{.max_new_tokens = 6, .decoder_start_token_id = 3};

}  // namespace

TEMPLATE_LIST_TEST_CASE("text is written from float features", "[generate]", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = test::toy_speech<TestType>();
    ModelDecoder decoder(model);
    CHECK(decoder.facts().encoder_decoder);
    for (const auto& also :
         {GenerationConfig{}, GenerationConfig{.repetition_penalty = 1.3}, GenerationConfig{.num_beams = 3},
          GenerationConfig{.num_beams = 3, .num_return_sequences = 2},
          GenerationConfig{.do_sample = true, .num_return_sequences = 1, .seed = 3}}) {
        const auto config = generate::merged(also, base);
        const auto all = complete(decoder, {.extra = {{"input_features", features()}}}, config);
        const auto each = static_cast<std::size_t>(config.num_return_sequences.value_or(1));
        REQUIRE(all.tokens.size() == 3 * each);
        CHECK(all.start == 1);
        CHECK(all.prompt_tokens == 0);
        CHECK(all.sequences.select(1, 0).equal(at::full({3 * static_cast<std::int64_t>(each)}, 3, at::kLong)));
        if (config.do_sample) continue;  // samples are those of their row
        for (std::int64_t r = 0; r < 3; ++r) {
            const Tensor one = features().slice(0, r, r + 1);
            const auto alone = complete(decoder, {.extra = {{"input_features", one}}}, config);
            for (std::size_t i = 0; i < each; ++i)
                CHECK(all.tokens[static_cast<std::size_t>(r) * each + i] == alone.tokens[i]);
        }
        CHECK(all.tokens[0] != all.tokens[each]);  // the features count
    }
}

TEST_CASE("a mask of features goes to the encoder as it is", "[generate]") {
    const auto model = test::toy_speech<device::Cpu>();
    ModelDecoder decoder(model);
    const Tensor mask = at::ones({3, 4}, at::kLong);
    const Prompt all{.attention_mask = mask, .extra = {{"input_features", features()}}};
    const auto want = complete(decoder, {.extra = {{"input_features", features()}}}, base);
    CHECK(complete(decoder, all, base).tokens == want.tokens);
    mask[2][1] = 0;  // nothing of the third is left
    const auto masked = complete(decoder, all, base);
    CHECK(masked.tokens[0] == want.tokens[0]);
    CHECK(masked.tokens[2] != want.tokens[2]);
    // The decoder may be told how to begin.
    auto begun = all;
    begun.decoder_input_ids = at::tensor({3, 9, 3, 9, 3, 9}, at::kLong).view({3, 2});
    CHECK(complete(decoder, begun, base).start == 2);
}

TEST_CASE("the encoder runs once for each text, whatever the number of beams", "[generate]") {
    const auto model = test::toy_speech<device::Cpu>();
    ModelDecoder decoder(model);
    Network::encoded.clear();
    for (const std::int64_t beams : {1, 2, 4}) {
        auto config = base;
        config.num_beams = beams;
        static_cast<void>(complete(decoder, {.extra = {{"input_features", features()}}}, config));
    }
    CHECK(Network::encoded == std::vector<std::int64_t>{3, 3, 3});
}

TEST_CASE("prompts that fit no family are refused", "[generate]") {
    const auto speech = test::toy_speech<device::Cpu>();
    const auto text = test::toy<device::Cpu>();
    ModelDecoder hears(speech);
    ModelDecoder reads(text);
    const auto refuses = [](generate::Decoder& d, const Prompt& p, std::initializer_list<std::string_view> words,
                            const GenerationConfig& c = base) {
        test::refuses<InputError>([&] { static_cast<void>(complete(d, p, c)); }, words);
    };
    refuses(hears, {}, {"no tokens"});
    refuses(hears, {.extra = {{"input_features", {}}}}, {"input_features is empty"});
    refuses(hears, {.extra = {{"input_features", at::zeros({0, 2, 4})}}}, {"input_features is empty"});
    refuses(hears, {.extra = {{"input_features", at::zeros({3, 8})}}}, {"input_features", "rank 3"});
    refuses(hears, {.extra = {{"features", features()}}}, {"'features'", "input_features, attention_mask"});
    refuses(hears, {.input_ids = at::ones({3, 2}, at::kLong), .extra = {{"input_features", features()}}},
            {"'input_ids' is none of this architecture"});
    refuses(hears, {.decoder_input_ids = at::ones({2, 1}, at::kLong), .extra = {{"input_features", features()}}},
            {"decoder_input_ids has 2 rows", "3"});
    refuses(reads, {.extra = {{"input_features", features()}}}, {"no tokens", "input_ids"}, {});
    refuses(reads, {.input_ids = at::ones({1, 2}, at::kLong), .extra = {{"pixel_values", at::zeros({1, 3})}}},
            {"'pixel_values'"}, {});
    refuses(reads, {.input_ids = at::ones({1, 2}, at::kLong), .extra = {{"pixel_values", at::zeros({5, 3})}}},
            {"pixel_values has shape (5, 3)", "num_beams"}, {.num_beams = 2});
}
