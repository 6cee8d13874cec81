// Prompts and chats to text: what transformers writes with the same checkpoint.
#include "silica/task/generate.hpp"

#include "silica/arch/llama.hpp"
#include "silica/arch/t5.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/model.hpp"
#include "silica/task/text_of.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

using namespace silica;
using generate::Finish, generate::Token;
using test::ContainsSubstring;

namespace {

template <class Device = device::Cpu>
using Llama = task::TextGenerator<Model<arch::LlamaForCausalLM, Device, precision::Fp32>>;
template <class Device = device::Cpu>
using T5 = task::TextGenerator<Model<arch::T5ForConditionalGeneration, Device, precision::Fp32>>;

std::filesystem::path directory(const std::string& name) { return test::golden("generate", name); }

/// The texts of texts.json.
template <class Generator>
void check_texts(const std::string& name) {
    const auto write = Generator::open(directory(name).string());
    const Json cases = checkpoint::read_json_document(directory(name), "texts.json");
    for (const Json& c : cases.array()) {
        generate::GenerationConfig config;
        read_json(config, *c.find("config"), "config:");
        std::vector<std::string> want, streamed;
        read_json(want, *c.find("texts"), "texts");
        streamed.resize(want.size());
        const auto stream = [&](const Token& t) {
            streamed[static_cast<std::size_t>(t.row)] += t.text;
            return true;
        };
        if (const Json* messages = c.find("messages")) {
            CHECK(write.chat(*messages, config, stream) == want[0]);
        } else {
            std::vector<std::string> prompts;
            read_json(prompts, *c.find("prompts"), "prompts");
            CHECK(write(prompts, config, stream) == want);
        }
        CHECK(streamed == want);
    }
}

/// A copy of a golden checkpoint whose files a test may change.
struct Copy {
    explicit Copy(const std::string& name) {
        std::filesystem::copy(::directory(name), directory.path(), std::filesystem::copy_options::recursive);
    }
    void write(const std::string& name, const std::string& text) const { test::write_file(directory / name, text); }
    void remove(const std::string& name) const { std::filesystem::remove(directory / name); }
    [[nodiscard]] std::string path() const { return directory.path().string(); }
    test::Directory directory;
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("LLaMA continues prompts and answers chats", "[task]", test::Devices) {
    if (test::present<TestType>()) check_texts<Llama<TestType>>("llama");
}
TEMPLATE_LIST_TEST_CASE("T5 answers texts", "[task]", test::Devices) {
    if (test::present<TestType>()) check_texts<T5<TestType>>("t5");
}

TEST_CASE("generation_config.json is honoured, the caller goes before it", "[task]") {
    const Copy copy("llama");
    copy.write("generation_config.json", R"({"max_new_tokens": 5, "eos_token_id": 1, "bos_token_id": 0})");
    const auto write = Llama<>::open(copy.path());
    const std::vector<std::string> prompt{"The cat"};
    CHECK(write.generate(prompt).tokens[0].size() == 5);
    CHECK(write.generate(prompt, {.max_new_tokens = 3}).tokens[0].size() == 3);
    copy.write("generation_config.json", R"({"max_new_tokens": 5, "do_sample": true, "temperature": 5.0})");
    const auto sampler = Llama<>::open(copy.path());
    CHECK(sampler("The cat", {.seed = 1}) == sampler("The cat", {.seed = 1}));
    CHECK(sampler("The cat", {.seed = 1}) != sampler("The cat", {.seed = 2}));
    CHECK(sampler("The cat", {.do_sample = false}) == write("The cat"));
    copy.write("generation_config.json", R"({"num_beam_groups": 4})");
    CHECK_THROWS_WITH(Llama<>::open(copy.path()), ContainsSubstring("num_beam_groups = 4 is not supported"));
    // Without the file: config.json's end tokens, 256 new tokens up to the context of 128.
    copy.remove("generation_config.json");
    const auto plain = Llama<>::open(copy.path()).generate(prompt);
    CHECK(plain.sequences.size(1) == 128);
    CHECK(plain.finish[0] == Finish::length);
    CHECK(plain.prompt_tokens == 4);
}

TEST_CASE("a stop string that is a special token ends a text as an end token does", "[task]") {
    const Copy copy("llama");
    const auto write = Llama<>::open(copy.path());
    const std::vector<std::string> prompt{"x"};
    const auto all = write.generate(prompt, {.max_new_tokens = 12});
    const auto stop = write.tokenizer().decode(std::vector<std::int64_t>{all.tokens[0][7]});
    const auto out = write.generate(prompt, {.max_new_tokens = 12, .stop_strings = {{stop, "<|user|>"}}});
    CHECK(out.finish[0] == Finish::stop_string);
    CHECK(all.texts[0].starts_with(out.texts[0]));
    CHECK(out.texts[0].size() < all.texts[0].size());
    const auto id = *write.tokenizer().token_to_id("<|user|>");
    // The end token is forced in, so that the stop string has something to stop at.
    const auto forced = write.generate(
        prompt,
        {.max_new_tokens = 12, .stop_strings = {{"<|user|>"}}, .sequence_bias = {{{{all.tokens[0][3], id}, 1e6}}}});
    CHECK(forced.finish[0] == Finish::eos);
    CHECK(forced.tokens[0].back() == id);
    CHECK(forced.texts[0].find("user") == std::string::npos);
}

TEST_CASE("a generator that is moved from writes on; no tokenizer is refused", "[task]") {
    auto write = Llama<>::open(directory("llama"));
    const auto text = write("The cat", {.max_new_tokens = 3});
    const auto other = std::move(write);
    CHECK(write("The cat", {.max_new_tokens = 3}) == text);  // NOLINT(bugprone-use-after-move)
    CHECK(other("The cat", {.max_new_tokens = 3}) == text);
    CHECK_THROWS_AS(task::text_of(nullptr), InputError);
    CHECK_THROWS_WITH(write("The cat", {.stop_strings = {{"\xc3"}}}), ContainsSubstring("UTF-8"));
}

TEST_CASE("wrong prompts and checkpoints are said, with what to do", "[task]") {
    const Copy copy("llama");
    const auto write = Llama<>::open(copy.path());
    CHECK_THROWS_WITH(write(std::vector<std::string>{}), ContainsSubstring("There is no prompt"));
    CHECK_THROWS_WITH(write("\xff"), ContainsSubstring("not UTF-8"));
    CHECK_THROWS_WITH(write(std::string(500, 'x')), ContainsSubstring("the model's context 128"));
    CHECK_THROWS_WITH(write("x", {.do_sample = true, .top_p = 7.0}), ContainsSubstring("top_p is 7"));
    CHECK_THROWS_WITH(write.chat(Json::parse("[]", "chat")), ContainsSubstring("no messages"));
    CHECK_THROWS_WITH(write.chat(Json::parse("{}", "chat")), ContainsSubstring("without \"messages\""));
    // An empty prompt is the start token, where the tokenizer adds it or the checkpoint names one.
    CHECK(write.generate(std::vector<std::string>{""}, {.max_new_tokens = 2}).prompt_tokens == 1);

    const auto t5 = T5<>::open(directory("t5").string());
    CHECK_THROWS_AS(t5.chat(Json::parse(R"([{"role": "user", "content": "x"}])", "chat")), ConfigError);
    CHECK_THROWS_WITH(t5.chat(Json::parse(R"([{"role": "user", "content": "x"}])", "chat")),
                      ContainsSubstring("has no chat template"));

    copy.remove("tokenizer.json");
    CHECK_THROWS_AS(Llama<>::open(copy.path()), ConfigError);
    CHECK_THROWS_WITH(Llama<>::open(copy.path()), ContainsSubstring("tokenizer"));
    const Copy broken("llama");
    broken.write("chat_template.jinja", "{% if %}");
    const auto without = Llama<>::open(broken.path());
    CHECK_NOTHROW(without("x", {.max_new_tokens = 1}));
    CHECK_THROWS_WITH(without.chat(Json::parse(R"([{"role": "user", "content": "x"}])", "chat")),
                      ContainsSubstring("chat_template.jinja"));
    broken.write("generation_config.json", R"({"eos_token_id": 100000})");
    CHECK_THROWS_WITH(Llama<>::open(broken.path())("x"),
                      ContainsSubstring("eos_token_id is 100000, which is no token"));
}
