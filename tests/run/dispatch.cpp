// The four steps of run<Op, Exec>: static, hop, decline, recover; and what they leave behind.
#include <fcntl.h>
#include <atomic>
#include <cstdio>
#include <thread>

#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <unistd.h>
#include <boost/hana/adapt_struct.hpp>

#include "silica/op/gelu.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/run.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"

// Ops, devices and kernels of the tests' own. Ours to specialise, as they would be a user's.
namespace silica::test {

using precision::Fp32;

/// y = 2 x, with a kernel on the CPU alone: it hops.
struct Twice {
    static constexpr std::string_view name = "twice";
    using signature = Tensor(const Tensor& x);
};

/// y = 3 x on devices that take it: MPS takes up to four elements.
struct Thrice {
    static constexpr std::string_view name = "thrice";
    using signature = Tensor(const Tensor& x);
};

/// y = gelu(x), through ATen, on both devices: its MPS kernel fails when the simulation says so.
struct Fails {
    static constexpr std::string_view name = "fails";
    using signature = Tensor(const Tensor& x);
};

/// cache[0] += x, on the CPU alone, and on both devices.
struct AppendHop {
    static constexpr std::string_view name = "append_hop";
    using signature = Tensor(InOut<Tensor> cache, const Tensor& x);
};
struct AppendHome {
    static constexpr std::string_view name = "append_home";
    using signature = Tensor(InOut<Tensor> cache, const Tensor& x);
};

/// y = gelu(x) + r: fused on the CPU, and on MPS for up to four elements.
struct GeluAdd {
    static constexpr std::string_view name = "gelu_add";
    using signature = Tensor(const Tensor& x, const Tensor& r);
    using parts = OpList<op::Gelu>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const Tensor& r) {
        return run<op::Gelu, Exec>(x) + r;
    }
};

/// The same, fused on the CPU alone.
struct GeluAddCpu : GeluAdd {
    static constexpr std::string_view name = "gelu_add_cpu";
};

struct Pair {
    Tensor first;
    std::optional<Tensor> second;
    std::int64_t number = 0;
};

/// Every kind of result; CPU alone.
template <class Result>
struct Gives {
    static constexpr std::string_view name = "gives";
    using signature = Result(const Tensor& x, const std::optional<Tensor>& more, const std::vector<Tensor>& list);
};

/// A device on the CPU whose kernels can be told to decline, and which counts.
struct First {
    static constexpr std::string_view name = "first";
    static constexpr c10::DeviceType type = c10::DeviceType::CPU;
    using chain = Chain<First, device::Cpu>;
    using default_precision = Fp32;
    static Availability available() { return {true}; }
    static void synchronize(c10::DeviceIndex = -1) { ++synchronized; }
    static void empty_cache() { ++emptied; }
    static DeviceMemory memory(c10::DeviceIndex = -1) { return {}; }
    static bool is_out_of_memory(const c10::Error& e) {
        return std::string_view(e.what_without_backtrace()).find("first is full") != std::string_view::npos;
    }
    static NoLock lock() { return {}; }
    static inline std::atomic<int> synchronized = 0, emptied = 0;
};
static_assert(DevicePolicy<First>);

/// y = x * w, with weights packed by each device in its own way.
struct Scale {
    static constexpr std::string_view name = "scale";
    using signature = Tensor(const Tensor& x, const op::Prepared& weight);
    using Source = op::Plain;
    static void check(const Source&) {}
};

/// y = -x, on First alone.
struct FirstOnly {
    static constexpr std::string_view name = "first_only";
    using signature = Tensor(const Tensor& x);
};

/// How many dispatched calls of `Fails` on `First` throw, and how.
inline std::atomic<int> throw_full = 0, throw_missing = 0, throw_host_full = 0, throw_unavailable = 0,
                        calls_of_first = 0;

}  // namespace silica::test

BOOST_HANA_ADAPT_STRUCT(silica::test::Pair, first, second, number);

namespace silica {

using test::First;

template <>
struct Kernel<test::Twice, device::Cpu> {
    static Tensor run(const Tensor& x) { return 2 * x; }
};

template <>
struct Kernel<test::Thrice, device::Cpu> {
    static Tensor run(const Tensor& x) { return 3 * x; }
};
template <>
struct Kernel<test::Thrice, device::Mps> {
    static bool accepts(const Tensor& x) { return x.numel() <= 4; }
    static Tensor run(const Tensor& x) { return 3 * x; }
};
template <>
struct Kernel<test::Thrice, First> {
    static bool accepts(const Tensor&) { return false; }
    static Tensor run(const Tensor& x) { return 3 * x; }
};

template <>
struct Kernel<test::Fails, device::Cpu> {
    static Tensor run(const Tensor& x) { return at::gelu(x); }
};
template <>
struct Kernel<test::Fails, device::Mps> {
    static Tensor run(const Tensor& x) { return at::gelu(x); }
};
template <>
struct Kernel<test::Fails, First> {
    static Tensor run(const Tensor& x) {
        ++test::calls_of_first;
        TORCH_CHECK_NOT_IMPLEMENTED(test::throw_missing-- <= 0, "first has no such op");
        TORCH_CHECK(test::throw_full-- <= 0, "first is full");
        if (test::throw_host_full-- > 0) throw std::bad_alloc();
        if (test::throw_unavailable-- > 0) throw KernelUnavailable("No kernel was made.", "none.");
        return at::gelu(x);
    }
};

template <>
struct Kernel<test::FirstOnly, First> {
    static Tensor run(const Tensor& x) { return -x; }
};

template <>
struct Kernel<test::AppendHop, device::Cpu> {
    static Tensor run(InOut<Tensor> cache, const Tensor& x) {
        cache.value.select(0, 0).add_(x);
        return cache.value.sum();
    }
};
template <>
struct Kernel<test::AppendHome, device::Cpu> : Kernel<test::AppendHop, device::Cpu> {};
template <>
struct Kernel<test::AppendHome, device::Mps> {
    static bool accepts(const InOut<Tensor>& cache, const Tensor&) { return cache.value.size(0) <= 3; }
    static Tensor run(InOut<Tensor> cache, const Tensor& x) {
        cache.value.select(0, 0).add_(x);
        return at::gelu(x).sum();  // fails after the write, when the simulation says so
    }
};

template <>
struct Kernel<test::GeluAdd, device::Cpu> {
    static Tensor run(const Tensor& x, const Tensor& r) { return at::gelu(x) + r; }
};
template <>
struct Kernel<test::GeluAdd, device::Mps> {
    static bool accepts(const Tensor& x, const Tensor&) { return x.numel() <= 4; }
    static Tensor run(const Tensor& x, const Tensor& r) {
        return (x * x.erf().add(1)).sub(x * x.erf()) + at::gelu(x) - x + r;
    }
};
template <>
struct Kernel<test::GeluAddCpu, device::Cpu> : Kernel<test::GeluAdd, device::Cpu> {};

template <class Result>
struct Kernel<test::Gives<Result>, device::Cpu> {
    static Result run(const Tensor& x, const std::optional<Tensor>& more, const std::vector<Tensor>& list) {
        REQUIRE(x.is_cpu());
        if (more) REQUIRE(more->is_cpu());
        for (const auto& t : list) REQUIRE(t.is_cpu());
        const Tensor y = more ? x + *more : 2 * x;
        if constexpr (std::is_same_v<Result, std::tuple<Tensor, Tensor>>)
            return {y, x.sum()};
        else if constexpr (std::is_same_v<Result, test::Pair>)
            return {y, x.sum(), 7};
        else if constexpr (std::is_same_v<Result, std::vector<Tensor>>)
            return {y, list.at(0) + 1, list.at(1) + 1};
        else if constexpr (std::is_same_v<Result, std::optional<Tensor>>)
            return more ? std::optional(y) : std::nullopt;
        else if constexpr (std::is_same_v<Result, double>)
            return x.sum().item<double>();
        else
            return x.numel() > 3;
    }
};

template <>
struct Kernel<test::Scale, device::Cpu> {
    struct Packed {
        Tensor doubled;
        [[nodiscard]] op::Plain unpack() const { return {doubled / 2}; }
    };
    static inline std::atomic<int> packs = 0, full = 0;
    static Packed pack(const op::Plain& s) {
        ++packs;
        TORCH_CHECK(full-- <= 0, "DefaultCPUAllocator: can't allocate memory");
        CHECK(s.weight.is_cpu());
        CHECK_FALSE(s.bias);
        return {2 * s.weight};
    }
    static Tensor run(const Tensor& x, const Packed& w) { return x * w.doubled / 2; }
};
template <>
struct Kernel<test::Scale, First> {
    struct Packed {
        Tensor tripled;
        [[nodiscard]] op::Plain unpack() const {
            ++unpacks;
            if (slow) std::this_thread::sleep_for(std::chrono::milliseconds(5));
            return {tripled / 3};
        }
    };
    static inline std::atomic<int> packs = 0, unpacks = 0;
    static inline std::atomic<bool> takes = true, slow = false;  ///< slow: threads that are not kept apart do meet
    static Packed pack(const op::Plain& s) {
        ++packs;
        return {3 * s.weight};
    }
    static bool accepts(const Tensor&, const Packed&) { return takes; }
    static Tensor run(const Tensor& x, const Packed& w) { return x * w.tripled / 3; }
};
template <>
struct Kernel<test::Scale, device::Mps> : Kernel<test::Scale, First> {
    static bool accepts(const Tensor& x, const Packed&) { return x.numel() <= 4; }
};

}  // namespace silica

using namespace silica;
using namespace silica::test;
using device::Cpu, device::Mps;
using OnCpu = Exec<Cpu, Fp32>;
using OnMps = Exec<Mps, Fp32>;
using OnlyMps = Exec<Chain<Mps>, Fp32>;
using OnFirst = Exec<First, Fp32>;

namespace {

Tensor there(const Tensor& t) { return t.to(place<Mps>()); }

/// The problem of the DeviceError that `f` must throw; its remedy must be there.
template <class F>
std::string device_error(F f) {
    try {
        f();
    } catch (const DeviceError& e) {
        CHECK(std::string(e.what()).find("Remedy: ") != std::string::npos);
        CHECK_FALSE(e.remedy().empty());
        return e.what();
    }
    FAIL("no DeviceError was thrown");
    return "";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// What is written to stderr while `f` runs.
template <class F>
std::string stderr_of(F f) {
    std::fflush(stderr);
    char name[] = "/tmp/silica-stderr-XXXXXX";
    const int file = ::mkstemp(name), before = ::dup(2);
    ::dup2(file, 2);
    f();
    std::fflush(stderr);
    ::dup2(before, 2);
    ::close(before);
    std::string text(1 << 16, '\0');
    const auto n = ::pread(file, text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    ::close(file);
    ::unlink(name);
    return text;
}

}  // namespace

// ---- step 1: static

TEST_CASE("On the CPU a call is direct: nothing is recorded, no device is asked") {
    STATIC_REQUIRE(detail::is_direct<op::Gelu, OnCpu>());
    STATIC_REQUIRE(detail::is_direct<op::Linear, OnCpu>());
    STATIC_REQUIRE(detail::is_direct<op::LinearActivation, OnCpu>());
    STATIC_REQUIRE(detail::is_direct<Twice, OnCpu>());
    STATIC_REQUIRE_FALSE(detail::is_direct<op::Gelu, OnMps>());
    STATIC_REQUIRE_FALSE(detail::is_direct<Twice, OnMps>());
    STATIC_REQUIRE_FALSE(detail::is_direct<Twice, OnFirst>());  // another policy, though the same memory
    const FallbackScope scope;
    CHECK(differs(run<Twice, OnCpu>(random({5}, 1)), 2 * random({5}, 1), 0) == "");
    CHECK(scope.report().empty());
}

// ---- step 2: hop

TEST_CASE("An op without a kernel at home runs on the next device, and its result comes home") {
    if (!present<Mps>()) return;
    const Tensor x = there(random({3, 4}, 1));
    sim::reset();
    const FallbackScope scope;
    const Tensor y = run<Twice, OnMps>(x);
    const auto after = sim::counters();
    CHECK(y.device() == x.device());
    CHECK(differs(y, 2 * random({3, 4}, 1), 0) == "");
    REQUIRE(scope.report().size() == 1);
    const Fallback& line = scope.report()[0];
    CHECK(line.op == "twice");
    CHECK(line.from == "mps");
    CHECK(line.to == "cpu");
    CHECK(line.reason == FallbackReason::no_kernel);
    CHECK(line.count == 1);
    CHECK(line.bytes == 2 * 48);
    CHECK(line.ms > 0);
    CHECK(after.d2h_copies == 1);
    CHECK(after.h2d_copies == 1);
    CHECK(after.syncs == 2);         // home is waited for before its tensors are read, and after the result is there
    CHECK(after.unsynced_ops == 0);  // command buffers of two devices never interleave
}

TEST_CASE("A hop waits for the device it enters as well as for the one it leaves") {
    int before = First::synchronized;
    static_cast<void>(run<Twice, OnFirst>(random({3}, 1)));  // leaves First
    CHECK(First::synchronized == before + 2);
    before = First::synchronized;
    const FallbackScope scope;
    static_cast<void>(run<FirstOnly, Exec<Chain<Cpu, First>, Fp32>>(random({3}, 1)));  // enters First
    CHECK(First::synchronized == before + 2);
    CHECK(scope.report()[0].to == "first");
}

TEST_CASE("Every kind of result comes home: a tensor, a tuple, a struct, a list, an optional, a number") {
    if (!present<Mps>()) return;
    const Tensor x = random({4}, 1), more = random({4}, 2);
    const std::vector<Tensor> list{random({2}, 3), random({3}, 4)};
    const std::vector<Tensor> list_there{there(list[0]), there(list[1])};
    const std::optional<Tensor> none, more_there = there(more);
    const auto home = place<Mps>();
    const FallbackScope scope;

    const auto tuple = run<Gives<std::tuple<Tensor, Tensor>>, OnMps>(there(x), more_there, list_there);
    CHECK(std::get<0>(tuple).device() == home);
    CHECK(std::get<1>(tuple).device() == home);
    CHECK(differs(std::get<0>(tuple), x + more, 0) == "");

    const auto pair = run<Gives<Pair>, OnMps>(there(x), none, list_there);
    CHECK(pair.first.device() == home);
    CHECK(pair.second->device() == home);
    CHECK(pair.number == 7);
    CHECK(differs(pair.first, 2 * x, 0) == "");

    const auto vector = run<Gives<std::vector<Tensor>>, OnMps>(there(x), more_there, list_there);
    REQUIRE(vector.size() == 3);
    for (const auto& t : vector) CHECK(t.device() == home);
    CHECK(differs(vector[2], list[1] + 1, 0) == "");

    const auto there_is = run<Gives<std::optional<Tensor>>, OnMps>(there(x), more_there, list_there);
    REQUIRE(there_is);
    CHECK(there_is->device() == home);
    CHECK_FALSE(run<Gives<std::optional<Tensor>>, OnMps>(there(x), none, list_there));

    CHECK(run<Gives<double>, OnMps>(there(x), none, list_there) == Approx(x.sum().item<double>()));
    CHECK(run<Gives<bool>, OnMps>(there(x), none, list_there));
    CHECK(scope.report().size() == 1);  // they share a name
    CHECK(scope.report()[0].count == 7);
}

TEST_CASE("Arguments are moved as they are, contiguous or not, and stay as they were") {
    if (!present<Mps>()) return;
    const Tensor x = there(random({3, 4}, 1)).t();
    const FallbackScope scope;
    CHECK(differs(run<Twice, OnMps>(x), 2 * random({3, 4}, 1).t(), 0) == "");
    CHECK(x.is_mps());
    CHECK(x.sizes() == c10::IntArrayRef({4, 3}));
    CHECK(run<Twice, OnMps>(there(at::empty({0, 4}))).sizes() == c10::IntArrayRef({0, 4}));
}

// ---- step 3: decline

TEST_CASE("A kernel that declines passes the call on; one that accepts keeps it") {
    if (!present<Mps>()) return;
    const FallbackScope scope;
    CHECK(differs(run<Thrice, OnMps>(there(random({4}, 1))), 3 * random({4}, 1), 0) == "");
    CHECK(scope.report().empty());
    const Tensor y = run<Thrice, OnMps>(there(random({5}, 1)));
    CHECK(y.is_mps());
    CHECK(differs(y, 3 * random({5}, 1), 0) == "");
    REQUIRE(scope.report().size() == 1);
    CHECK(scope.report()[0].reason == FallbackReason::declined);
    CHECK(scope.report()[0].to == "cpu");
}

TEST_CASE("Where the last candidate declines, the error names the op, the device, the reason and a remedy") {
    if (!present<Mps>()) return;
    const FallbackScope scope;
    CHECK(differs(run<Thrice, OnlyMps>(there(random({4}, 1))), 3 * random({4}, 1), 0) == "");
    const auto text = device_error([] { static_cast<void>(run<Thrice, OnlyMps>(there(random({5}, 1)))); });
    CHECK(contains(text, "'thrice'"));
    CHECK(contains(text, "mps"));
    CHECK(contains(text, "declines"));
    CHECK(contains(text, "Chain<"));
    CHECK(scope.report().empty());
}

TEST_CASE("A chain of three: each candidate is asked in order") {
    if (!present<Mps>()) return;
    using Three = Exec<Chain<Mps, First, Cpu>, Fp32>;
    const FallbackScope scope;
    const Tensor y = run<Thrice, Three>(there(random({5}, 1)));  // MPS declines five, First declines all
    CHECK(differs(y, 3 * random({5}, 1), 0) == "");
    REQUIRE(scope.report().size() == 1);
    CHECK(scope.report()[0].from == "mps");
    CHECK(scope.report()[0].to == "cpu");
    STATIC_REQUIRE(std::is_same_v<candidates<Thrice, Three>, Chain<Mps, First, Cpu>>);
    STATIC_REQUIRE(std::is_same_v<candidates<Twice, Three>, Chain<Cpu>>);
}

// ---- step 4: recover

TEST_CASE("NotImplementedError: the next candidate runs the op, at once and without emptying caches") {
    if (!present<Mps>()) return;
    const sim::Settings settings;
    const Tensor x = there(random({5}, 1));
    sim::throw_in("aten::gelu", sim::Fault::NotImplemented);
    sim::reset();
    const FallbackScope scope;
    const Tensor y = run<Fails, OnMps>(x);
    CHECK(y.is_mps());
    CHECK(differs(y, at::gelu(random({5}, 1)), 1e-6) == "");
    REQUIRE(scope.report().size() == 1);
    CHECK(scope.report()[0].reason == FallbackReason::not_implemented);
    CHECK(sim::counters().empty_cache == 0);

    const auto text = device_error([&] { static_cast<void>(run<Fails, OnlyMps>(x)); });
    CHECK(contains(text, "'fails'"));
    CHECK(contains(text, "does not implement"));
}

TEST_CASE("Out of memory once: the cache is emptied, the second try stays at home, nothing is recorded") {
    if (!present<Mps>()) return;
    const sim::Settings settings;
    const Tensor x = there(random({5}, 1));
    const FallbackScope scope;
    SECTION("the op says so") { sim::throw_in("aten::gelu", sim::Fault::OutOfMemory, 0, 1); }
    SECTION("its result has no room") { sim::fail_allocation(1); }
    sim::reset();
    const Tensor y = run<Fails, OnMps>(x);
    CHECK(sim::counters().empty_cache == 1);
    CHECK(sim::counters().d2h_copies == 0);
    CHECK(differs(y, at::gelu(random({5}, 1)), 1e-6) == "");
    CHECK(scope.report().empty());
}

TEST_CASE("Out of memory twice: the next candidate runs the op") {
    if (!present<Mps>()) return;
    const sim::Settings settings;
    const Tensor x = there(random({5}, 1));
    sim::throw_in("aten::gelu", sim::Fault::OutOfMemory, 0, 2);
    sim::reset();
    const FallbackScope scope;
    CHECK(differs(run<Fails, OnMps>(x), at::gelu(random({5}, 1)), 1e-6) == "");
    CHECK(sim::counters().empty_cache == 1);  // one retry, not more
    REQUIRE(scope.report().size() == 1);
    CHECK(scope.report()[0].reason == FallbackReason::out_of_memory);
    CHECK(scope.report()[0].to == "cpu");

    sim::throw_in("aten::gelu", sim::Fault::OutOfMemory);
    const auto text = device_error([&] { static_cast<void>(run<Fails, OnlyMps>(x)); });
    CHECK(contains(text, "'fails'"));
    CHECK(contains(text, "out of memory"));
}

TEST_CASE("No room at home for a result that hopped is a DeviceError, and one failure there is retried") {
    if (!present<Mps>()) return;
    const sim::Settings settings;
    const Tensor x = there(random({5}, 1));
    const FallbackScope scope;
    sim::fail_allocation(1);
    CHECK(differs(run<Twice, OnMps>(x), 2 * random({5}, 1), 0) == "");
    sim::fail_allocation(1, 1000);
    CHECK(contains(device_error([&] { static_cast<void>(run<Twice, OnMps>(x)); }), "'twice'"));
    sim::fail_allocation(1, 1000);
    CHECK(contains(device_error([&] { static_cast<void>(run<Fails, OnMps>(x)); }), "'fails'"));
}

TEST_CASE("Other errors pass through: nothing recovers from a wrong argument") {
    if (!present<Mps>()) return;
    const sim::Settings settings;
    const Tensor x = there(random({5}, 1));
    sim::throw_in("aten::gelu", sim::Fault::Other);
    sim::reset();
    const FallbackScope scope;
    CHECK_THROWS_AS((run<Fails, OnMps>(x)), c10::Error);
    CHECK(sim::counters().empty_cache == 0);
    CHECK(sim::counters().d2h_copies == 0);
    CHECK(scope.report().empty());
}

TEST_CASE("Each candidate knows its own way to be out of memory") {
    const auto reset = [](int full, int missing) { throw_full = full, throw_missing = missing, calls_of_first = 0; };
    const Tensor x = random({5}, 1);
    const FallbackScope scope;
    const int emptied = First::emptied;
    reset(1, 0);
    static_cast<void>(run<Fails, OnFirst>(x));
    CHECK(calls_of_first == 2);
    CHECK(First::emptied == emptied + 1);
    CHECK(scope.report().empty());
    reset(2, 0);
    static_cast<void>(run<Fails, OnFirst>(x));
    CHECK(calls_of_first == 2);
    CHECK(scope.report().size() == 1);
    reset(0, 1);
    static_cast<void>(run<Fails, OnFirst>(x));
    CHECK(calls_of_first == 1);
    CHECK(scope.report().size() == 2);
    reset(0, 0);
}

TEST_CASE(
    "A host out of memory and an own kernel that cannot be made are tried once more, then the next candidate runs") {
    const Tensor x = random({5}, 1);
    for (auto* fault : {&throw_host_full, &throw_unavailable}) {
        const FallbackScope scope;
        throw_full = throw_missing = throw_host_full = throw_unavailable = calls_of_first = 0;
        *fault = 1;
        CHECK(differs(run<Fails, OnFirst>(x), at::gelu(x), 1e-6) == "");
        CHECK(calls_of_first == 2);
        CHECK(scope.report().empty());
        *fault = 2;
        CHECK(differs(run<Fails, OnFirst>(x), at::gelu(x), 1e-6) == "");
        CHECK(calls_of_first == 4);
        REQUIRE(scope.report().size() == 1);
        CHECK(scope.report()[0].reason ==
              (fault == &throw_host_full ? FallbackReason::out_of_memory : FallbackReason::unavailable));
    }
    throw_host_full = throw_unavailable = 0;
}

TEST_CASE("No room to pack for the next candidate is out of memory like any other") {
    using Home = Kernel<Scale, First>;
    using Next = Kernel<Scale, Cpu>;
    const Tensor w = random({6}, 1), x = random({6}, 2);
    const Prepared<Scale, OnFirst> weight(w, std::nullopt);
    Home::takes = false;
    Next::full = 1;
    const FallbackScope scope;
    CHECK(differs(run<Scale, OnFirst>(x, weight), x * w, 1e-6) == "");  // the second try has room
    const Prepared<Scale, OnFirst> other(w, std::nullopt);
    Next::full = 2;
    CHECK(contains(device_error([&] { static_cast<void>(run<Scale, OnFirst>(x, other)); }), "out of memory"));
    Next::full = 0;
    Home::takes = true;
}

TEST_CASE("While a graph is recorded nothing hops, waits or is tried again; parts of a fused op may run at home") {
    struct Recording {
        Recording() { recording = true; }
        ~Recording() { recording = false; }
    };
    const Tensor x = random({5}, 1);
    throw_full = 1, throw_missing = calls_of_first = 0;
    const int emptied = First::emptied;
    {
        const Recording now;
        CHECK(contains(device_error([&] { static_cast<void>(run<Fails, OnFirst>(x)); }), "cannot be recorded"));
        CHECK(calls_of_first == 1);
        CHECK(First::emptied == emptied);
    }
    if (!present<Mps>()) return;
    const Tensor there_x = there(x), there_r = there(random({5}, 2));
    sim::reset();
    const Recording now;
    CHECK(contains(device_error([&] { static_cast<void>(run<Twice, OnMps>(there_x)); }), "'twice' cannot be recorded"));
    static_cast<void>(run<GeluAddCpu, OnMps>(there_x, there_r));
    CHECK(sim::counters().syncs == 0);
    CHECK(sim::counters().d2h_copies == 0);
}

// ---- ops that write

TEST_CASE("What an op writes to is copied back after a hop, into the same memory") {
    if (!present<Mps>()) return;
    Tensor cache = there(at::zeros({3, 4}));
    const Tensor view = cache.select(0, 0);
    const Tensor x = random({4}, 1);
    const FallbackScope scope;
    const Tensor sum = run<AppendHop, OnMps>(InOut<Tensor>{cache}, there(x));
    CHECK(sum.is_mps());
    CHECK(cache.is_mps());
    CHECK(differs(view, x, 0) == "");  // a view of the cache sees the write
    CHECK(differs(cache.select(0, 1), at::zeros({4}), 0) == "");
    static_cast<void>(run<AppendHop, OnMps>(InOut<Tensor>{cache}, there(x)));
    CHECK(differs(view, x + x, 0) == "");
    REQUIRE(scope.report().size() == 1);
    CHECK(scope.report()[0].count == 2);
    CHECK(scope.report()[0].bytes == 2 * (48 + 16 + 4 + 48));
}

TEST_CASE("What an op writes to is written in place at home, and after a decline") {
    if (!present<Mps>()) return;
    const Tensor x = random({4}, 1);
    Tensor small = there(at::zeros({3, 4})), large = there(at::zeros({4, 4})), host = at::zeros({3, 4});
    const FallbackScope scope;
    static_cast<void>(run<AppendHome, OnMps>(InOut<Tensor>{small}, there(x)));
    CHECK(differs(small.select(0, 0), x, 0) == "");
    CHECK(scope.report().empty());
    static_cast<void>(run<AppendHome, OnMps>(InOut<Tensor>{large}, there(x)));
    CHECK(differs(large.select(0, 0), x, 0) == "");
    CHECK(scope.report().size() == 1);
    static_cast<void>(run<AppendHome, OnCpu>(InOut<Tensor>{host}, x));
    CHECK(differs(host.select(0, 0), x, 0) == "");
}

TEST_CASE("An op that writes never recovers: it might write twice") {
    if (!present<Mps>()) return;
    const sim::Settings settings;
    const Tensor x = random({4}, 1);
    Tensor cache = there(at::zeros({3, 4}));
    const FallbackScope scope;
    sim::throw_in("aten::gelu", sim::Fault::NotImplemented, 0, 1);
    CHECK_THROWS_AS((run<AppendHome, OnMps>(InOut<Tensor>{cache}, there(x))), c10::NotImplementedError);
    CHECK(differs(cache.select(0, 0), x, 0) == "");
    sim::throw_in("aten::gelu", sim::Fault::OutOfMemory, 0, 1);
    CHECK_THROWS_AS((run<AppendHome, OnMps>(InOut<Tensor>{cache}, there(x))), c10::Error);
    CHECK(differs(cache.select(0, 0), x + x, 0) == "");
    CHECK(scope.report().empty());
}

// ---- fused ops

TEST_CASE("A fused op without a kernel at home runs its parts at home and never hops") {
    if (!present<Mps>()) return;
    const Tensor x = random({5}, 1), r = random({5}, 2);
    sim::reset();
    const Tensor x_there = there(x), r_there = there(r);
    const auto copies = sim::counters().d2h_copies;
    const sim::Recorder recorder;
    const FallbackScope scope;
    const Tensor y = run<GeluAddCpu, OnMps>(x_there, r_there);
    CHECK(differs(y, at::gelu(x) + r, 1e-6) == "");
    CHECK(scope.report().empty());
    CHECK(sim::counters().d2h_copies == copies + 1);  // that of differs()
    CHECK(recorder.saw("aten::gelu"));
    CHECK(differs(run<GeluAddCpu, OnCpu>(x, r), at::gelu(x) + r, 1e-6) == "");
    STATIC_REQUIRE(placed<GeluAddCpu, OnMps>().device == "parts");
    STATIC_REQUIRE(placed<GeluAddCpu, OnMps>().native);
    STATIC_REQUIRE(placed<GeluAddCpu, OnCpu>().device == "cpu");
}

TEST_CASE("A fused kernel at home that declines or fails leaves the work to the parts, and that is recorded") {
    if (!present<Mps>()) return;
    const sim::Settings settings;
    const Tensor x = random({5}, 1), r = random({5}, 2);
    const FallbackScope scope;
    CHECK(differs(run<GeluAdd, OnMps>(there(x), there(r)), at::gelu(x) + r, 1e-6) == "");  // declines five
    REQUIRE(scope.report().size() == 1);
    CHECK(scope.report()[0].to == "parts");
    CHECK(scope.report()[0].reason == FallbackReason::declined);
    CHECK(scope.report()[0].bytes == 0);
    const Tensor small = x.slice(0, 0, 4), r_small = r.slice(0, 0, 4);
    CHECK(differs(run<GeluAdd, OnMps>(there(small), there(r_small)), at::gelu(small) + r_small, 1e-6) == "");
    CHECK(scope.report().size() == 1);
    sim::throw_in("aten::erf", sim::Fault::NotImplemented);
    CHECK(differs(run<GeluAdd, OnMps>(there(small), there(r_small)), at::gelu(small) + r_small, 1e-6) == "");
    REQUIRE(scope.report().size() == 2);
    CHECK(scope.report()[1].reason == FallbackReason::not_implemented);
    sim::throw_in("aten::gelu", sim::Fault::NotImplemented);  // now a part has to hop
    CHECK(differs(run<GeluAdd, OnMps>(there(small), there(r_small)), at::gelu(small) + r_small, 1e-6) == "");
    REQUIRE(scope.report().size() == 3);
    CHECK(scope.report()[2].op == "gelu");
    CHECK(scope.report()[2].to == "cpu");
}

TEST_CASE("Fused linear ops use the weights that Linear packed, on a device with and without the fused kernels") {
    if (!present<Mps>()) return;
    STATIC_REQUIRE(placed<op::LinearActivation, OnCpu>().device == "cpu");
    STATIC_REQUIRE(placed<op::LinearActivation, OnMps>().device == "mps");
    STATIC_REQUIRE(placed<op::LinearAdd, OnMps>().native);
    const Tensor w = random({4, 5}, 1), x = random({3, 5}, 2), r = random({3, 4}, 3);
    const Prepared<op::Linear, OnMps> weight(there(w), std::nullopt);
    const FallbackScope scope;
    CHECK(differs(run<op::LinearAdd, OnMps>(there(x), weight, there(r)), x.matmul(w.t()) + r, 1e-5) == "");
    CHECK(scope.report().empty());
}

// ---- weights

TEST_CASE("Weights are packed once; for the next candidate once more, when it is first needed") {
    using Home = Kernel<Scale, First>;
    using Next = Kernel<Scale, Cpu>;
    const int first = Home::packs, next = Next::packs, unpacks = Home::unpacks;
    const Tensor w = random({6}, 1), x = random({6}, 2);
    const Prepared<Scale, OnFirst> weight(w, std::nullopt);
    CHECK(Home::packs == first + 1);
    const FallbackScope scope;
    CHECK(differs(run<Scale, OnFirst>(x, weight), x * w, 1e-6) == "");
    CHECK(Next::packs == next);
    Home::takes = false;
    for (int i = 0; i < 3; ++i) CHECK(differs(run<Scale, OnFirst>(x, weight), x * w, 1e-6) == "");
    Home::takes = true;
    CHECK(Home::packs == first + 1);
    CHECK(Home::unpacks == unpacks + 1);
    CHECK(Next::packs == next + 1);
    CHECK(scope.report()[0].count == 3);
    CHECK(differs(weight.unpack().weight, w, 1e-6) == "");
}

TEST_CASE("Weights of a declining device are unpacked, moved and packed where the call goes") {
    if (!present<Mps>()) return;
    using Next = Kernel<Scale, Cpu>;
    const int next = Next::packs;
    const Tensor w = random({6}, 1), x = random({6}, 2);
    const Prepared<Scale, OnMps> weight(there(w), std::nullopt);
    const FallbackScope scope;
    for (int i = 0; i < 3; ++i) {
        const Tensor y = run<Scale, OnMps>(there(x), weight);
        CHECK(y.is_mps());
        CHECK(differs(y, x * w, 1e-6) == "");
    }
    CHECK(Next::packs == next + 1);
    CHECK(scope.report()[0].count == 3);
    CHECK(scope.report()[0].bytes == 3 * 48);  // the weights moved once, and are no part of the calls
    CHECK(differs(run<Scale, OnMps>(there(x.slice(0, 0, 1)), weight), x.slice(0, 0, 1) * w, 1e-6) == "");
}

TEST_CASE("Several threads that fall back at once pack for the next candidate once between them") {
    using Home = Kernel<Scale, First>;
    using Next = Kernel<Scale, Cpu>;
    Home::takes = false;
    Home::slow = true;
    for (int round = 0; round < 5; ++round) {
        const int next = Next::packs;
        const Tensor w = random({64}, 1), x = random({64}, 2), want = x * w;
        const Prepared<Scale, OnFirst> weight(w, std::nullopt);
        std::atomic<int> ready = 0, wrong = 0;
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                const FallbackScope scope;
                ++ready;
                while (ready < 4) std::this_thread::yield();
                for (int k = 0; k < 5; ++k) wrong += !run<Scale, OnFirst>(x, weight).allclose(want);
                wrong += scope.report().size() != 1 || scope.report()[0].count != 5;
            });
        }
        for (auto& thread : threads) thread.join();
        CHECK(wrong == 0);
        CHECK(Next::packs == next + 1);
    }
    Home::takes = true;
    Home::slow = false;
}

// ---- the report

TEST_CASE("Scopes nest: each sees what happens inside it; calls of one kind share a line") {
    if (!present<Mps>()) return;
    const Tensor five = there(random({5}, 1));
    const FallbackScope outer;
    static_cast<void>(run<Twice, OnMps>(five));
    {
        const FallbackScope inner;
        static_cast<void>(run<Twice, OnMps>(five));
        static_cast<void>(run<Thrice, OnMps>(five));
        static_cast<void>(run<Twice, OnMps>(five));
        REQUIRE(inner.report().size() == 2);
        CHECK(inner.report()[0].op == "twice");
        CHECK(inner.report()[0].count == 2);
        CHECK(inner.report()[0].bytes == 2 * 40);
        CHECK(inner.report()[1].op == "thrice");
    }
    static_cast<void>(run<Twice, OnMps>(five));
    REQUIRE(outer.report().size() == 2);
    CHECK(outer.report()[0].count == 4);
    CHECK(outer.report()[1].count == 1);
}

TEST_CASE("A scope sees its own thread and no other") {
    const FallbackScope scope;
    std::thread([] {
        const FallbackScope inside;
        static_cast<void>(run<Twice, OnFirst>(random({5}, 1)));
        CHECK(inside.report().size() == 1);
    }).join();
    CHECK(scope.report().empty());
}

TEST_CASE("Outside of any scope a fallback is announced once per op, unless that is turned off") {
    const auto hop = [] {
        static_cast<void>(run<Gives<bool>, OnFirst>(random({5}, 1), std::optional<Tensor>(), std::vector<Tensor>()));
    };
    announce_fallbacks = false;
    CHECK(stderr_of(hop).empty());
    announce_fallbacks = true;
    CHECK(stderr_of([&] {
              const FallbackScope scope;
              hop();
          }).empty());
    const auto text = stderr_of(hop);
    CHECK(contains(text, "gives runs on cpu instead of first"));
    CHECK(contains(text, describe(FallbackReason::no_kernel)));
    CHECK(stderr_of(hop).empty());
}

TEST_CASE("Nothing waits for a device while everything stays at home") {
    if (!present<Mps>()) return;
    const Tensor x = there(random({4}, 1));
    sim::reset();
    static_cast<void>(run<op::Gelu, OnMps>(x));
    static_cast<void>(run<Thrice, OnMps>(x));
    CHECK(sim::counters().syncs == 0);
    CHECK(sim::counters().implicit_syncs == 0);
    CHECK(sim::counters().unsynced_ops >= 2);
}
