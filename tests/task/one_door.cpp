// Tasks from several threads on a device that only one thread may use at a time; and wrong arguments.
#include <limits>
#include <thread>

#include "silica/arch/bert.hpp"
#include "silica/arch/clip.hpp"
#include "silica/arch/llama.hpp"
#include "silica/arch/t5.hpp"
#include "silica/arch/vit.hpp"
#include "silica/task/chat.hpp"
#include "silica/task/classify.hpp"
#include "silica/task/embed.hpp"
#include "silica/task/embed_images.hpp"
#include "silica/task/generate.hpp"
#include "silica/task/match.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/golden.hpp"
#include "support/pictures.hpp"
#include "support/refuses.hpp"

namespace one_door_tests {

using namespace silica;
using test::refuses;

namespace {

template <class Device>
using Llama = task::TextGenerator<Model<arch::LlamaForCausalLM, Device, precision::Fp32>>;
template <class Device>
using Embed = task::Embedder<Model<arch::Bert, Device, precision::Fp32>>;

std::filesystem::path directory(const std::string& name) { return test::golden("generate", name); }

/// The tiny BERT with a vocabulary of a few words.
struct BertWithWords {
    BertWithWords() {
        std::filesystem::copy(test::golden("bert", "base"), directory.path(), std::filesystem::copy_options::recursive);
        test::write_file(directory / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsat\non\nmat\n");
    }
    test::Directory directory;
};

const std::vector<std::string> sentences{"the cat", "the mat sat on the cat", "on", "the cat sat"};

#ifdef SILICA_HAS_SIM_MPS
/// What `f` gives on one thread, several give at once.
template <class F>
void at_once(F&& f) {
    const test::sim::Settings settings;
    const auto want = f();
    test::sim::set_kernel_time(std::chrono::microseconds(20));
    test::sim::reset();
    test::sim::throw_on_concurrent_use(true);
    std::vector<std::string> problems(3);
    std::vector<std::thread> threads;
    for (auto& problem : problems) {
        threads.emplace_back([&] {
            try {
                for (int i = 0; i < 2; ++i) problem += f() == want ? "" : "another result ";
            } catch (const std::exception& e) {
                problem = e.what();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(problems == std::vector<std::string>(3));
    CHECK(test::sim::counters().concurrent_uses == 0);
}
#endif

}  // namespace

#ifdef SILICA_HAS_SIM_MPS
TEST_CASE("one generator and one embedder serve several threads on MPS", "[task]") {
    if (!test::present<device::Mps>()) return;
    const auto write = Llama<device::Mps>::open(directory("llama"));
    for (const std::int64_t beams : {1, 2}) {
        at_once(
            [&] { return write(std::vector<std::string>{"The cat", "A"}, {.max_new_tokens = 6, .num_beams = beams}); });
    }
    at_once([&] { return write("The cat", {.max_new_tokens = 6, .do_sample = true, .seed = 4}); });
    const BertWithWords bert;
    const auto embed = Embed<device::Mps>::open(bert.directory.path());
    at_once([&] {
        const Tensor v = embed(sentences, {.batch_size = 2});
        return std::vector<float>(v.const_data_ptr<float>(), v.const_data_ptr<float>() + v.numel());
    });
}
#endif

#ifdef SILICA_HAS_SIM_MPS
TEST_CASE("what looks at pictures serves several threads on MPS", "[task]") {
    if (!test::present<device::Mps>()) return;
    using precision::Fp32;
    const auto picture = image::read(test::pictures()[0]);
    const auto scores_of = [](const std::vector<task::ScoredLabel>& labels) {
        std::vector<double> scores;
        for (const auto& item : labels) scores.push_back(item.score);
        return scores;
    };
    const auto classify =
        task::Classifier<Model<arch::ViTForImageClassification, device::Mps, Fp32>>::open(test::chain("vit").string());
    at_once([&] { return scores_of(classify(picture)); });
    const auto match = task::Matcher<Model<arch::Clip, device::Mps, Fp32>>::open(test::chain("clip").string());
    at_once([&] { return scores_of(match(picture, match.texts({"a", "bcd", "ef"}))); });
    const auto embed = task::ImageEmbedder<Model<arch::ClipVisionModelWithProjection, device::Mps, Fp32>>::open(
        test::chain("clip").string());
    at_once([&] {
        const Tensor v = embed(picture).contiguous();
        return std::vector<float>(v.const_data_ptr<float>(), v.const_data_ptr<float>() + v.numel());
    });
}
#endif

TEST_CASE("a chat reads only what is new, and answers as a chat told whole", "[task]") {
    const auto write = Llama<device::Cpu>::open(directory("llama"));
    const generate::GenerationConfig config{.max_new_tokens = 8};
    task::Chat chat(write);
    const auto first = chat.ask("Where is the cat? ", config);
    CHECK(first.held_tokens == 0);
    CHECK(first.texts.front() == write.chat(Json(Json::Array{task::message("user", "Where is the cat? ")}), config));
    REQUIRE(chat.messages().size() == 2);
    CHECK(chat.messages()[1].find("role")->string() == "assistant");
    CHECK(chat.messages()[1].find("content")->string() == first.texts.front());
    auto told = chat.messages();
    told.push_back(task::message("user", "And the dog?"));
    const std::string second = chat("And the dog?", config);
    CHECK(second == write.chat(Json(told), config));
    // A question that fails is none: the chat is as before.
    const auto before = chat.messages().size();
    CHECK_THROWS_AS(chat("x", {.max_new_tokens = -1}), InputError);
    CHECK(chat.messages().size() == before);
    CHECK_NOTHROW(chat("x", config));
    // A first message of the caller stays.
    task::Chat other(write, {task::message("user", "A"), task::message("assistant", "B")});
    static_cast<void>(other("C", config));
    CHECK(other.messages().size() == 4);
}

TEST_CASE("tasks refuse each wrong argument", "[task]") {
    using Generator = Llama<device::Cpu>;
    refuses<CheckpointError>([] { static_cast<void>(Generator::open("no/such/place")); }, {"no/such/place"});
    refuses<InputError>([] { static_cast<void>(Generator::open(static_cast<const char*>(nullptr))); }, {"null"});
    const auto write = Generator::open(directory("llama"));
    const std::string prompt = "The cat";
    const auto config = [&](const generate::GenerationConfig& c, std::initializer_list<std::string_view> words) {
        refuses<InputError>([&] { static_cast<void>(write(prompt, c)); }, words);
    };
    config({.max_new_tokens = std::numeric_limits<std::int64_t>::max()}, {"max_new_tokens"});
    config({.num_beams = std::numeric_limits<std::int64_t>::max()}, {"num_beams"});
    config({.num_beams = 100000}, {"100000", "65536"});
    config({.eos_token_id = {{1 << 30}}}, {"eos_token_id"});
    config({.stop_strings = {{""}}}, {"stop_strings"});
    refuses<InputError>([&] { static_cast<void>(write(std::vector<std::string>{})); }, {"no prompt"});
    refuses<InputError>([&] { static_cast<void>(write("\xc3")); }, {"UTF-8"});
    refuses<InputError>([&] { static_cast<void>(write.generate({})); }, {"no prompt"});
    for (const char* chat : {"[]", "{}", "3", "[1]", R"([{"content": "x"}])", R"([{"role": 1, "content": 2}])"}) {
        CAPTURE(chat);
        try {
            static_cast<void>(write.chat(Json::parse(chat, "chat"), {.max_new_tokens = 1}));
        } catch (const Error& e) {
            CHECK_FALSE(e.remedy().empty());
        }
    }
    const BertWithWords bert;
    const auto embed = Embed<device::Cpu>::open(bert.directory.path().string());
    refuses<InputError>([&] { static_cast<void>(embed(std::vector<std::string>{})); }, {"no sentence"});
    refuses<InputError>([&] { static_cast<void>(embed({"x"}, {.batch_size = 0})); }, {"batch_size is 0"});
    refuses<InputError>([&] { static_cast<void>(embed({"x"}, {.batch_size = -1})); }, {"batch_size is -1"});
    refuses<InputError>([&] { static_cast<void>(embed({"x"}, {.truncate_dim = 0})); }, {"truncate_dim is 0"});
    refuses<InputError>([&] { static_cast<void>(embed({"x"}, {.prompt_name = "none"})); }, {"none"});
    refuses<InputError>([&] { static_cast<void>(embed({"\xff"})); }, {"UTF-8"});
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    CHECK(embed(sentences, {.batch_size = most, .truncate_dim = most}).sizes() == c10::IntArrayRef({4, 32}));
}

}  // namespace one_door_tests
