// Calls that are recorded and replayed give what the model gives: on a GPU the graph is compared with it, elsewhere
// both are the same code. What the host does about recordings is tested on the CPU, with one that a test pretends.
#include "silica/replayed.hpp"

#include <ATen/ops/ones.h>

#include "silica/arch/bert.hpp"
#include "silica/device/cuda.hpp"
#include "silica/loader/mapped.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

using namespace silica;

static_assert(capturable<Model<arch::Bert, device::Cuda>> && !capturable<Model<arch::Bert, device::Cpu>>);

namespace {

arch::BertInputs texts(std::int64_t rows, std::int64_t tokens, std::uint64_t seed, bool masked = false) {
    arch::BertInputs in{.input_ids = test::random_ids({rows, tokens}, 60, seed)};
    if (masked) {
        in.attention_mask = at::ones({rows, tokens}, at::kLong);
        in.attention_mask->slice(1, tokens - 1).zero_();
    }
    return in;
}

/// Records nothing: a replay is the work itself. Counts, and fails when a test says so.
struct Pretended {
    template <class Model>
    static constexpr bool records = true;
    static Availability available() { return {true}; }
    static inline int runs = 0, recorded = 0, replayed = 0;
    static inline bool fail = false, full = false;
    static void reset() { runs = recorded = replayed = 0, fail = full = false; }

    template <class F>
    bool operator()(c10::Device, F&& f) {
        if (fail && state_ == 1) throw NotRecorded("the test wants it so", "");
        if (full) throw DeviceError("there is no memory", "");
        f();
        ++(state_ == 0 ? runs : state_ == 1 ? recorded : replayed);
        state_ = std::min(state_ + 1, 2);
        return state_ < 2;
    }

private:
    int state_ = 0;
};

using OnCpu = Model<arch::Bert, device::Cpu, precision::Fp32>;

OnCpu bert() { return OnCpu::open(test::golden("bert", "base").string()); }

}  // namespace

TEMPLATE_LIST_TEST_CASE("Replayed calls equal calls, of any kind of inputs in any order", "", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<arch::Bert, TestType, precision::Fp32>::open(test::golden("bert", "base").string());
    Replayed forward(model, 3);
    std::uint64_t seed = 0;
    for (int round = 0; round < 4; ++round) {
        for (const std::int64_t tokens : {5, 9}) {
            for (const bool masked : {false, true}) {
                const auto in = texts(2, tokens, ++seed, masked);
                const auto want = model(in);
                const auto& got = forward(in);
                CHECK(test::differs(got.last_hidden_state, want.last_hidden_state, 0) == "");
                CHECK(test::differs(*got.pooler_output, *want.pooler_output, 0) == "");
            }
        }
        for (int again = 0; again < 3; ++again) {
            const auto in = texts(3, 7, ++seed);
            const auto want = model(in);
            CHECK(test::differs(forward(in).last_hidden_state, want.last_hidden_state, 0) == "");
        }
    }
    CHECK(forward.not_recorded() == "");
    CHECK_THROWS_AS(forward({.input_ids = at::ones({1, 4})}), InputError);
    CHECK_THROWS_AS(forward({.input_ids = at::ones({1, 4}, at::kLong).mul_(1000)}), InputError);
}

TEST_CASE("A kind of inputs is run, then recorded, then replayed; the last kinds used are kept") {
    Pretended::reset();
    const auto model = bert();
    Replayed<OnCpu, Pretended> forward(model, 2);
    const auto call = [&](const arch::BertInputs& in) {
        const auto want = model(in);
        CHECK(test::differs(forward(in).last_hidden_state, want.last_hidden_state, 0) == "");
    };
    for (std::uint64_t i = 0; i < 4; ++i) call(texts(1, 6, i));
    CHECK((Pretended::runs == 1 && Pretended::recorded == 1 && Pretended::replayed == 2));
    call(texts(1, 6, 9, true));  // a mask is another kind
    call(texts(1, 6, 10));
    CHECK((Pretended::runs == 2 && Pretended::recorded == 1 && Pretended::replayed == 3));
    call(texts(2, 6, 11));  // the third kind: the masked one, used longest ago, goes
    call(texts(1, 6, 12));
    CHECK((Pretended::runs == 3 && Pretended::replayed == 4));
    call(texts(1, 6, 13, true));
    CHECK(Pretended::runs == 4);
}

TEST_CASE("Where a call cannot be recorded, it and all others are the model's") {
    Pretended::reset();
    const auto model = bert();
    Replayed<OnCpu, Pretended> forward(model);
    Pretended::fail = true;
    for (std::uint64_t i = 0; i < 4; ++i) {
        const auto in = texts(1, 6, i);
        const auto want = model(in);
        CHECK(test::differs(forward(in).last_hidden_state, want.last_hidden_state, 0) == "");
        CHECK(forward.not_recorded() == (i == 0 ? "" : "the test wants it so"));
    }
    CHECK((Pretended::runs == 1 && Pretended::recorded == 0 && Pretended::replayed == 0));
}

TEST_CASE("Where there is no memory beside what was recorded, that is given up") {
    Pretended::reset();
    const auto model = bert();
    Replayed<OnCpu, Pretended> forward(model);
    for (std::uint64_t i = 0; i < 3; ++i) static_cast<void>(forward(texts(1, 6, i)));
    CHECK(Pretended::replayed == 1);
    Pretended::full = true;
    for (std::uint64_t i = 0; i < 2; ++i) {
        const auto in = texts(2, 6, i);
        CHECK(test::differs(forward(in).last_hidden_state, model(in).last_hidden_state, 0) == "");
        CHECK(forward.not_recorded() == "there is no memory");
    }
    CHECK_THROWS_AS(forward({.input_ids = at::ones({1, 4})}), InputError);
}
