// One door to the device: from several threads, with inputs on the device too, no two are ever inside it at once; and
// memory that is out is said in one way.
#include <new>
#include <thread>

#include "generate/toy.hpp"
#include "silica/arch/llama.hpp"
#include "silica/arch/t5.hpp"
#include "silica/generate/complete.hpp"
#include "silica/loader/mapped.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

namespace one_door_tests {

using namespace silica;
using generate::complete, generate::GenerationConfig;
using test::ContainsSubstring;

TEST_CASE("the door can be entered again, and hands out what is returned", "[generate]") {
    const auto model = test::toy<device::Cpu>();
    generate::ModelDecoder decoder(model);
    CHECK(model.on_device([&] { return model.on_device([] { return 3; }); }) == 3);
    CHECK(decoder.on_device([&] { return decoder.on_device([] { return std::string("x"); }); }) == "x");
    bool called = false;
    decoder.on_device([&] { called = true; });
    CHECK(called);
    CHECK(at::GradMode::is_enabled());
    CHECK_FALSE(model.on_device([] { return at::GradMode::is_enabled(); }));
}

TEST_CASE("memory that is out is a DeviceError, whoever finds it out", "[generate]") {
    const auto model = test::toy<device::Cpu>();
    generate::ModelDecoder decoder(model);
    const auto own = []() -> int { throw std::bad_alloc(); };
    const auto torch = [] { return at::empty({std::int64_t{1} << 58}, at::kByte); };
    CHECK_THROWS_AS(model.on_device(own), DeviceError);
    CHECK_THROWS_AS(model.on_device(torch), DeviceError);
    CHECK_THROWS_WITH(decoder.on_device(own), ContainsSubstring("cpu has not enough memory for this call"));
    CHECK_THROWS_WITH(decoder.on_device(torch), ContainsSubstring("cpu has not enough memory for this call"));
    // What is no lack of memory passes.
    CHECK_THROWS_AS(model.on_device([]() -> int { throw ConfigError("x", "y"); }), ConfigError);
    CHECK_THROWS_AS(model.on_device([] { TORCH_CHECK(false, "other"); }), c10::Error);
    const generate::Hooks hooks{.on_token = [](const generate::Token&) -> bool { throw std::bad_alloc(); }};
    CHECK_THROWS_AS(complete(decoder, {at::ones({1, 2}, at::kLong)}, {}, hooks), DeviceError);
}

#ifdef SILICA_HAS_SIM_MPS
namespace {

using Mps = device::Mps;

/// What `write` gives on one thread, `threads` threads give at once.
template <class F>
void at_once(F&& write) {
    if (!test::present<Mps>()) return;
    const test::sim::Settings settings;
    const auto want = write(0);
    test::sim::set_kernel_time(std::chrono::microseconds(20));
    test::sim::reset();
    test::sim::throw_on_concurrent_use(true);
    constexpr std::size_t threads = 3;
    std::vector<std::string> problems(threads);
    std::vector<std::thread> all;
    for (std::size_t i = 0; i < threads; ++i) {
        all.emplace_back([&, i] {
            try {
                if (write(i) != want) problems[i] = "another text";
            } catch (const std::exception& e) {
                problems[i] = e.what();
            }
        });
    }
    for (auto& thread : all) thread.join();
    CHECK(problems == std::vector<std::string>(threads));
    CHECK(test::sim::counters().concurrent_uses == 0);
}

/// Every way to choose a token, each with a prompt on the host and one on the device.
template <class Model>
std::vector<std::vector<std::int64_t>> every_way(const Model& model, bool encoder) {
    const Tensor ids = model.on_device([&] { return test::random_ids({2, 6}, 60, 4).to(model.device()); });
    const Tensor mask = model.on_device([&] { return at::ones({2, 6}, at::kLong).to(model.device()); });
    std::vector<std::vector<std::int64_t>> all;
    for (const auto& config :
         {GenerationConfig{.max_new_tokens = 5}, GenerationConfig{.max_new_tokens = 5, .do_sample = true},
          GenerationConfig{.max_new_tokens = 5, .num_beams = 2},
          GenerationConfig{.max_new_tokens = 5, .repetition_penalty = 1.2, .prefill_chunk_size = 4}}) {
        for (const bool here : {true, false}) {
            generate::ModelDecoder decoder(model);
            generate::Prompt prompt{here ? test::random_ids({2, 6}, 60, 4) : ids};
            prompt.attention_mask = here ? at::ones({2, 6}, at::kLong) : mask;
            if (encoder && !here)
                prompt.decoder_input_ids =
                    model.on_device([&] { return at::zeros({2, 1}, at::kLong).to(model.device()); });
            const auto out = complete(decoder, prompt, config);
            all.insert(all.end(), out.tokens.begin(), out.tokens.end());
        }
    }
    return all;
}

}  // namespace

TEST_CASE("texts are written from several threads, prompts on the device too", "[generate]") {
    const auto llama = Model<arch::LlamaForCausalLM, Mps, precision::Fp32>::open(test::golden("llama", "base"));
    at_once([&](std::size_t) { return every_way(llama, false); });
    const auto t5 = Model<arch::T5ForConditionalGeneration, Mps, precision::Fp32>::open(test::golden("t5", "base"));
    at_once([&](std::size_t) { return every_way(t5, true); });
}

TEST_CASE("inputs on the device are checked in turn", "[generate]") {
    const auto model = Model<arch::LlamaForCausalLM, Mps, precision::Fp32>::open(test::golden("llama", "base"));
    at_once([&](std::size_t) {
        const auto put = [&](const Tensor& t) { return model.on_device([&] { return t.to(model.device()); }); };
        const Tensor mask = at::ones({2, 6}, at::kLong);
        mask[0][0] = 0;
        auto state = model.make_state(2, 9);
        double sum = 0;
        const auto add = [&](const Tensor& logits) {
            sum += model.on_device([&] { return logits.to(at::kCPU).sum().item<double>(); });
        };
        for (int i = 0; i < 3; ++i) {
            add(model({.input_ids = put(test::random_ids({2, 6}, 60, 4)), .attention_mask = put(mask)}).logits);
            model.on_device([&] { state.clear(); });
            add(model.prefill({.input_ids = put(test::random_ids({2, 6}, 60, 4)), .attention_mask = put(mask)}, state));
            add(model.step(put(test::random_ids({2}, 60, 5)), state));
            model.reorder(put(at::zeros({2}, at::kLong)), state);
            model.reorder(at::zeros({2}, at::kLong), state);
        }
        return sum;
    });
}
#endif

}  // namespace one_door_tests
