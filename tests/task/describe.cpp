// Texts about pictures: what transformers' processors and generate write with the same checkpoint.
#include "silica/task/describe.hpp"

#include "silica/arch/llava.hpp"
#include "silica/arch/llava_next.hpp"
#include "silica/device/cpu.hpp"
#include "silica/precision/fp32.hpp"

#include "input/image_text/golden.hpp"
#include "support/refuses.hpp"

namespace describe_tests {

using namespace silica;
using image_text::Message;

namespace {

template <class Arch>
using Describer = task::Describer<Model<Arch, device::Cpu, precision::Fp32>>;
using Llava = Describer<arch::LlavaForConditionalGeneration>;
using LlavaNext = Describer<arch::LlavaNextForConditionalGeneration>;

template <class D>
D open(const std::string& name) {
    return D::open(test::image_text_golden(name).string());
}

generate::GenerationConfig greedy(std::int64_t tokens) { return {.max_new_tokens = tokens}; }

/// Passes everything on, and notes how many tokens and pictures each prompt brings.
class Watched final : public generate::Decoder {
public:
    explicit Watched(generate::Decoder& decoder) : decoder_(&decoder) {}
    std::vector<std::int64_t> tokens = {}, pictures = {};  ///< of each call of prefill

    const generate::DecoderFacts& facts() const override { return decoder_->facts(); }
    void start(std::int64_t rows, std::int64_t capacity) override { decoder_->start(rows, capacity); }
    Tensor prefill(const generate::Prompt& prompt) override {
        tokens.push_back(prompt.input_ids.size(1));
        pictures.push_back(0);
        for (const auto& [name, tensor] : prompt.extra) {
            if (name == "pixel_values") pictures.back() = tensor.size(0);
        }
        return decoder_->prefill(prompt);
    }
    Tensor step(const Tensor& ids) override { return decoder_->step(ids); }
    Tensor greedy_step(const Tensor& ids) override { return decoder_->greedy_step(ids); }
    Tensor most_likely(const Tensor& logits) override { return decoder_->most_likely(logits); }
    void reorder(const Tensor& rows) override { decoder_->reorder(rows); }
    bool shorten(std::int64_t length) override { return decoder_->shorten(length); }
    bool extend(std::int64_t room) override { return decoder_->extend(room); }
    std::int64_t length() const override { return decoder_->length(); }
    std::int64_t capacity() const override { return decoder_->capacity(); }
    std::uint64_t state_bytes() const override { return decoder_->state_bytes(); }
    c10::Device device() const override { return decoder_->device(); }
    void synchronize() override { decoder_->synchronize(); }

private:
    void enter(Work work) const override { decoder_->on_device(work); }

    generate::Decoder* decoder_;
};

/// The answers of answers.json, their tokens, and their text as it comes.
template <class D>
void check_answers(const D& describe, const std::string& name) {
    const Json golden = test::image_text_json(name + "/answers.json");
    for (const auto& entry : golden.find("answers")->array()) {
        const auto& text = entry.find("text")->string();
        CAPTURE(name, text);
        std::string streamed;
        const auto out = describe.describe(test::pictures_of(entry), text,
                                           greedy(entry.find("max_new_tokens")->integer()), [&](const auto& token) {
                                               streamed += token.text;
                                               return true;
                                           });
        CHECK(out.prompt == entry.find("prompt")->string());
        CHECK(out.written.tokens.front() == test::integers_of(*entry.find("generated")));
        CHECK(out.text() == entry.find("answer")->string());
        CHECK(streamed == out.text());
        CHECK(out.written.prompt_tokens == static_cast<std::int64_t>(entry.find("ids")->array().size()));
    }
}

/// The talk of answers.json: each turn as if it were read from the start, and nothing twice.
template <class D>
void check_talk(const D& describe, const std::string& name) {
    generate::ModelDecoder decoder(describe.model());
    Watched watched(decoder);
    task::ImageTalk talk;
    const Json golden = test::image_text_json(name + "/answers.json");
    for (const auto& turn : golden.find("talk")->array()) {
        const auto pictures = test::pictures_of(turn);
        watched.tokens.clear();
        watched.pictures.clear();
        const auto out = talk.ask(describe.writer(), watched, pictures, turn.find("text")->string(), greedy(7));
        CHECK(out.prompt == turn.find("prompt")->string());
        CHECK(out.written.tokens.front() == test::integers_of(*turn.find("generated")));
        CHECK(out.text() == turn.find("answer")->string());
        const auto held = turn.find("held")->integer();
        CHECK(out.written.held_tokens == held);
        CHECK(watched.tokens == std::vector{out.written.prompt_tokens - held});
        CHECK(watched.pictures == std::vector{static_cast<std::int64_t>(pictures.size())});
    }
    CHECK(talk.messages().size() == 6);
}

}  // namespace

TEST_CASE("LLaVA answers texts about pictures, and talks", "[task]") {
    const auto describe = open<Llava>("llava");
    check_answers(describe, "llava");
    check_talk(describe, "llava");
}

TEST_CASE("LLaVA-NeXT answers texts about pictures, and talks", "[task]") {
    const auto describe = open<LlavaNext>("llava_next");
    check_answers(describe, "llava_next");
    check_talk(describe, "llava_next");
}

TEST_CASE("A chat of messages, a talk that begins with them, and beams", "[task]") {
    const auto describe = open<LlavaNext>("llava_next");
    const std::vector<image::Image> pictures = {test::formula_picture(30, 41, 1), test::formula_picture(50, 20, 3)};
    std::vector<Message> messages = {image_text::user_message(std::span(pictures).first(1), "what is he"),
                                     {"assistant", {std::string("a cat")}}};
    task::ImageChat chat(describe, messages);
    const auto answer = chat(std::span(pictures).subspan(1), "and this?", greedy(6));
    messages.push_back(image_text::user_message(std::span(pictures).subspan(1), "and this?"));
    CHECK(describe.chat(messages, greedy(6)) == answer);
    CHECK(chat.messages().size() == 4);

    // Beams share the pictures: the best of two is at least as likely as the greedy text.
    auto two = greedy(4);
    two.num_beams = 2;
    const auto beams = describe.describe(pictures, "which?", two);
    CHECK(beams.written.tokens.size() == 1);
    CHECK(beams.written.scores.size() == 1);
}

TEMPLATE_TEST_CASE("Prompts that are answered together are as if each were alone", "[task]", Llava, LlavaNext) {
    const auto describe = open<TestType>(std::is_same_v<TestType, Llava> ? "llava" : "llava_next");
    const std::vector<image::Image> pictures = {test::formula_picture(30, 41, 1), test::formula_picture(50, 20, 3),
                                                test::formula_picture(9, 70, 2)};
    const auto& processor = describe.writer().processor();
    const auto about = [&](const std::string& text, std::size_t first, std::size_t n) {
        const std::vector<image::Image> own(pictures.begin() + static_cast<std::ptrdiff_t>(first),
                                            pictures.begin() + static_cast<std::ptrdiff_t>(first + n));
        return task::Asked{processor.prompt_of(text, own), own};
    };
    const std::vector<task::Asked> asked{about("what is he", 0, 1), about("and nothing?", 0, 0),
                                         about("<image> a <image> cat", 1, 2)};
    generate::ModelDecoder decoder(describe.model());
    for (auto config : {greedy(7), generate::GenerationConfig{.max_new_tokens = 5, .num_beams = 2}}) {
        const auto together = describe.writer().batch(decoder, asked, config);
        REQUIRE(together.size() == 3);
        for (std::size_t i = 0; i < 3; ++i) {
            const auto alone = describe.writer().batch(decoder, std::span(asked).subspan(i, 1), config).front();
            CHECK(together[i].written.tokens == alone.written.tokens);
            CHECK(together[i].text() == alone.text());
            CHECK(together[i].prompt == alone.prompt);
            CHECK(together[i].image_tokens == alone.image_tokens);
            CHECK((together[i].written.finish == alone.written.finish));
            CHECK(together[i].written.prompt_tokens == alone.written.prompt_tokens);
            CHECK(together[i].written.new_tokens == alone.written.new_tokens);
        }
        CHECK(describe(std::span(pictures).first(1), "what is he", config) == together[0].text());
    }
    test::refuses<InputError>([&] { (void)describe.writer().batch(decoder, {}); }, {"no prompt"});
}

TEST_CASE("An answer that the template writes otherwise is read again, the pictures before it are not", "[task]") {
    const test::Directory directory;
    std::filesystem::copy(test::image_text_golden("llava"), directory.path(), std::filesystem::copy_options::recursive);
    auto text = test::read_file(directory / "chat_template.json");
    const std::string opens = "'ASSISTANT:'";
    REQUIRE(text.find(opens) != std::string::npos);
    test::write_file(directory / "chat_template.json", text.replace(text.find(opens), opens.size(), "'ASSISTANT.'"));
    const auto describe = Llava::open(directory.path().string());
    const std::vector<image::Image> pictures = {test::formula_picture(30, 41, 1), test::formula_picture(50, 20, 3)};
    generate::ModelDecoder decoder(describe.model());
    Watched watched(decoder);
    task::ImageTalk talk;
    const auto first = talk.ask(describe.writer(), watched, std::span(pictures).first(1), "what is he", greedy(7));
    auto messages = talk.messages();
    messages.push_back(image_text::user_message(std::span(pictures).subspan(1), "this?"));
    const auto second = talk.ask(describe.writer(), watched, std::span(pictures).subspan(1), "this?", greedy(7));
    CHECK(watched.pictures == std::vector<std::int64_t>{1, 1});
    CHECK(second.written.held_tokens == first.written.prompt_tokens - 1);  // all but the full stop
    CHECK(second.text() == describe.chat(messages, greedy(7)));
}

TEST_CASE("A talk that fails is as it was, and goes on", "[task]") {
    const auto describe = open<Llava>("llava");
    const std::vector<image::Image> picture = {test::formula_picture(30, 41, 1)};
    task::ImageChat chat(describe);
    const auto first = chat(picture, "what is he", greedy(7));
    test::refuses<InputError>([&] { (void)chat({}, "<image> too", greedy(7)); }, {"2 image tokens", "1 picture."});
    CHECK(chat.messages().size() == 2);
    task::ImageChat again(describe);
    CHECK(again(picture, "what is he", greedy(7)) == first);
    CHECK(chat({}, "and where?", greedy(7)) == again({}, "and where?", greedy(7)));
}

TEST_CASE("Prompts that do not fit their pictures, or the model, are refused", "[task]") {
    const auto describe = open<Llava>("llava");
    const std::vector<image::Image> picture = {test::formula_picture(30, 41, 1)};
    test::refuses<InputError>([&] { (void)describe(picture, "<image><image>"); }, {"2 image tokens", "1 picture."});
    test::refuses<InputError>([&] { (void)describe({}, "<image>"); }, {"1 image tokens", "0 pictures"});
    test::refuses<InputError>([] { (void)task::Described().text(); }, {"no answer"});

    // A processor whose counts are others than the model's.
    const test::Directory directory;
    std::filesystem::copy(test::image_text_golden("llava"), directory.path(), std::filesystem::copy_options::recursive);
    auto text = test::read_file(directory / "processor_config.json");
    const std::string key = R"("num_additional_image_tokens": 1)";
    REQUIRE(text.find(key) != std::string::npos);
    test::write_file(directory / "processor_config.json",
                     text.replace(text.find(key), key.size(), R"("num_additional_image_tokens": 0)"));
    const auto other = Llava::open(directory.path().string());
    test::refuses<InputError>([&] { (void)other(picture, "what?"); }, {"15", "16"});
}

}  // namespace describe_tests
