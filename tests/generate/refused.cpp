// Every public call of generation with each of its arguments wrong in turn: a silica::Error that says what to do, never
// an error of LibTorch, never silence.
#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include <ATen/ops/_neg_view.h>
#include <ATen/ops/tensor.h>

#include "generate/toy.hpp"
#include "silica/arch/bert.hpp"
#include "silica/arch/llama.hpp"
#include "silica/arch/t5.hpp"
#include "silica/generate/beam.hpp"
#include "silica/generate/complete.hpp"
#include "silica/generate/host_scores.hpp"
#include "silica/generate/prefill.hpp"
#include "silica/generate/progress.hpp"
#include "silica/generate/sample.hpp"
#include "silica/loader/mapped.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/refuses.hpp"

using namespace silica;
using generate::complete, generate::GenerationConfig, generate::ModelDecoder, generate::Prompt;
using test::refuses;

namespace {

constexpr auto huge = std::numeric_limits<std::int64_t>::max();

template <class Device>
using Llama = Model<arch::LlamaForCausalLM, Device, precision::Fp32>;
template <class Device>
using T5 = Model<arch::T5ForConditionalGeneration, Device, precision::Fp32>;

template <class Model>
Model opened(const char* family) {
    return Model::open(test::golden(family, "base"));
}

/// Inputs of two rows.
template <class Model>
typename Model::Inputs two_rows(std::int64_t tokens = 4) {
    typename Model::Inputs in;
    in.input_ids = test::random_ids({2, tokens}, 60, 3);
    if constexpr (requires { in.decoder_input_ids; }) in.decoder_input_ids = at::zeros({2, 1}, at::kLong);
    return in;
}

template <class Model>
void refuses_wrong_calls(const Model& model) {
    refuses<InputError>([&] { static_cast<void>(model.make_state(0, 4)); }, {"0 rows", "1 or more"});
    refuses<InputError>([&] { static_cast<void>(model.make_state(4, -1)); }, {"-1 tokens", "1 or more"});
    for (const auto& [rows, tokens] : {std::pair{huge, std::int64_t{1}},
                                       {std::int64_t{1}, huge},
                                       {huge, huge},
                                       {std::int64_t{1} << 40, std::int64_t{1} << 40},
                                       {std::int64_t{2}, huge / 2}})
        refuses<InputError>([&, r = rows, t = tokens] { static_cast<void>(model.make_state(r, t)); },
                            {"larger than any memory", std::to_string(tokens)});

    auto state = model.make_state(2, 6);
    CHECK(state.batch() == 2);
    CHECK(state.bytes() > 0);
    auto wrong = two_rows<Model>();
    const auto with = [&](auto change) {
        auto in = two_rows<Model>();
        change(in);
        return in;
    };
    using In = typename Model::Inputs;
    const auto prefill = [&](const In& in) { return [&model, &state, in] { model.prefill(in, state); }; };
    refuses<InputError>(prefill({}), {"input_ids", "missing"});
    refuses<InputError>(prefill(with([](In& in) { in.input_ids = in.input_ids[0]; })), {"input_ids", "rank"});
    refuses<InputError>(prefill(with([](In& in) { in.input_ids = in.input_ids.to(at::kInt); })), {"Int"});
    refuses<InputError>(prefill(with([](In& in) { in.input_ids = at::empty({2, 0}, at::kLong); })), {"empty"});
    refuses<InputError>(prefill(with([](In& in) { in.input_ids = at::full({2, 3}, 1000000, at::kLong); })),
                        {"1000000", "vocab_size"});
    refuses<InputError>(prefill(with([](In& in) { in.attention_mask = at::ones({2, 9}, at::kLong); })),
                        {"attention_mask"});
    refuses<InputError>(prefill(with([](In& in) { in.attention_mask = at::ones({2, 4}, at::kFloat); })),
                        {"attention_mask", "Float"});
    if constexpr (requires { wrong.decoder_input_ids; }) {
        refuses<InputError>(prefill(with([](In& in) { in.decoder_input_ids = at::zeros({2}, at::kLong); })), {"rank"});
        refuses<InputError>(prefill(with([](In& in) { in.decoder_input_ids = at::full({2, 1}, -1, at::kLong); })),
                            {"-1"});
        refuses<InputError>(prefill(with([](In& in) { in.decoder_input_ids = at::zeros({2, 7}, at::kLong); })),
                            {"7 places"});
    } else {
        refuses<InputError>(prefill(two_rows<Model>(7)), {"7 places"});
        refuses<InputError>(prefill(with([](In& in) { in.input_ids = at::zeros({3, 2}, at::kLong); })),
                            {"3 rows", "2"});
    }
    CHECK(state.length() == 0);

    model.prefill(two_rows<Model>(), state);  // what it returns may be dropped
    const auto length = state.length();
    const auto step = [&](const Tensor& ids) { return [&model, &state, ids] { model.step(ids, state); }; };
    const auto put = [&](const Tensor& t) { return t.to(model.device()); };
    refuses<InputError>(step({}), {"ids", "missing"});
    refuses<InputError>(step(put(at::zeros({2, 1}, at::kLong))), {"rank 1"});
    refuses<InputError>(step(put(at::zeros({}, at::kLong))), {"rank 1"});
    refuses<InputError>(step(put(at::zeros({2}, at::kInt))), {"Int", "Long"});
    refuses<InputError>(step(put(at::zeros({1}, at::kLong))), {"1 rows", "made for 2"});
    refuses<InputError>(step(put(at::zeros({3}, at::kLong))), {"3 rows", "made for 2"});
    refuses<InputError>(step(put(at::zeros({4}, at::kLong))), {"4 rows", "made for 2"});
    if (model.device().is_cpu()) {
        refuses<InputError>(step(at::full({2}, 1000000, at::kLong)), {"1000000", "vocab_size"});
        refuses<InputError>(step(at::full({2}, -1, at::kLong)), {"-1"});
    } else {
        refuses<InputError>(step(at::zeros({2}, at::kLong)), {"lies on cpu", "model.device()"});
    }
    const Tensor rows = at::zeros({2}, at::kLong);
    for (const auto& [t, word] : {std::pair{rows.to_sparse(), "sparse"},
                                  {at::_neg_view(rows), "negates"},
                                  {rows.to(at::Device("meta")), "no numbers"}}) {
        refuses<InputError>(step(t), {"ids", word});
        refuses<InputError>([&, from = t] { model.reorder(from, state); }, {"rows", word});
        const auto ids = with([&](In& in) { in.input_ids = t.unsqueeze(0); });
        refuses<InputError>(prefill(ids), {"input_ids", word});
        refuses<InputError>([&] { static_cast<void>(model(ids)); }, {"input_ids", word});
        const auto masked = with([&](In& in) { in.attention_mask = t.unsqueeze(0); });
        refuses<InputError>(prefill(masked), {"attention_mask", word});
    }
    refuses<InputError>([&] { model.reorder({}, state); }, {"rows", "missing"});
    refuses<InputError>([&] { model.reorder(at::zeros({3}, at::kLong), state); }, {"3 rows", "made for 2"});
    refuses<InputError>([&] { model.reorder(at::zeros({2}, at::kDouble), state); }, {"Double"});
    refuses<InputError>([&] { model.reorder(at::full({2}, 2, at::kLong), state); }, {"rows holds 2", "0 to 1"});
    refuses<InputError>([&] { model.reorder(at::full({2}, -1, at::kLong), state); }, {"rows holds -1"});
    CHECK(state.length() == length);
    while (state.length() < state.capacity()) model.step(put(at::ones({2}, at::kLong)), state);
    refuses<InputError>(step(put(at::ones({2}, at::kLong))), {"no room"});
}

template <class Model>
void refuses_wrong_steps(const Model& model) {
    for (const bool capture : {true, false}) {
        ModelDecoder decoder(model, {.capture = capture});
        const auto put = [&](const Tensor& t) { return t.to(model.device()); };
        refuses<InputError>([&] { decoder.step(put(at::zeros({2}, at::kLong))); }, {"was not started"});
        refuses<InputError>([&] { decoder.prefill({at::zeros({2, 2}, at::kLong)}); }, {"was not started"});
        refuses<InputError>([&] { decoder.reorder(at::zeros({2}, at::kLong)); }, {"was not started"});
        refuses<InputError>([&] { static_cast<void>(decoder.most_likely(put(at::zeros({2, 9})))); },
                            {"was not started"});
        refuses<InputError>([&] { decoder.start(0, 9); }, {"0 rows"});
        refuses<InputError>([&] { decoder.start(huge, huge); }, {"larger than any memory"});
        decoder.start(2, 40);
        const Prompt prompt{at::ones({2, 2}, at::kLong)};
        refuses<InputError>([&] { decoder.prefill({}); }, {"input_ids"});
        auto unknown = prompt;
        unknown.extra = {{"pixel_values", at::zeros({2, 3})}};
        refuses<InputError>([&] { decoder.prefill(unknown); }, {"'pixel_values'", "the inputs are input_ids"});
        decoder.prefill(prompt);
        for (int i = 0; i < 3; ++i) {  // as it is, recorded, replayed
            refuses<InputError>([&] { decoder.step(put(at::zeros({1}, at::kLong))); }, {"1 rows"});
            refuses<InputError>([&] { decoder.greedy_step(put(at::zeros({4}, at::kLong))); }, {"4 rows"});
            refuses<InputError>([&] { decoder.greedy_step(put(at::zeros({2, 1}, at::kLong))); }, {"rank 1"});
            refuses<InputError>([&] { decoder.step(put(at::zeros({2}, at::kInt))); }, {"Int"});
            refuses<InputError>([&] { static_cast<void>(decoder.most_likely({})); }, {"logits", "missing"});
            refuses<InputError>([&] { static_cast<void>(decoder.most_likely(put(at::zeros({2})))); }, {"rank 2"});
            refuses<InputError>([&] { static_cast<void>(decoder.most_likely(put(at::zeros({2, 3}, at::kLong)))); },
                                {"Long"});
            refuses<InputError>([&] { decoder.reorder(at::full({2}, 7, at::kLong)); }, {"rows holds 7"});
            decoder.greedy_step(put(at::ones({2}, at::kLong)));
        }
    }
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a Model and its State refuse what does not fit them", "[generate]", test::Devices) {
    if (!test::present<TestType>()) return;
    refuses_wrong_calls(opened<Llama<TestType>>("llama"));
    refuses_wrong_calls(opened<T5<TestType>>("t5"));
}

TEMPLATE_LIST_TEST_CASE("a decoder refuses what does not fit it", "[generate]", test::Devices) {
    if (!test::present<TestType>()) return;
    refuses_wrong_steps(opened<Llama<TestType>>("llama"));
    refuses_wrong_steps(opened<T5<TestType>>("t5"));
}

TEST_CASE("a clone is a state of its own", "[generate]") {
    const auto check = [](const auto& model) {
        using M = std::remove_cvref_t<decltype(model)>;
        auto state = model.make_state(2, 9);
        model.prefill(two_rows<M>(), state);
        auto saved = state.clone();
        CHECK(saved.length() == state.length());
        const Tensor a = at::full({2}, 5, at::kLong), b = at::full({2}, 6, at::kLong);
        const Tensor first = model.step(a, saved).clone();
        model.step(b, saved);
        saved.reorder(at::zeros({2}, at::kLong));
        CHECK(test::differs(model.step(a, state), first, 0) == "");
        CHECK(state.length() == saved.length() - 1);
        saved.clear();
        CHECK(saved.length() == 0);
        CHECK(state.length() > 0);
    };
    check(opened<Llama<device::Cpu>>("llama"));
    check(opened<T5<device::Cpu>>("t5"));
    using State = Llama<device::Cpu>::State;
    static_assert(!std::is_copy_constructible_v<State> && std::is_nothrow_move_constructible_v<test::ToyState>);
}

TEST_CASE("a model that is moved from stays as it was", "[generate]") {
    auto model = opened<Llama<device::Cpu>>("llama");
    const auto in = two_rows<Llama<device::Cpu>>();
    const Tensor before = model(in).logits;
    const auto other = std::move(model);
    CHECK(model(in).logits.equal(before));  // NOLINT(bugprone-use-after-move)
    CHECK(other(in).logits.equal(before));
}

TEST_CASE("a model is opened by a path or any string", "[generate]") {
    using M = Llama<device::Cpu>;
    const auto path = test::golden("llama", "base");
    const std::string text = path.string();
    for (const auto& model : {M::open(path), M::open(text), M::open(std::string_view(text)), M::open(text.c_str()),
                              M::open(path / "model.safetensors")})
        CHECK(model.account().tensors > 0);
    refuses<CheckpointError>([] { static_cast<void>(M::open("no/such/place")); }, {"no/such/place"});
    refuses<CheckpointError>([] { static_cast<void>(M::open("")); }, {"There is no directory"});
    refuses<InputError>([] { static_cast<void>(M::open(static_cast<const char*>(nullptr))); }, {"null pointer"});
    for (const int index : {-1, 1, 127}) {
        const OpenOptions options{.index = static_cast<c10::DeviceIndex>(index)};
        refuses<DeviceError>([&] { static_cast<void>(M::open(path, options)); }, {"cpu device", "only 1"});
    }
    CHECK_NOTHROW(M::open(path, {.strict = true}));
    // The head of a language model is not used by its body.
    using Bert = Model<arch::Bert, device::Cpu>;
    const auto with_head = test::golden("bert", "masked_lm");
    CHECK_NOTHROW(Bert::open(with_head));
    refuses<CheckpointError>([&] { static_cast<void>(Bert::open(with_head, {.strict = true})); },
                             {"does not use", "'cls.", "strict"});
}

TEST_CASE("every number of a GenerationConfig has a bound", "[generate]") {
    const auto model = test::toy<device::Cpu>({.eos_token_id = 4});
    ModelDecoder decoder(model);
    const Prompt prompt{at::ones({2, 3}, at::kLong)};
    std::size_t numbers = 0;
    for (const std::int64_t number : {huge, std::int64_t{1} << 32, std::numeric_limits<std::int64_t>::min()}) {
        GenerationConfig all;
        for_each_member(all, [&](std::string_view name, auto&) {
            GenerationConfig one{.do_sample = true};
            bool is_number = false;
            for_each_member(one, [&](std::string_view same, auto& value) {
                if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::optional<std::int64_t>>) {
                    if (name != same || name == "pad_token_id") return;
                    value = number;
                    is_number = true;
                }
            });
            if (!is_number || name == "decoder_start_token_id" || name == "bos_token_id") return;
            CAPTURE(name, number);
            CHECK_THROWS_AS(complete(decoder, prompt, one), InputError);
            CHECK_THROWS_WITH(complete(decoder, prompt, one), test::ContainsSubstring(std::string(name)));
            ++numbers;
        });
    }
    CHECK(numbers >= 3 * 11);
    const auto refuses_config = [&](const GenerationConfig& c, std::initializer_list<std::string_view> words) {
        refuses<InputError>([&] { static_cast<void>(complete(decoder, prompt, c)); }, words);
    };
    refuses_config({.num_beams = 1 << 30}, {"1073741824", "num_beams", "65536"});
    refuses_config({.do_sample = true, .num_return_sequences = 40000}, {"40000", "65536"});
    refuses_config({.exponential_decay_length_penalty = generate::LengthDecay{huge, 1.5}}, {"start"});
    refuses_config({.exponential_decay_length_penalty = generate::LengthDecay{1, NAN}}, {"factor"});
    refuses_config({.sequence_bias = {{{{3}, NAN}}}}, {"sequence_bias", "nan"});
    CHECK(complete(decoder, prompt, {.max_new_tokens = (std::int64_t{1} << 31) - 1}).sequences.size(1) <= 64);
}

namespace {

/// A decoder whose logits, and of these the most likely tokens, are as a test says.
class Odd final : public generate::Decoder {
public:
    explicit Odd(std::function<Tensor(std::int64_t rows)> logits, Tensor likely = {})
        : likely_(std::move(likely)), logits_(std::move(logits)) {
        facts_ = {.architecture = "Odd", .vocab_size = 24, .eos_token_id = {4}};
    }
    const generate::DecoderFacts& facts() const override { return facts_; }
    void start(std::int64_t rows, std::int64_t) override { rows_ = rows; }
    Tensor prefill(const Prompt&) override { return logits_(rows_); }
    Tensor step(const Tensor&) override { return logits_(rows_); }
    Tensor greedy_step(const Tensor&) override { return logits_(rows_).argmax(-1); }
    Tensor most_likely(const Tensor& x) override { return likely_.defined() ? likely_ : x.argmax(-1); }
    void reorder(const Tensor&) override {}
    std::int64_t length() const override { return 0; }
    std::int64_t capacity() const override { return 0; }
    std::uint64_t state_bytes() const override { return 0; }
    c10::Device device() const override { return c10::DeviceType::CPU; }
    void synchronize() override {}

private:
    void enter(Work work) const override { work(); }

    Tensor likely_;
    std::function<Tensor(std::int64_t)> logits_;
    generate::DecoderFacts facts_;
    std::int64_t rows_ = 0;
};

/// Every way of choosing tokens.
std::vector<GenerationConfig> ways() {
    return {{.max_new_tokens = 3},
            {.max_new_tokens = 3, .do_sample = true},
            {.max_new_tokens = 3, .num_beams = 2},
            {.max_new_tokens = 3, .exponential_decay_length_penalty = generate::LengthDecay{0, 1.5}}};
}

}  // namespace

TEST_CASE("complete refuses tensors without numbers, and further inputs that are none", "[generate]") {
    const auto model = test::toy<device::Cpu>({.eos_token_id = 4});
    const auto speech = test::toy_speech<device::Cpu>({.eos_token_id = 4});
    ModelDecoder decoder(model);
    ModelDecoder hears(speech);
    const Tensor ids = at::ones({2, 3}, at::kLong), features = at::ones({2, 2, 3});
    const auto refused = [](generate::Decoder& d, const Prompt& p, std::initializer_list<std::string_view> words) {
        for (const auto& way : ways()) {
            auto c = way;
            c.decoder_start_token_id = 1;
            refuses<InputError>([&] { static_cast<void>(complete(d, p, c)); }, words);
        }
    };
    for (const auto& [wrong, word] : {std::pair{ids.to(at::Device("meta")), "meta"},
                                      {ids.to_sparse(), "sparse"},
                                      {at::_neg_view(ids), "negates"}}) {
        refused(decoder, {wrong}, {"input_ids", word});
        refused(decoder, {ids, wrong}, {"attention_mask", word});
        refused(hears, {.decoder_input_ids = wrong, .extra = {{"input_features", features}}},
                {"decoder_input_ids", word});
        refused(hears, {.extra = {{"input_features", features}, {"decoder_attention_mask", wrong}}},
                {"decoder_attention_mask", word});
    }
    for (const char* name : {"input_ids", "attention_mask", "decoder_input_ids"})
        refused(decoder, {.input_ids = ids, .extra = {{name, ids}}}, {name, "further inputs", "set Prompt::"});
    refused(decoder, {.input_ids = ids, .extra = {{"pixel_values", {}}}}, {"pixel_values", "missing"});
    refused(decoder, {.input_ids = ids, .decoder_input_ids = ids}, {"decoder_input_ids", "no encoder"});
    decoder.start(2, 9);
    refuses<InputError>([&] { decoder.prefill({.input_ids = ids, .extra = {{"attention_mask", {}}}}); }, {"missing"});
    refuses<InputError>([&] { generate::require_extra({{"input_ids", ids}}); }, {"further inputs"});
}

TEST_CASE("complete refuses hooks that cannot be, and scores that forbid every token", "[generate]") {
    const auto model = test::toy<device::Cpu>({.eos_token_id = 4});
    const auto speech = test::toy_speech<device::Cpu>({.eos_token_id = 4});
    ModelDecoder decoder(model);
    ModelDecoder hears(speech);
    const Prompt prompt{at::ones({2, 3}, at::kLong)};
    constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const auto filled = [](float x) {
        return generate::Hooks{
            .processors = {[x](generate::Scores s, const generate::Row&) { std::ranges::fill(s, x); }}};
    };
    std::vector<std::int64_t> all(24);
    std::iota(all.begin(), all.end(), 0);
    for (const auto& way : ways()) {
        const auto refused = [&](const Prompt& p, const generate::Hooks& h, std::string_view word) {
            refuses<InputError>([&] { static_cast<void>(complete(decoder, p, way, h)); }, {word});
        };
        refused(prompt, {.processors = {generate::Processor()}}, "processor is empty");
        refused(prompt, filled(nan), "not numbers");
        refused(prompt, filled(-inf), "forbid every token");
        refused(prompt, {.extra_from = [](std::int64_t) -> Named { return {{"input_ids", at::ones({2, 1})}}; }},
                "further inputs");
        auto both = prompt;
        both.extra = {{"pixel_values", at::ones({2})}};
        refused(both, {.extra_from = [](std::int64_t) { return Named(); }}, "extra_from");
        auto forbids = way;
        forbids.suppress_tokens = all;
        refuses<InputError>([&] { static_cast<void>(complete(decoder, prompt, forbids)); }, {"forbid every token"});
    }
    refuses<InputError>(
        [&] {
            static_cast<void>(complete(hears, {.extra = {{"input_features", at::ones({1, 2, 3})}}},
                                       {.decoder_start_token_id = 1},
                                       {.extra_from = [](std::int64_t) { return Named(); }}));
        },
        {"extra_from"});
    refuses<InputError>(
        [&] { static_cast<void>(complete(decoder, prompt, {.forced_eos_token_id = std::vector<std::int64_t>()})); },
        {"forced_eos_token_id"});
    const generate::Hooks texts{.text = {[](std::span<const std::int64_t>) { return std::string("a"); }}};
    refuses<InputError>([&] { static_cast<void>(complete(decoder, prompt, {.stop_strings = {{"\xc3"}}}, texts)); },
                        {"stop_strings", "UTF-8"});
}

TEST_CASE("a decoder that gives other logits than it should is told so", "[generate]") {
    const Prompt prompt{at::ones({2, 3}, at::kLong)};
    const auto refused = [&](std::function<Tensor(std::int64_t)> logits, std::string_view word) {
        Odd decoder(std::move(logits));
        for (const auto& way : ways())
            refuses<InputError>([&] { static_cast<void>(complete(decoder, prompt, way)); }, {word});
    };
    refused([](std::int64_t) { return Tensor(); }, "missing");
    refused([](std::int64_t) { return at::zeros({24}); }, "rank 2");
    refused([](std::int64_t) { return at::zeros({1, 24}); }, "row");
    refused([](std::int64_t rows) { return at::zeros({rows, 0}); }, "empty");
    refused([](std::int64_t rows) { return at::zeros({rows, 24}, at::kLong); }, "Long");
    refused([](std::int64_t rows) { return at::zeros({rows, 24}).to(at::Device("meta")); }, "meta");
    Odd unsure([](std::int64_t rows) { return at::zeros({rows, 24}); }, at::full({2}, -1, at::kLong));
    refuses<InputError>([&] { static_cast<void>(complete(unsure, prompt, ways().front())); }, {"not numbers"});
    Odd narrow([](std::int64_t rows) { return at::zeros({rows, 3}); });  // the end token has no score
    for (const auto& way : {ways()[0], ways()[1], ways()[3]}) CHECK_NOTHROW(complete(narrow, prompt, way));
}

TEST_CASE("parts of generation refuse a plan that does not fit, and rows that there are not", "[generate]") {
    const auto model = test::toy<device::Cpu>({.eos_token_id = 4});
    ModelDecoder decoder(model);
    const Prompt prompt{at::ones({2, 3}, at::kLong)};
    const auto right = generate::plan(decoder.facts(), prompt, {});
    CHECK_NOTHROW(generate::check(right));
    const auto refused = [&](auto change) {
        auto wrong = right;
        change(wrong);
        refuses<InputError>([&] { generate::check(wrong); }, {"plan"});
        refuses<InputError>([&] { static_cast<void>(generate::sample(decoder, wrong, {})); }, {"plan"});
        refuses<InputError>([&] { static_cast<void>(generate::beam_search(decoder, wrong, {})); }, {"plan"});
        std::int64_t reused = 0;
        refuses<InputError>([&] { static_cast<void>(generate::prefill(decoder, wrong, {}, reused)); }, {"plan"});
    };
    refused([](auto& p) { p = {}; });
    refused([](auto& p) { p.rows = 5; });
    refused([](auto& p) { p.batch = 5; });
    refused([](auto& p) { p.batch = 0; });
    refused([](auto& p) { p.max_length = 3; });
    refused([](auto& p) { p.history.pop_back(); });
    refused([](auto& p) { p.history[1].pop_back(); });
    refused([](auto& p) { p.padding[0] = 3; });
    refused([](auto& p) { p.encoder.clear(); });
    refused([](auto& p) { p.config.num_beams = 3; });
    refuses<InputError>([&] { static_cast<void>(right.row(2)); }, {"no row 2"});
    refuses<InputError>([] { static_cast<void>(generate::rows_of_call(1, 0)); }, {"1 prompts with 0"});
    refuses<InputError>([] { static_cast<void>(generate::rows_of_call(huge, huge)); }, {"65536"});

    auto plan = right;
    const generate::Hooks hooks;
    const generate::Clock clock;
    generate::Progress progress(plan, hooks, clock);
    refuses<InputError>([&] { progress.take(2, 1); }, {"no row 2"});
    refuses<InputError>([&] { static_cast<void>(progress.ended(2)); }, {"no row 2"});
    refuses<InputError>([] { static_cast<void>(generate::Progress::sequences({{1, 2}, {1}}, 1, 0)); }, {"2 tokens"});
    generate::HostScores scores;
    refuses<InputError>([&] { static_cast<void>(scores.row(0)); }, {"0 rows"});
    refuses<InputError>([] { generate::require_logits({}); }, {"logits", "missing"});
    refuses<InputError>([&] { scores.copy(decoder, at::zeros({3})); }, {"logits", "rank 2"});
    scores.copy(decoder, at::zeros({1, 3}));
    refuses<InputError>([&] { static_cast<void>(scores.row(1)); }, {"1 rows"});
    generate::Held held;
    generate::Plan none;
    none.rows = 1;
    generate::keep(decoder, none, &held);
    CHECK(held.tokens.empty());
}

TEST_CASE("what one decoder holds is not another's, nor another text's of its own", "[generate]") {
    const auto model = test::toy<device::Cpu>();
    ModelDecoder decoder(model), other(model), fresh(model);
    const GenerationConfig config{.max_new_tokens = 3};
    const auto row = [](std::vector<std::int64_t> ids) { return Prompt{at::tensor(ids, at::kLong).view({1, -1})}; };
    generate::Held first, second;
    const auto goes_on = [&](generate::Decoder& d, generate::Held held, std::int64_t reused) {
        auto ids = held.tokens;
        ids.push_back(7);
        const auto out = complete(d, row(ids), config, {.held = &held});
        CHECK(out.tokens == complete(fresh, row(ids), config).tokens);
        CHECK(out.held_tokens == reused);
    };
    const auto begin = [&] {
        static_cast<void>(complete(decoder, row({1, 2, 3}), config, {.held = &first}));
        static_cast<void>(complete(other, row({9, 8, 7}), config, {.held = &second}));
        REQUIRE(first.tokens.size() == second.tokens.size());
    };
    begin();
    goes_on(decoder, first, 5);
    begin();
    goes_on(other, first, 0);  // as long, but other tokens
    // Two texts of one decoder in turn.
    static_cast<void>(complete(decoder, row({1, 2, 3}), config, {.held = &first}));
    static_cast<void>(complete(decoder, row({9, 8, 7}), config, {.held = &second}));
    goes_on(decoder, first, 0);
    goes_on(decoder, {first.tokens}, 0);  // tokens that somebody wrote down
}
