// generation_config.json, and what stands in for it.
#include "silica/generate/config.hpp"

#include "silica/generate/read_config.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/refuses.hpp"

using namespace silica;
using generate::EarlyStopping, generate::GenerationConfig, generate::read_generation_config;
using test::ContainsSubstring;

namespace {

GenerationConfig read(const std::string& text, const std::string& name = "generation_config.json") {
    const test::Directory directory;
    test::write_file(directory / name, text);
    return read_generation_config(directory.path());
}

}  // namespace

TEST_CASE("every key of generation_config.json is read", "[generate]") {
    const auto c =
        read(R"({"max_length": 100, "max_new_tokens": 7, "min_length": 2, "min_new_tokens": 3, "max_time": 1.5,
        "stop_strings": ["a", "b"], "do_sample": true, "num_beams": 4, "early_stopping": "never", "length_penalty": 2,
        "num_return_sequences": 2, "temperature": 0.5, "top_k": 5, "top_p": 0.9, "min_p": 0.1, "top_h": 0.4,
        "typical_p": 0.8, "epsilon_cutoff": 0.01, "eta_cutoff": 0.02, "repetition_penalty": 1.1,
        "encoder_repetition_penalty": 1.2, "frequency_penalty": 0.3, "presence_penalty": 0.2, "no_repeat_ngram_size": 3,
        "encoder_no_repeat_ngram_size": 4, "bad_words_ids": [[1, 2], [3]], "sequence_bias": [[[5, 6], -1.5]],
        "suppress_tokens": [1], "begin_suppress_tokens": [2], "forced_bos_token_id": 3, "forced_eos_token_id": 4,
        "exponential_decay_length_penalty": [15, 1.6], "remove_invalid_values": true, "renormalize_logits": true,
        "bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0, "decoder_start_token_id": 0,
        "prefill_chunk_size": 64})");
    std::size_t there = 0, all = 0;
    for_each_member(c, [&](std::string_view, const auto& value) { there += value.has_value() ? 1 : 0, ++all; });
    CHECK(there == all);
    CHECK(c.stop_strings == std::vector<std::string>{"a", "b"});
    CHECK(c.early_stopping == EarlyStopping::never);
    CHECK(c.length_penalty == 2.0);
    CHECK(c.bad_words_ids == std::vector<std::vector<std::int64_t>>{{1, 2}, {3}});
    CHECK(c.sequence_bias->at(0).tokens == std::vector<std::int64_t>{5, 6});
    CHECK(c.sequence_bias->at(0).bias == -1.5);
    CHECK(c.forced_eos_token_id == std::vector<std::int64_t>{4});
    CHECK(c.exponential_decay_length_penalty->start == 15);
    CHECK(c.eos_token_id == std::vector<std::int64_t>{2, 3});
    CHECK(read(R"({"early_stopping": true, "eos_token_id": 2})").early_stopping == EarlyStopping::yes);
    CHECK(read(R"({"early_stopping": false})").early_stopping == EarlyStopping::no);
}

TEST_CASE("a file without an end token means none", "[generate]") {
    CHECK(read("{}").eos_token_id == std::vector<std::int64_t>{});
    CHECK(read(R"({"eos_token_id": null, "temperature": null})").eos_token_id == std::vector<std::int64_t>{});
    // Of transformers: padding is the first end, and an encoder-decoder starts with bos; not what config.json names.
    CHECK_FALSE(read(R"({"bos_token_id": 4})").pad_token_id);
    CHECK(read(R"({"eos_token_id": [3, 2]})").pad_token_id == 3);
    CHECK(read(R"({"eos_token_id": 3, "pad_token_id": 0})").pad_token_id == 0);
    CHECK(read(R"({"bos_token_id": 4, "decoder_start_token_id": null})").decoder_start_token_id == 4);
    CHECK(read(R"({"bos_token_id": 4, "decoder_start_token_id": 0})").decoder_start_token_id == 0);
    CHECK_FALSE(read(R"({"eos_token_id": 3, "pad_token_id": 0})", "config.json").decoder_start_token_id);
}

TEST_CASE("without generation_config.json the keys of config.json count", "[generate]") {
    const auto c = read(R"({"model_type": "llama", "eos_token_id": 2, "max_length": 50, "hidden_size": 8, "top_k": null,
                            "text_config": {"eos_token_id": 5, "bos_token_id": 1}})",
                        "config.json");
    CHECK(c.eos_token_id == std::vector<std::int64_t>{2});
    CHECK(c.bos_token_id == 1);
    CHECK(c.max_length == 50);
    CHECK_FALSE(read("{}", "config.json").eos_token_id.has_value());
    CHECK_FALSE(read("{}", "other.json").max_length.has_value());
}

TEST_CASE("keys without meaning are let be, those that are not implemented are refused", "[generate]") {
    CHECK_NOTHROW(read(R"({"transformers_version": "4.40", "_from_model_config": true, "chat_format": "chatml",
        "use_cache": true, "cache_implementation": "hybrid", "num_beam_groups": 1, "penalty_alpha": null,
        "diversity_penalty": 0.0, "guidance_scale": 1.0, "constraints": null, "force_words_ids": [],
        "output_scores": false, "num_assistant_tokens": 20, "low_memory": false})"));
    const auto refuses = [](const std::string& text, const std::string& key) {
        CAPTURE(text);
        CHECK_THROWS_AS(read(text), ConfigError);
        CHECK_THROWS_WITH(read(text), ContainsSubstring(key));
        CHECK_THROWS_WITH(read(text), ContainsSubstring("generation_config.json"));
    };
    refuses(R"({"penalty_alpha": 0.6, "top_k": 4})", "penalty_alpha = 0.6");
    refuses(R"({"num_beam_groups": 2})", "num_beam_groups = 2");
    refuses(R"({"diversity_penalty": 0.5})", "diversity_penalty");
    refuses(R"({"guidance_scale": 1.5})", "guidance_scale");
    refuses(R"({"force_words_ids": [[3]]})", "force_words_ids");
    refuses(R"({"constraints": [1]})", "constraints");
    refuses(R"({"dola_layers": "high"})", "dola_layers");
    refuses(R"({"watermarking_config": {}})", "watermarking_config");
    refuses(R"({"token_healing": true})", "token_healing");
    refuses(R"({"prompt_lookup_num_tokens": 3})", "prompt_lookup_num_tokens");
    refuses(R"({"cache_implementation": "quantized"})", "cache_implementation");
    refuses(R"({"max_length": "long"})", "max_length is 'long', an integer is wanted");
    refuses(R"({"early_stopping": "soon"})", "early_stopping is 'soon'");
    refuses(R"({"sequence_bias": [[[5]]]})", "sequence_bias");
    refuses(R"({"exponential_decay_length_penalty": 3})", "exponential_decay_length_penalty");
    refuses(R"({"eos_token_id": [1, "x"]})", "eos_token_id");
    refuses("[]", "is not a JSON object");
}

TEST_CASE("what the caller says goes before what the checkpoint says", "[generate]") {
    const auto c = generate::merged({.temperature = 0.5, .seed = 3},
                                    {.max_new_tokens = 9, .temperature = 0.9, .eos_token_id = {{1}}, .seed = 4});
    CHECK(c.temperature == 0.5);
    CHECK(c.max_new_tokens == 9);
    CHECK(c.eos_token_id == std::vector<std::int64_t>{1});
    CHECK(c.seed == 3);
    CHECK(generate::merged({}, {.seed = 4}).seed == 4);
}

TEST_CASE("a directory that is not there is refused, one without files says nothing", "[generate]") {
    const test::Directory directory;
    CHECK_FALSE(read_generation_config(directory.path()).max_length);
    const Json wrong = Json::parse("{}", "x");
    EarlyStopping early{};
    generate::SequenceBias bias;
    generate::LengthDecay decay;
    test::refuses<ConfigError>([&] { generate::read_json(early, wrong, "key"); }, {"key", "never"});
    test::refuses<ConfigError>([&] { generate::read_json(bias, wrong, "key"); }, {"key", "bias"});
    test::refuses<ConfigError>([&] { generate::read_json(decay, wrong, "key"); }, {"key", "factor"});
    for (const auto& none : {directory.path() / "none", std::filesystem::path()})
        test::refuses<ConfigError>([&] { static_cast<void>(read_generation_config(none)); }, {"There is no directory"});
}
