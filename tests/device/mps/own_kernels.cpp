// Own Metal kernels on the simulated device: they are used where they proved themselves, and else are off with the
// reason, while the results stay right.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <ATen/Functions.h>

#include "generate/toy.hpp"
#include "silica/checkpoint/quantised.hpp"
#include "silica/device/mps/faults.hpp"
#include "silica/device/mps/metal/choose.hpp"
#include "silica/fallback.hpp"
#include "silica/generate/complete.hpp"
#include "silica/nn/coded_rows.hpp"
#include "silica/op/argmax.hpp"
#include "silica/op/decode_attention.hpp"
#include "silica/op/draw.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/op/linear_gated.hpp"
#include "silica/op/rms_norm_linear_gated.hpp"
#include "silica/op/rotary_store.hpp"
#include "silica/precision/int4.hpp"
#include "silica/precision/int8.hpp"
#include "silica/run.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/directory.hpp"

#ifdef SILICA_HAS_SIM_MPS
#include "support/sim_mps_metal.hpp"

using namespace silica;
using device::Mps;
using sim_kernels = test::sim_mps::OwnKernels;
namespace metal = device::mps::metal;

namespace {

/// A file of verdicts of its own, and kernels as the test wants them; put back at the end.
class Machine {
public:
    explicit Machine(sim_kernels which, const std::string& only = "") {
        setenv("SILICA_MPS_VERDICTS", file().c_str(), 1);
        set(which, only);
    }
    ~Machine() {
        test::sim_mps::set_own_kernels(sim_kernels::absent);
        unsetenv("SILICA_MPS_VERDICTS");
    }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;
    /// As if another process began.
    static void set(sim_kernels which, const std::string& only = "") { test::sim_mps::set_own_kernels(which, only); }
    [[nodiscard]] std::filesystem::path file() const { return directory_.path() / "mps.json"; }
    [[nodiscard]] std::string text() const {
        std::ostringstream all;
        all << std::ifstream(file()).rdbuf();
        return all.str();
    }
    void write(const std::string& text) const { std::ofstream(file()) << text; }

private:
    test::Directory directory_;
};

Tensor there(const Tensor& t) { return t.to(test::place<Mps>()); }

std::size_t launched() { return test::sim_mps::own_kernel_use().launched; }
std::size_t compiled() { return test::sim_mps::own_kernel_use().compiled; }

/// Products in every form with numbers as weights, right in any case.
template <class P>
void check_products(std::int64_t rows) {
    using E = Exec<Mps, P>;
    INFO(P::name << ", " << rows << " rows");
    const auto type = P::compute;
    const Tensor w = test::random({26, 70}, 1, type), b = test::random({26}, 2, type),
                 x = test::random({rows, 70}, 3, type);
    const Tensor r = test::random({rows, 26}, 4, type), scale = test::random({70}, 5, type);
    const Prepared<op::Linear, E> weight(there(w), std::optional(there(b)));
    const auto wide = [](const Tensor& t) { return t.to(at::kDouble); };
    const auto product = [&](const Tensor& in) { return wide(in).matmul(wide(w).t()) + wide(b); };
    const auto gated = [](const Tensor& y) { return at::silu(y.narrow(1, 0, 13)) * y.narrow(1, 13, 13); };
    const double near = 10 * test::tolerance<P>();
    CHECK(test::differs(run<op::Linear, E>(there(x), weight), product(x), near) == "");
    CHECK(test::differs(run<op::LinearAdd, E>(there(x), weight, there(r)), product(x) + wide(r), near) == "");
    CHECK(test::differs(run<op::LinearActivation, E>(there(x), weight, Activation::gelu), at::gelu(product(x)), near) ==
          "");
    CHECK(test::differs(run<op::LinearGated, E>(there(x), weight, Activation::silu), gated(product(x)), 8 * near) ==
          "");
    const Tensor normed = device::aten::RmsNorm::run(x, scale, 1e-6);
    CHECK(test::differs(run<op::RmsNormLinear, E>(there(x), there(scale), 1e-6, weight), product(normed), near) == "");
    CHECK(test::differs(run<op::RmsNormLinearGated, E>(there(x), there(scale), 1e-6, weight, Activation::silu),
                        gated(product(normed)), 20 * near) == "");
}

template <class P>
void check_codes(int bits, std::int64_t group, std::int64_t rows) {
    using E = Exec<Mps, precision::WeightOnly<P, 0>>;
    INFO(P::name << ", " << bits << " bits, groups of " << group << ", " << rows << " rows");
    const auto q = checkpoint::quantise(test::random({26, 150}, 3), bits, group, "w");
    const Tensor w = checkpoint::dequantised(q, at::kDouble), x = test::random({rows, 150}, 4, P::compute);
    const Tensor b = test::random({26}, 5, P::compute), r = test::random({rows, 26}, 6, P::compute);
    const Prepared<op::Linear, E> weight(nn::coded(q, there(b), P::compute, test::place<Mps>()));
    const Tensor want = x.to(at::kDouble).matmul(w.t()) + b.to(at::kDouble);
    const double near = 14 * test::tolerance<P>();
    CHECK(test::differs(run<op::Linear, E>(there(x), weight), want, near) == "");
    CHECK(test::differs(run<op::LinearAdd, E>(there(x), weight, there(r)), want + r.to(at::kDouble), near) == "");
    CHECK(test::differs(run<op::LinearGated, E>(there(x), weight, Activation::relu),
                        want.narrow(1, 0, 13).relu() * want.narrow(1, 13, 13), 10 * near) == "");
    const op::Coded back = weight.unpack();
    CHECK(back.codes.cpu().equal(q.codes));
    CHECK(back.scales.cpu().equal(q.scales));
}

/// One step of a decoder's attention, and the choice of its token.
template <class P>
void check_step(std::int64_t d) {
    using E = Exec<Mps, P>;
    INFO(P::name << ", heads of " << d);
    const auto type = P::compute;
    const std::int64_t heads = 4, kv = 2, capacity = 9, slot = 5;
    const Tensor qkv = test::random({2, 1, (heads + 2 * kv) * d}, 1, type), cos = test::random({2, 1, d / 2}, 2, type),
                 sin = test::random({2, 1, d / 2}, 3, type);
    Tensor keys = test::random({2, kv, capacity, d}, 4, type), values = test::random({2, kv, capacity, d}, 5, type);
    Tensor keys_there = there(keys), values_there = there(values);
    const Tensor at = at::full({1}, slot, at::kLong), filled = at::full({1}, slot + 1, at::kLong);
    const Tensor mask = at::arange(capacity).ge(2).view({1, 1, 1, -1});
    using Home = Exec<device::Cpu, precision::Fp32>;
    Tensor k32 = keys.to(at::kFloat), v32 = values.to(at::kFloat);
    const Tensor want_q = run<op::RotaryStore, Home>(qkv.to(at::kFloat), cos.to(at::kFloat), sin.to(at::kFloat),
                                                     InOut<Tensor>{k32}, InOut<Tensor>{v32}, at);
    const Tensor q = run<op::RotaryStore, E>(there(qkv), there(cos), there(sin), InOut<Tensor>{keys_there},
                                             InOut<Tensor>{values_there}, there(at));
    const double near = 2 * test::tolerance<P>();
    CHECK(test::differs(q, want_q, near) == "");
    CHECK(test::differs(keys_there, k32, near) == "");
    CHECK(test::differs(values_there, v32, near) == "");
    for (const bool masked : {false, true}) {
        const Tensor y = run<op::DecodeAttention, E>(q, keys_there, values_there, there(filled),
                                                     masked ? std::optional(there(mask)) : std::nullopt, 0.2);
        const Tensor want = run<op::DecodeAttention, Home>(q.cpu().to(at::kFloat), keys_there.cpu().to(at::kFloat),
                                                           values_there.cpu().to(at::kFloat), filled,
                                                           masked ? std::optional(mask) : std::nullopt, 0.2);
        CHECK(test::differs(y, want, near) == "");
    }
    const Tensor scores = test::random({3, 200}, 6, type);
    CHECK((run<op::Argmax, E>(there(scores)).cpu().equal(scores.argmax(-1))));
}

/// Everything, with what fell back.
std::vector<Fallback> all_of_it() {
    const FallbackScope scope;
    check_products<precision::Fp16>(1);
    check_products<precision::Bf16>(3);
    check_codes<precision::Fp16>(4, 64, 1);
    check_step<precision::Fp16>(16);
    return scope.report();
}

bool says(const std::vector<Fallback>& report, std::string_view op, FallbackReason reason) {
    return std::any_of(report.begin(), report.end(), [&](const auto& f) { return f.op == op && f.reason == reason; });
}

}  // namespace

TEST_CASE("Own kernels serve where they proved themselves: every weight form, type and number of rows") {
    if (!test::present<Mps>()) return;
    const Machine machine(sim_kernels::right);
    const FallbackScope scope;
    test::in_every_precision([]<class P> {
        for (const std::int64_t rows : {1, 2, 4, 5}) check_products<P>(rows);
        for (const std::int64_t rows : {1, 3, 9, 20}) {
            check_codes<P>(4, 32, rows);
            check_codes<P>(8, 128, rows);
        }
        check_step<P>(64);
    });
    CHECK(scope.report().empty());
    for (const auto& v : metal::verdicts()) {
        CAPTURE(v.kernel, v.reason, v.error);
        CHECK(v.proven);
        CHECK(v.error <= 0.5);  // half of what is allowed, so that another machine's rounding has room
    }
    CHECK(metal::verdicts().size() > 20);
}

TEST_CASE("A kernel that is wrong, fails, does not compile or has other lanes is off, and the results are right") {
    if (!test::present<Mps>()) return;
    for (const auto which : {sim_kernels::wrong, sim_kernels::throws, sim_kernels::no_compile, sim_kernels::lanes_16}) {
        CAPTURE(static_cast<int>(which));
        const Machine machine(which);
        const auto report = all_of_it();
        for (const auto* op :
             {"linear", "linear_add", "rms_norm_linear_gated", "rotary_store", "decode_attention", "argmax"}) {
            CAPTURE(op);
            CHECK(says(report, op, FallbackReason::failed_check));
        }
        for (const auto& v : metal::verdicts()) {
            CAPTURE(v.kernel);
            CHECK_FALSE(v.proven);
            CHECK_FALSE(v.reason.empty());
        }
        const auto before = launched();
        all_of_it();
        CHECK(launched() == before);  // tried once
    }
}

TEST_CASE("One kernel that is wrong leaves the others on") {
    if (!test::present<Mps>()) return;
    const Machine machine(sim_kernels::wrong, "decode_attention");
    const auto report = all_of_it();
    CHECK(says(report, "decode_attention", FallbackReason::failed_check));
    CHECK_FALSE(says(report, "linear", FallbackReason::failed_check));
    CHECK(report.size() == 1);
    CHECK(launched() > 0);
}

TEST_CASE("Verdicts are kept from process to process, for this machine and text only") {
    if (!test::present<Mps>()) return;
    const Machine machine(sim_kernels::right);
    all_of_it();
    const auto first = launched();
    const std::string kept = machine.text();
    CHECK(kept.find("rows TYPE=1 BITS=0") != std::string::npos);
    CHECK(kept.find("simulated MPS") != std::string::npos);
    Machine::set(sim_kernels::right);
    all_of_it();
    const auto again = launched();
    CHECK(again < first);  // nothing was proven a second time
    CHECK(compiled() > 0);

    const auto proves = [&](const std::string& text) {
        machine.write(text);
        Machine::set(sim_kernels::right);
        all_of_it();
        return launched() == first;
    };
    const auto changed = [&](const std::string& what, const std::string& with) {
        std::string text = kept;
        const auto at = text.find(what);
        REQUIRE(at != std::string::npos);
        for (auto i = at; i != std::string::npos; i = text.find(what, i + with.size()))
            text.replace(i, what.size(), with);
        return text;
    };
    CHECK_FALSE(proves(kept));
    CHECK(proves(""));
    CHECK(proves("{"));
    CHECK(proves("[1, 2]"));
    CHECK(proves(kept.substr(0, kept.size() / 2)));
    CHECK(proves(changed("\"format\": 1", "\"format\": 2")));
    CHECK(proves(changed("\"proven\": true", "\"proven\": 3")));
    CHECK(proves(changed("simulated MPS (tests only)", "")));  // a real machine's
    CHECK(proves(changed(TORCH_VERSION, "2.0.1")));
    CHECK(proves(changed("\"text\": \"", "\"text\": \"0")));
    std::filesystem::remove(machine.file());
    std::filesystem::create_directory(machine.file());  // it cannot be written
    Machine::set(sim_kernels::right);
    all_of_it();
    CHECK(launched() == first);
    std::filesystem::remove_all(machine.file());

    Machine::set(sim_kernels::wrong);
    all_of_it();
    Machine::set(sim_kernels::right);  // what failed is not tried again before something changes
    CHECK(says(all_of_it(), "linear", FallbackReason::failed_check));
    CHECK(compiled() == 0);
}

TEST_CASE("Own kernels can be turned off") {
    if (!test::present<Mps>()) return;
    const Machine machine(sim_kernels::right);
    metal::own_kernels = false;
    check_products<precision::Fp16>(1);
    check_step<precision::Fp16>(16);
    metal::own_kernels = true;
    CHECK(compiled() == 0);
    check_products<precision::Fp16>(1);
    CHECK(launched() > 0);
}

TEST_CASE("Memory that is out says nothing of a kernel") {
    if (!test::present<Mps>()) return;
    const Machine machine(sim_kernels::right);
    using E = Exec<Mps, precision::Fp16>;
    const Tensor w = test::random({26, 70}, 1, at::kHalf), x = there(test::random({1, 70}, 3, at::kHalf));
    const Prepared<op::Linear, E> weight(there(w), std::nullopt);
    {
        const test::sim_mps::Settings settings;
        test::sim_mps::fail_allocation(2);
        const Tensor y = run<op::Linear, E>(x, weight);  // tried again with the cache emptied
        CHECK(test::differs(y, x.cpu().to(at::kDouble).matmul(w.to(at::kDouble).t()), 4e-2) == "");
    }
    for (const auto& v : metal::verdicts()) CHECK(v.proven);
}

TEST_CASE("Drawing on the device: the token of the host's sums, or none where rounding could decide") {
    if (!test::present<Mps>()) return;
    const Machine machine(sim_kernels::right);
    test::in_every_precision([]<class P> {
        using E = Exec<Mps, P>;
        INFO(P::name);
        const std::int64_t rows = 120;
        const Tensor scores = (test::random({1, 300}, 1) * 2).to(P::compute),
                     uniform = (at::arange(rows) + 0.5F) / rows;
        const Tensor got = run<op::Draw, E>(there(scores.expand({rows, -1})), there(uniform), 0.8).cpu();
        const Tensor sums = at::softmax(scores.to(at::kDouble) / 0.8, -1).cumsum(-1);
        const Tensor want = sums.le(uniform.to(at::kDouble).unsqueeze(1)).sum(-1), sure = got.ge(0);
        CHECK(at::where(sure, got, want).equal(want));
        const auto unsure = rows - sure.sum().item<std::int64_t>();
        CHECK(unsure > 0);
        CHECK(unsure < rows / 5);
    });
    metal::own_kernels = false;
    CHECK((run<op::Draw, Exec<Mps, precision::Fp32>>(there(at::zeros({2, 3})), there(at::zeros({2})), 1.0)
               .cpu()
               .equal(at::full({2}, -1, at::kLong))));
    metal::own_kernels = true;
    CHECK(metal::draw_serves(there(at::zeros({1, 2}))) == metal::Serves::yes);
    CHECK(metal::draw_serves(there(at::zeros({1, (1 << 20) + 1}, at::kHalf))) == metal::Serves::no);
}

TEST_CASE("Samples are the same whether the device draws them, its kernel is off or the host draws") {
    if (!test::present<Mps>()) return;
    const auto model = test::toy<Mps, precision::Fp16>({.eos_token_id = 2});
    generate::ModelDecoder decoder(model);
    const auto texts = [&](double temperature) {
        std::vector<std::vector<std::int64_t>> all;
        for (const std::uint64_t seed : {0U, 1U}) {
            generate::GenerationConfig config{.max_new_tokens = 8, .do_sample = true};
            config.temperature = temperature;
            config.top_k = 0;
            config.num_return_sequences = 2;
            config.seed = seed;
            const auto out = generate::complete(decoder, {test::random_ids({3, 5}, 24, 3)}, config);
            all.insert(all.end(), out.tokens.begin(), out.tokens.end());
        }
        return all;
    };
    // At the smallest temperature a third of the draws are not sure: the host takes those.
    for (const double temperature : {0.7, 1e-5}) {
        CAPTURE(temperature);
        const Machine machine(sim_kernels::absent);
        const auto want = texts(temperature);
        for (const auto which : {sim_kernels::right, sim_kernels::wrong, sim_kernels::throws, sim_kernels::no_compile,
                                 sim_kernels::lanes_16}) {
            CAPTURE(static_cast<int>(which));
            for (const auto* only : {"", "draw"}) {  // all of them, or but the last step
                if (which == sim_kernels::right && *only != 0) continue;
                CAPTURE(only);
                machine.write("");
                Machine::set(which, only);
                const FallbackScope scope;
                CHECK(texts(temperature) == want);
                CHECK(says(scope.report(), "draw", FallbackReason::failed_check) == (which != sim_kernels::right));
                const auto verdicts = metal::verdicts();
                CHECK(std::any_of(verdicts.begin(), verdicts.end(), [&](const auto& v) {
                    return v.kernel.starts_with(which != sim_kernels::right && *only == 0 ? "argmax " : "draw ") &&
                           v.proven == (which == sim_kernels::right);
                }));
                const auto before = launched();
                CHECK(texts(temperature) == want);
                if (which == sim_kernels::right)
                    CHECK(launched() - before > 2 * 4 * 5);  // seeds, kernels of a draw, places
                else
                    CHECK(launched() == before);
            }
        }
        machine.write("");
        Machine::set(sim_kernels::right);
        metal::own_kernels = false;
        CHECK(texts(temperature) == want);
        metal::own_kernels = true;
        CHECK(compiled() == 0);
    }
}

TEST_CASE("What the machine said of a fault comes before the rule by versions") {
    if (!test::present<Mps>()) return;
    using device::mps::Fault;
    const Machine machine(sim_kernels::absent);
    device::mps::forget_found();
    CHECK_FALSE(device::mps::found(Fault::causal_leaks));
    CHECK(device::mps::has(Fault::causal_leaks, true));
    metal::keep_verdicts(
        machine.file(), metal::Machine::here(),
        {{}, {{"causal_leaks", false, ""}, {"linear_loses_bias", true, ""}, {"linear_not_stable", false, ""}}});
    device::mps::forget_found();
    CHECK_FALSE(device::mps::has(Fault::causal_leaks, true));
    CHECK(device::mps::has(Fault::linear_loses_bias, false));
    CHECK(device::mps::has(Fault::linear_not_stable, true));  // it comes and goes: not seen decides nothing
    CHECK_FALSE(device::mps::has(Fault::mask_broadcasts, false));
    const Tensor q = there(test::random({1, 1, 3, 8}, 1, at::kHalf));
    CHECK_FALSE(device::mps::Attend::masks_explicitly(q));
    CHECK(device::mps::adds_bias(there(test::random({1, 4}, 1)),
                                 {there(test::random({2, 4}, 2)), there(test::random({2}, 3))}));
    std::filesystem::remove(machine.file());
    device::mps::forget_found();
    CHECK(device::mps::Attend::masks_explicitly(q) == !device::mps::libtorch_before(2, 10));
}
#endif
