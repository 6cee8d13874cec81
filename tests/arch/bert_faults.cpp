// What BERT does when things go wrong, and what it must not do: ops outside of its list, hops, waits, crashes.
#include <mutex>
#include <thread>

#include "silica/arch/bert.hpp"
#include "silica/loader/cpu_first.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/in_memory.hpp"
#include "silica/loader/streamed.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/faults.hpp"

namespace bert_faults {

using namespace silica;
using device::Cpu, device::Mps;
using precision::Fp32;
using test::refuses, test::wrong;

namespace {

const auto base = test::golden("bert", "base");
const auto masked_lm = test::golden("bert", "masked_lm");

constexpr double bound = 2e-5;

arch::BertInputs main_inputs(const std::filesystem::path& directory) { return test::inputs_of<arch::Bert>(directory); }

template <class Arch, bool Fused>
void check_ops(const std::filesystem::path& directory) {
    test::check_ops<Arch, Fused>(directory, bound, {Fused ? "linear_activation" : "linear", "attention"});
}

}  // namespace

TEST_CASE("No op runs that is not in the Ops of the network, with fused kernels and without") {
    check_ops<arch::Bert, true>(base);
    check_ops<arch::Bert, false>(base);
    check_ops<arch::BertForMaskedLM, true>(masked_lm);
    check_ops<arch::BertForMaskedLM, false>(masked_lm);
    check_ops<arch::BertForSequenceClassification, true>(test::golden("bert", "sequence_classification"));
    check_ops<arch::BertForSequenceClassification, false>(test::golden("bert", "sequence_classification"));
}

TEST_CASE("Several threads run one model on the CPU at once, and each gets the same") {
    const auto model = Model<arch::BertForMaskedLM, Cpu>::open(masked_lm.string());
    const auto inputs = main_inputs(masked_lm);
    const Tensor want = model(inputs).logits;
    const auto right = [&] {
        const auto copy = model;  // copies share the weights
        return model(inputs).logits.equal(want) && copy(inputs).logits.equal(want);
    };
    CHECK(test::wrong_at_once(right) == 0);
}

// ---- bad inputs

TEST_CASE("Wrong inputs are refused with their name and a remedy, on every device, before anything runs") {
    const auto check = [](auto d) {
        using D = typename decltype(d)::type;
        if (!test::present<D>()) return;
        const auto model = Model<arch::Bert, D, Fp32>::open(base.string());
        const auto good = main_inputs(base);
        const auto refused = test::refused_inputs_of(model, good);
        using In = arch::BertInputs;
        refused([](In& in) { in.input_ids = Tensor(); }, {"input_ids", "missing"});
        refused([](In& in) { in.input_ids = in.input_ids[0]; }, {"input_ids", "(12)", "rank 2", "unsqueeze"});
        refused([](In& in) { in.input_ids = in.input_ids.unsqueeze(0); }, {"input_ids", "(1, 4, 12)", "rank 2"});
        refused([](In& in) { in.input_ids = in.input_ids.to(at::kInt); }, {"input_ids", "Int", "Long"});
        refused([](In& in) { in.input_ids = in.input_ids.to(at::kFloat); }, {"input_ids", "Float", "Long"});
        refused([](In& in) { in.input_ids = in.input_ids.slice(0, 0, 0); }, {"input_ids", "empty", "(0, 12)"});
        refused([](In& in) { in.input_ids = in.input_ids.slice(1, 0, 0); }, {"input_ids", "empty", "(4, 0)"});
        refused([](In& in) { in.input_ids = at::full({4, 12}, -1, at::kLong); },
                {"input_ids", "-1", "0 to 99", "vocab_size"});
        refused([](In& in) { in.input_ids = at::full({4, 12}, 100, at::kLong); }, {"input_ids", "100", "0 to 99"});
        refused([](In& in) { in.input_ids = at::full({4, 12}, std::numeric_limits<std::int64_t>::min(), at::kLong); },
                {"input_ids"});
        refused([](In& in) { in = {.input_ids = at::zeros({1, 25}, at::kLong)}; }, {"input_ids", "25 tokens", "24"});
        refused([](In& in) { in.attention_mask = at::ones({4, 11}, at::kLong); },
                {"attention_mask", "(4, 11)", "(4, 12)"});
        refused([](In& in) { in.attention_mask = at::ones({4, 12}, at::kFloat); },
                {"attention_mask", "Float", "Long or Bool"});
        refused([](In& in) { in.attention_mask = at::ones({4, 1, 1, 12}, at::kLong); }, {"attention_mask", "rank 2"});
        refused([](In& in) { in.attention_mask = Tensor(); }, {"attention_mask", "missing"});
        refused([](In& in) { in.token_type_ids = at::full({4, 12}, 2, at::kLong); },
                {"token_type_ids", "0 to 1", "type_vocab_size"});
        refused([](In& in) { in.token_type_ids = at::full({4, 12}, -1, at::kLong); }, {"token_type_ids", "-1"});
        refused([](In& in) { in.token_type_ids = at::zeros({1, 12}, at::kLong); }, {"token_type_ids", "(1, 12)"});
        refused([](In& in) { in.token_type_ids = at::zeros({4, 12}, at::kInt); }, {"token_type_ids", "Int"});
        refused([](In& in) { in.input_ids = at::full({4, 12}, 100, at::kLong).to(test::place<D>()); },
                {"input_ids", "100"});
        CHECK(wrong(base, model(good), bound) == "");  // and nothing was spoilt
    };
    check(type_tag<Cpu>());
    check(type_tag<Mps>());
}

TEST_CASE("A wrong config.json is refused with the file, the key, the value and a remedy") {
    test::ChangedCase changed(base);
    const std::string good = changed.config;
    const auto refused = [&](const std::string& config, std::initializer_list<std::string_view> words) {
        CAPTURE(config.substr(0, 200));
        changed.config = config;
        changed.refused<arch::Bert, ConfigError>(words);
        changed.refused<arch::Bert, ConfigError>({"config.json"});
    };
    const auto with = [&](const std::string& key, const std::string& value) {
        // a name that stands twice is an error of its own, so what is there is replaced
        std::string text = good;
        const auto at = text.find('"' + key + '"');
        if (at == std::string::npos)
            return test::replaced(text, "\"model_type\"", '"' + key + "\": " + value + ", \"model_type\"");
        const auto end = text.find_first_of(",\n", at);
        return text.replace(at, end - at, '"' + key + "\": " + value);
    };
    refused(with("num_attention_heads", "0"), {"num_attention_heads", "0"});
    refused(with("num_attention_heads", "-4"), {"num_attention_heads", "-4"});
    refused(with("num_attention_heads", "5"), {"hidden_size", "32", "num_attention_heads", "5", "multiple"});
    refused(with("num_attention_heads", "2.5"), {"num_attention_heads", "2.5", "integer"});
    refused(with("num_attention_heads", "\"4\""), {"num_attention_heads", "'4'", "integer"});
    refused(with("num_attention_heads", "[4]"), {"num_attention_heads"});
    refused(with("num_attention_heads", "1e30"), {"num_attention_heads"});
    refused(with("hidden_size", "0"), {"hidden_size"});
    refused(with("hidden_size", "-32"), {"hidden_size", "-32"});
    refused(with("num_hidden_layers", "-1"), {"num_hidden_layers", "-1"});
    refused(with("intermediate_size", "0"), {"intermediate_size"});
    refused(with("vocab_size", "0"), {"vocab_size"});
    refused(with("max_position_embeddings", "0"), {"max_position_embeddings"});
    refused(with("type_vocab_size", "0"), {"type_vocab_size"});
    refused(with("layer_norm_eps", "-1e-5"), {"layer_norm_eps"});
    refused(with("layer_norm_eps", "NaN"), {"layer_norm_eps"});
    refused(with("layer_norm_eps", "\"small\""), {"layer_norm_eps", "small", "number"});
    refused(with("hidden_act", "\"gelo\""), {"hidden_act", "gelo", "gelu"});
    refused(with("hidden_act", "3"), {"hidden_act", "3"});
    refused(with("position_embedding_type", "\"relative_key\""),
            {"position_embedding_type", "relative_key", "absolute"});
    refused(with("is_decoder", "true"), {"is_decoder"});
    refused(with("is_decoder", "\"no\""), {"is_decoder", "true or false"});
    refused(with("add_cross_attention", "true"), {"add_cross_attention"});
    refused(with("model_type", "\"roberta\""), {"model_type", "roberta", "bert"});
    refused(with("model_type", "7"), {"model_type", "7"});
    refused(good.substr(0, good.size() / 2), {"line"});
    refused("", {"line 1"});
    refused("[]", {"object"});
    refused("{\"hidden_size\": 32, \"hidden_size\": 32}", {"hidden_size"});
    refused(std::string(200, '['), {"nested"});
    refused("\xff\xfe{}", {"UTF-8"});

    const auto& directory = changed.written();
    std::filesystem::remove(directory / "config.json");
    refuses<ConfigError>([&] { static_cast<void>(Model<arch::Bert, Cpu>::open(directory.string())); }, {"config.json"});
}

TEST_CASE("Keys that a hub's config.json may leave out or set to null have transformers' defaults") {
    const auto config = test::config_of<arch::Bert>("{}");
    CHECK(config.vocab_size == 30522);
    CHECK(config.hidden_size == 768);
    CHECK(config.num_hidden_layers == 12);
    CHECK(config.num_attention_heads == 12);
    CHECK(config.intermediate_size == 3072);
    CHECK(config.max_position_embeddings == 512);
    CHECK(config.type_vocab_size == 2);
    CHECK(config.layer_norm_eps == 1e-12);
    CHECK(config.hidden_act == Activation::gelu);
    CHECK(config.tie_word_embeddings);
    CHECK(config.labels() == 2);
    const auto labelled = test::config_of<arch::Bert>(
        R"({"num_labels": null, "id2label": {"0": "a", "1": "b", "2": "c"}, "pruned_heads": {}, "unknown": [1, {}]})");
    CHECK(labelled.labels() == 3);
}

TEST_CASE("Weights that do not fit the configuration are refused with the tensor, both shapes and a remedy") {
    test::ChangedCase changed(base);
    auto& tensors = changed.tensors;
    const auto refused = [&](std::initializer_list<std::string_view> words) { changed.refused<arch::Bert>(words); };
    const auto open = [&] { static_cast<void>(Model<arch::Bert, Cpu>::open(changed.path().string())); };
    const std::string query = "encoder.layer.1.attention.self.query.weight";

    SECTION("a tensor is missing") {
        tensors.erase(query);
        refused({query, "(32, 32)", changed.path().string()});
    }
    SECTION("a tensor is misspelt: the nearest name is shown") {
        tensors.emplace("embeddings.position_embedings.weight",
                        tensors.extract("embeddings.position_embeddings.weight").mapped());
        refused({"embeddings.position_embeddings.weight", "nearest", "position_embedings.weight"});
    }
    SECTION("a tensor has another shape") {
        tensors[query] = test::random({32, 31}, 1);
        refused({query, "(32, 31)", "(32, 32)"});
    }
    SECTION("a tensor holds whole numbers") {
        tensors[query] = at::ones({32, 32}, at::kLong);
        refused({query, "I64"});
    }
    SECTION("a bias is missing where others of its kind are there") {
        tensors.erase("encoder.layer.0.attention.self.key.bias");
        const auto model = Model<arch::Bert, Cpu>::open(changed.written().string());  // counts as zeros
        test::ChangedCase other(base);
        other.tensors["encoder.layer.0.attention.self.key.bias"] = at::zeros({32});
        const auto zeros = Model<arch::Bert, Cpu>::open(other.written().string());
        const auto in = main_inputs(base);
        CHECK(test::differs(model(in).last_hidden_state, zeros(in).last_hidden_state, 1e-6) == "");
    }
    SECTION("a norm is missing") {
        tensors.erase("embeddings.LayerNorm.bias");
        refused({"embeddings.LayerNorm.bias", "(32)"});
    }
    SECTION("one weight stands there in two spellings that differ") {
        tensors["bert." + query] = test::random({32, 32}, 1);
        refused({query, "two different tensors"});
    }
    SECTION("there are fewer layers than config.json says") {
        changed.config = test::replaced(changed.config, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
        refused({"encoder.layer.2."});
    }
    SECTION("the file is cut off") {
        const auto file = changed.written() / "model.safetensors";
        std::filesystem::resize_file(file, std::filesystem::file_size(file) - 100);
        refuses<CheckpointError>(open, {"model.safetensors"});
    }
    SECTION("there is no file of weights") {
        std::filesystem::remove(changed.written() / "model.safetensors");
        refuses<CheckpointError>(open, {changed.path().string()});
    }
    SECTION("the head that is asked for is not there") {
        changed.refused<arch::BertForMaskedLM>({"cls.predictions"});
        changed.refused<arch::BertForSequenceClassification>({"classifier"});
    }
    SECTION("the directory does not exist") {
        const auto nowhere = changed.path() / "nowhere";
        refuses<Error>([&] { static_cast<void>(Model<arch::Bert, Cpu>::open(nowhere.string())); }, {"nowhere"});
    }
}

// ---- the simulated MPS device

#ifdef SILICA_HAS_SIM_MPS

namespace {

namespace sim = test::sim;

/// Runs `f`, which opens a model and calls it, with the n-th allocation failing, for every n until none fails.
template <class F>
void sweep(std::size_t times, F f) {
    std::size_t recovered = 0, refused = 0;
    for (std::size_t n = 1; n < 2000; ++n) {
        const sim::Settings settings;
        at::detail::getMPSHooks().emptyCache();
        sim::reset();
        sim::fail_allocation(n, times);
        CAPTURE(n, times);
        try {
            const FallbackScope scope;
            const std::string error = f();
            sim::fail_allocation(1000000);
            CHECK(error == "");
            ++recovered;
        } catch (const DeviceError& e) {
            CHECK_FALSE(e.remedy().empty());
            ++refused;
        } catch (const std::exception& e) {
            FAIL("neither a result nor a DeviceError: " << e.what());
        }
        if (sim::counters().out_of_memory == 0) {
            CHECK(n > 20);
            CHECK(refused > 0);
            INFO(recovered << " recovered, " << refused << " refused");
            return;
        }
    }
    FAIL("no end of allocations");
}

}  // namespace

TEST_CASE("Out of memory at the n-th allocation of load and call, for every n: a result or a DeviceError") {
    if (!test::present<Mps>()) return;
    const auto inputs = main_inputs(masked_lm);
    for (const std::size_t times : {std::size_t{1}, std::size_t{2}, std::size_t{1000000}}) {
        sweep(times, [&] {
            const auto model = Model<arch::BertForMaskedLM, Mps, Fp32, loader::Streamed>::open(masked_lm.string());
            const auto out = model(inputs);
            sim::fail_allocation(1000000);
            return wrong(masked_lm, out, bound);
        });
        sweep(times, [&] {
            const auto model =
                Model<arch::BertForMaskedLM, Chain<Mps>, Fp32, loader::CpuFirst>::open(masked_lm.string());
            const auto out = model(inputs);
            sim::fail_allocation(1000000);
            return wrong(masked_lm, out, bound);
        });
    }
}

TEST_CASE("A model is whole again after a call that ran out of memory") {
    if (!test::present<Mps>()) return;
    const sim::Settings settings;
    const auto model = Model<arch::Bert, Chain<Mps>, Fp32>::open(base.string());
    const auto inputs = main_inputs(base);
    sim::fail_allocation(10, 1000000);
    refuses<DeviceError>([&] { static_cast<void>(model(inputs)); }, {"memory"});
    sim::fail_allocation(1000000);
    CHECK(wrong(base, model(inputs), bound) == "");
}

TEST_CASE("A device without room for the weights says so when the model is opened") {
    if (!test::present<Mps>()) return;
    const sim::Settings settings;
    sim::set_memory_limit(sim::counters().bytes + 4096);
    refuses<DeviceError>([] { static_cast<void>(Model<arch::Bert, Mps>::open(base.string())); },
                         {"mps", "memory", "weights"});
    sim::set_memory_limit(0);
    sim::set_max_buffer_length(1024);
    refuses<DeviceError>([] { static_cast<void>(Model<arch::Bert, Mps>::open(base.string())); }, {"mps", "memory"});
}

TEST_CASE("Each op of the model that LibTorch lacks falls back alone, and the result is the same") {
    if (!test::present<Mps>()) return;
    const auto model = Model<arch::BertForMaskedLM, Mps, Fp32>::open(masked_lm.string());
    const auto strict = Model<arch::BertForMaskedLM, Chain<Mps>, Fp32>::open(masked_lm.string());
    const auto inputs = main_inputs(masked_lm);
    std::set<std::string> ops;
    {
        const sim::Recorder recorder;
        static_cast<void>(model(inputs));
        for (const auto& op : recorder.ops()) ops.insert(op.substr(0, op.find('.')));
    }
    const std::map<std::string, std::string> routed{{"aten::linear", "linear"},
                                                    {"aten::gelu", "activate"},
                                                    {"aten::native_layer_norm", "layer_norm"},
                                                    {"aten::_scaled_dot_product_attention_math_for_mps", "attention"},
                                                    {"aten::embedding", "embedding"}};
    std::size_t seen = 0;
    for (const auto& [aten, op] : routed) {
        CAPTURE(aten);
        if (!ops.contains(aten)) continue;
        ++seen;
        const sim::Settings settings;
        sim::throw_in(aten, sim::Fault::NotImplemented);
        const FallbackScope scope;
        CHECK(wrong(masked_lm, model(inputs), bound) == "");
        // The op alone leaves the device; a kernel of several ops that has it in itself is taken apart at home first.
        int left = 0;
        for (const auto& f : scope.report()) {
            CHECK(f.reason == FallbackReason::not_implemented);
            const bool alone = f.op == op && f.to == "cpu", apart = f.op.starts_with("linear_") && f.to == "parts";
            CHECK(alone != apart);
            left += alone ? 1 : 0;
        }
        CHECK(left == 1);
        refuses<DeviceError>([&] { static_cast<void>(strict(inputs)); }, {op, "does not implement"});
    }
    CHECK(seen >= 3);
}

TEST_CASE(
    "Nothing hops that placement does not say: on MPS a call copies its inputs there, waits for nothing and reads "
    "nothing") {
    if (!test::present<Mps>()) return;
    const auto inputs = main_inputs(base);
    test::check_quiet_call(Model<arch::Bert, Chain<Mps>, Fp32>::open(base.string()), inputs, 3);
    test::check_quiet_call(Model<arch::Bert, Chain<Mps>, precision::Fp16>::open(base.string()), inputs, 3);
    test::check_quiet_call(Model<arch::Bert, Mps, precision::Bf16>::open(base.string()),
                           arch::BertInputs{inputs.input_ids}, 1);
    test::check_quiet_call(Model<arch::BertForMaskedLM, Mps>::open(masked_lm.string()), main_inputs(masked_lm), 3);
    const auto classes = test::golden("bert", "sequence_classification");
    test::check_quiet_call(Model<arch::BertForSequenceClassification, Mps>::open(classes.string()),
                           main_inputs(classes), 3);
}

TEST_CASE("macOS 14, 15.0, 15.1 and 26 give the same results") {
    if (!test::present<Mps>()) return;
    for (const auto& [major, minor] :
         {std::pair{14U, 0U}, std::pair{15U, 0U}, std::pair{15U, 1U}, std::pair{26U, 0U}}) {
        CAPTURE(major, minor);
        const sim::Settings settings;
        sim::set_macos(major, minor);
        const auto model = Model<arch::Bert, Chain<Mps>, Fp32>::open(base.string());
        CHECK(wrong(base, model(main_inputs(base)), bound) == "");
        const std::string one = "reference-single-token";
        CHECK(wrong(base, model(test::inputs_of<arch::Bert>(base, one)), bound, one) == "");
    }
}

TEST_CASE("Several threads that call models on MPS take turns") {
    if (!test::present<Mps>()) return;
    const sim::Settings settings;
    const auto one = Model<arch::Bert, Mps, Fp32>::open(base.string());
    const auto two = Model<arch::BertForMaskedLM, Mps, Fp32>::open(masked_lm.string());
    const auto inputs = main_inputs(base), lm_inputs = main_inputs(masked_lm);
    sim::set_kernel_time(std::chrono::microseconds(50));
    sim::reset();
    sim::throw_on_concurrent_use(false);
    std::mutex reading;
    std::vector<Tensor> results;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&, i] {
            for (int k = 0; k < 3; ++k) {
                Tensor y = i == 0 ? two(lm_inputs).logits : one(inputs).last_hidden_state;
                const std::lock_guard guard(reading);
                if (i != 0) results.push_back(std::move(y));
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(sim::counters().concurrent_uses == 0);
    const Tensor want = test::reference_of(base).tensors.at("outputs.last_hidden_state");
    for (const auto& y : results) CHECK(test::differs(y, want, 2e-5) == "");
}

TEST_CASE("Opening a model while another is called on MPS: they take turns") {
    if (!test::present<Mps>()) return;
    const sim::Settings settings;
    const auto model = Model<arch::Bert, Mps, Fp32>::open(base.string());
    const auto inputs = main_inputs(base);
    sim::set_kernel_time(std::chrono::microseconds(50));
    sim::reset();
    sim::throw_on_concurrent_use(false);
    std::thread opens([&] {
        for (int k = 0; k < 3; ++k)
            static_cast<void>(Model<arch::Bert, Mps, Fp32, loader::Streamed>::open(base.string()));
    });
    for (int k = 0; k < 5; ++k) static_cast<void>(model(inputs));
    opens.join();
    CHECK(sim::counters().concurrent_uses == 0);
}

TEST_CASE("An index that no device has is refused") {
    if (!test::present<Mps>()) return;
    refuses<DeviceError>([] { static_cast<void>(Model<arch::Bert, Mps>::open(base.string(), {.index = 3})); },
                         {"mps", "3"});
    refuses<DeviceError>([] { static_cast<void>(Model<arch::Bert, Mps>::open(base.string(), {.index = -1})); },
                         {"mps", "-1"});
}

#endif

TEST_CASE("A device that is not there says why and what to do") {
    if (device::Cuda::available()) return;
    refuses<DeviceError>([] { static_cast<void>(Model<arch::Bert, device::Cuda>::open(base.string())); },
                         {"cuda", "CUDA"});
}

}  // namespace bert_faults
