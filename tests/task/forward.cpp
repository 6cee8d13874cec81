// Forward passes of tasks: on the CPU the model's own; where they are recorded, which a test pretends, in turns and
// each until what it gave is on the host.
#include "silica/task/forward.hpp"

#include <ATen/ops/full.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "silica/arch/vit.hpp"
#include "silica/device/cpu.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/pictures.hpp"

using namespace silica;
using task::Forward;

namespace one_place {

struct Inputs {
    Tensor x;
};

}  // namespace one_place

BOOST_HANA_ADAPT_STRUCT(one_place::Inputs, x);

namespace {

/// A network with one place for what it gives, as a graph has: the next call overwrites it.
struct OnePlace {
    struct Outputs {
        Tensor doubled, absent;
    };

    Outputs operator()(const auto& in) const {
        if (inside->exchange(true)) ++*collisions;
        place.copy_(in.x).mul_(2);
        std::this_thread::sleep_for(std::chrono::microseconds(50));
        inside->store(false);
        return {place, {}};
    }

    Tensor place = at::zeros({2, 3});
    std::shared_ptr<std::atomic<bool>> inside = std::make_shared<std::atomic<bool>>(false);
    std::shared_ptr<std::atomic<int>> collisions = std::make_shared<std::atomic<int>>(0);
};

/// What Replayed asks of a Model.
class Doubles {
public:
    using Device = device::Cpu;
    using Network = OnePlace;
    using Inputs = one_place::Inputs;
    using Outputs = OnePlace::Outputs;

    Outputs operator()(const Inputs& in) const { return network_(in); }
    [[nodiscard]] static Inputs checked(const Inputs& in) {
        if (in.x.dim() != 2) throw InputError("x has another rank than 2.", "give (rows, columns).");
        return in;
    }
    template <class F>
    decltype(auto) on_device(F&& f) const {
        return f();
    }
    [[nodiscard]] static c10::Device device() { return c10::Device(c10::DeviceType::CPU); }
    [[nodiscard]] const OnePlace& network() const { return network_; }

private:
    OnePlace network_;
};

/// Records nothing: a replay is the work itself.
struct Pretended {
    template <class Model>
    static constexpr bool records = true;
    static Availability available() { return {true}; }
    static inline std::atomic<int> first = 0, later = 0;

    template <class F>
    bool operator()(c10::Device, F&& f) {
        f();
        ++(warm_ ? later : first);
        return !std::exchange(warm_, true);
    }

private:
    bool warm_ = false;
};

using Recorded = Forward<Doubles, Pretended>;
using ViT = Model<arch::ViTForImageClassification, device::Cpu, precision::Fp32>;

/// A model that only answers.
struct Answers {
    struct Inputs {};
    struct Outputs {
        Tensor half;
    };
    Outputs operator()(const Inputs&) const { return {at::full({2, 2}, 0.5, at::kHalf).t()}; }
    template <class F>
    auto on_device(F&& f) const {
        return f();
    }
};

// Nothing is recorded on the CPU, nor of what is no Model: there is no lock, and nothing beside the model is kept.
static_assert(!Forward<ViT>::recorded && sizeof(Forward<ViT>) == sizeof(ViT));
static_assert(!Forward<Answers, Pretended>::recorded && Recorded::recorded);

float doubled(const Recorded& forward, float value) {
    const auto [y, absent] = forward({at::full({2, 3}, value)},
                                     [](const auto& out) { return std::array<Tensor, 2>{out.doubled, out.absent}; });
    if (absent.defined()) return -1;
    return y.max().template item<float>() == y.min().template item<float>() ? y.max().template item<float>() : -2;
}

}  // namespace

TEST_CASE("What a pass gave stays as it was when the next one is recorded in its place", "[task]") {
    const Recorded forward{Doubles()};
    const auto all = [](const auto& out) { return out.doubled; };
    const Tensor a = forward({at::full({2, 3}, 1.0)}, all), b = forward({at::full({2, 3}, 2.0)}, all),
                 c = forward({at::full({2, 3}, 3.0)}, all);
    CHECK(test::differs(a, at::full({2, 3}, 2.0F), 0) == "");
    CHECK(test::differs(b, at::full({2, 3}, 4.0F), 0) == "");
    CHECK(test::differs(c, at::full({2, 3}, 6.0F), 0) == "");
}

TEST_CASE("Passes that are recorded take turns, those of copies too, and a refusal ends its turn", "[task]") {
    Pretended::first = Pretended::later = 0;
    const Recorded forward{Doubles()};
    const Recorded copy = forward;
    constexpr int threads = 4, calls = 50;
    std::vector<int> wrong(threads, 0);
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t) {
        running.emplace_back([&, t] {
            for (int i = 0; i < calls; ++i) {
                const auto value = static_cast<float>(100 * t + i);
                if (doubled(t % 2 == 0 ? forward : copy, value) != 2 * value) ++wrong[static_cast<std::size_t>(t)];
                try {
                    static_cast<void>(forward({at::zeros({2})}, [](const auto& out) { return out.doubled; }));
                    ++wrong[static_cast<std::size_t>(t)];
                } catch (const InputError&) {
                }
            }
        });
    }
    for (auto& thread : running) thread.join();
    CHECK(wrong == std::vector<int>(threads, 0));
    CHECK(*forward.model().network().collisions == 0);
    CHECK(Pretended::first == 1);  // what one copy recorded the other replays
    CHECK(Pretended::later == threads * calls - 1);
}

TEST_CASE("What a pass gives lies on the host in float32, row after row", "[task]") {
    const Tensor half = Forward<Answers>(Answers{})({}, [](const auto& out) { return out.half; });
    CHECK((half.scalar_type() == at::kFloat && half.is_contiguous() && half.device().is_cpu()));
    const auto model = ViT::open(test::chain("vit").string());
    const arch::ViTInputs in{.pixel_values = test::random({2, 3, 12, 12}, 7)};
    const auto logits = [](const auto& out) { return out.logits; };
    CHECK(test::differs(Forward(model)(in, logits), model(in).logits, 0) == "");
    const Forward<ViT, Pretended> recorded(model);
    for (int i = 0; i < 3; ++i) CHECK(test::differs(recorded(in, logits), model(in).logits, 0) == "");
}
