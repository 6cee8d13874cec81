// What is known when the program is compiled: who has a kernel, where each op runs, what satisfies a concept.
#include "silica/placement.hpp"

#include "silica/arch/bert.hpp"
#include "silica/device/cuda.hpp"
#include "silica/device/mps.hpp"
#include "silica/loader/cpu_first.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/in_memory.hpp"
#include "silica/loader/mapped.hpp"
#include "silica/loader/streamed.hpp"
#include "silica/model.hpp"
#include "silica/op/conv_add.hpp"
#include "support/catch.hpp"

namespace silica::test {

using precision::Bf16, precision::Fp16, precision::Fp32;

/// float64: a precision of the tests' own, which MPS does not run.
struct Fp64 {
    static constexpr std::string_view name = "float64";
    static constexpr c10::ScalarType storage = c10::ScalarType::Double, compute = c10::ScalarType::Double,
                                     reduce = c10::ScalarType::Double;
    static constexpr bool quantised = false;
    using plain = Fp64;
};
static_assert(PrecisionPolicy<Fp64>);

struct ReducesFp64 : Fp32 {
    static constexpr c10::ScalarType reduce = c10::ScalarType::Double;
};
struct StoresFp64 : Fp32 {
    static constexpr c10::ScalarType storage = c10::ScalarType::Double;
};

/// A quantised precision that no shipped kernel knows.
struct Int3 {
    static constexpr std::string_view name = "int3";
    static constexpr c10::ScalarType storage = c10::ScalarType::Byte, compute = c10::ScalarType::Float,
                                     reduce = c10::ScalarType::Float;
    static constexpr bool quantised = true;
    using plain = Fp32;
};
static_assert(PrecisionPolicy<Int3>);

struct NoCompute {
    static constexpr std::string_view name = "no compute";
    static constexpr c10::ScalarType storage = c10::ScalarType::Float, reduce = c10::ScalarType::Float;
    static constexpr bool quantised = false;
    using plain = Fp32;
};

/// Its rest would be in other numbers than its products.
struct MixedNumbers {
    static constexpr std::string_view name = "mixed";
    static constexpr c10::ScalarType storage = c10::ScalarType::Byte, compute = c10::ScalarType::Float,
                                     reduce = c10::ScalarType::Float;
    static constexpr bool quantised = true;
    using plain = Bf16;
};
static_assert(!PrecisionPolicy<MixedNumbers>);

/// Has its own kernel for one op in one precision, and everything else from its chain.
struct Bare {
    static constexpr std::string_view name = "bare";
    static constexpr c10::DeviceType type = c10::DeviceType::CPU;
    using chain = Chain<Bare, device::Cpu>;
    using default_precision = Fp32;
    static Availability available() { return {true}; }
    static void synchronize(c10::DeviceIndex = -1) {}
    static void empty_cache() {}
    static DeviceMemory memory(c10::DeviceIndex = -1) { return {}; }
    static bool is_out_of_memory(const c10::Error&) { return false; }
    static NoLock lock() { return {}; }
};
static_assert(DevicePolicy<Bare>);

struct NoChain {
    static constexpr std::string_view name = "no chain";
    static constexpr c10::DeviceType type = c10::DeviceType::CPU;
    using default_precision = Fp32;
    static Availability available() { return {true}; }
    static void synchronize(c10::DeviceIndex = -1) {}
    static void empty_cache() {}
    static DeviceMemory memory(c10::DeviceIndex = -1) { return {}; }
    static bool is_out_of_memory(const c10::Error&) { return false; }
    static NoLock lock() { return {}; }
};

struct BoolAvailable : Bare {
    static bool available() { return true; }
};

/// Ops of the tests' own.
struct Nowhere {
    static constexpr std::string_view name = "nowhere";
    using signature = Tensor(const Tensor& x);
};
struct Unnamed {
    using signature = Tensor(const Tensor& x);
};
struct Unsigned {
    static constexpr std::string_view name = "unsigned";
};
struct NotAFunction {
    static constexpr std::string_view name = "not a function";
    using signature = Tensor;
};
struct BareOnly {
    static constexpr std::string_view name = "bare_only";
    using signature = Tensor(const Tensor& x);
};
struct BareHalf {
    static constexpr std::string_view name = "bare_half";
    using signature = Tensor(const Tensor& x);
};
struct Writes {
    static constexpr std::string_view name = "writes";
    using signature = void(InOut<Tensor> to, const Tensor& x);
};

/// An architecture whose network calls what a test wants.
struct Config {
    std::int64_t size = 1;
};
struct Inputs {
    Tensor x;
};
template <class... Used>
struct Calls {
    static constexpr std::string_view family = "calls", name = "Calls";
    using Config = test::Config;
    using Inputs = test::Inputs;
    using Outputs = test::Inputs;
    static void check(const Config&, const std::string&) {}
    static Inputs prepare(const Config&, Inputs in) { return in; }
    static checkpoint::NameRules names() { return {}; }
    template <class E>
    struct Network {
        using Ops = OpList<Used...>;
    };
};
struct NotReflected {
    std::int64_t size = 1;
};
struct PlainConfig : Calls<> {
    using Config = NotReflected;
};
struct NoRules : Calls<> {
    static int names() { return 0; }
};

struct GoodLoader {
    static constexpr std::string_view name = "good";
    template <class Build>
    static auto load(const checkpoint::Checkpoint&, Build&& build) {
        loader::Random source;
        return build(source);
    }
};
struct NoLoad {
    static constexpr std::string_view name = "no load";
};
struct VoidLoad {
    static constexpr std::string_view name = "void load";
    template <class Build>
    static void load(const checkpoint::Checkpoint&, Build&&) {}
};

}  // namespace silica::test

BOOST_HANA_ADAPT_STRUCT(silica::test::Config, size);
BOOST_HANA_ADAPT_STRUCT(silica::test::Inputs, x);

namespace silica {

template <>
struct Kernel<test::BareOnly, test::Bare> {
    static Tensor run(const Tensor& x) { return x; }
};
template <>
struct Kernel<test::BareHalf, test::Bare, precision::Fp16> {
    static bool accepts(const Tensor&) { return true; }
    static Tensor run(const Tensor& x) { return x; }
};
template <>
struct Kernel<test::BareHalf, device::Cpu> {
    static Tensor run(const Tensor& x) { return x; }
};

}  // namespace silica

using namespace silica;
using namespace silica::test;
using device::Cpu, device::Cuda, device::Mps;

TEST_CASE("A device policy has a name, a type, a chain, a default precision and functions of the right types") {
    STATIC_REQUIRE(DevicePolicy<Cpu>);
    STATIC_REQUIRE(DevicePolicy<Mps>);
    STATIC_REQUIRE(DevicePolicy<Cuda>);
    STATIC_REQUIRE(DevicePolicy<Bare>);
    STATIC_REQUIRE_FALSE(DevicePolicy<NoChain>);
    STATIC_REQUIRE_FALSE(DevicePolicy<BoolAvailable>);
    STATIC_REQUIRE_FALSE(DevicePolicy<Fp32>);
    STATIC_REQUIRE_FALSE(DevicePolicy<Chain<Cpu>>);
    STATIC_REQUIRE_FALSE(DevicePolicy<int>);
}

TEST_CASE("A precision policy has a name and three scalar types, and says whether it is quantised") {
    STATIC_REQUIRE(PrecisionPolicy<Fp32>);
    STATIC_REQUIRE(PrecisionPolicy<Fp16>);
    STATIC_REQUIRE(PrecisionPolicy<Bf16>);
    STATIC_REQUIRE_FALSE(PrecisionPolicy<NoCompute>);
    STATIC_REQUIRE_FALSE(PrecisionPolicy<Cpu>);
    STATIC_REQUIRE_FALSE(PrecisionPolicy<AnyPrecision>);
    STATIC_REQUIRE_FALSE(PrecisionPolicy<float>);
    STATIC_REQUIRE(Fp16::reduce == c10::ScalarType::Float);  // norms and softmax accumulate in float32
    STATIC_REQUIRE(Bf16::reduce == c10::ScalarType::Float);
}

TEST_CASE("An op tag has a name and the type of a function as its signature") {
    STATIC_REQUIRE(OpTag<op::Gelu>);
    STATIC_REQUIRE(OpTag<op::Linear>);
    STATIC_REQUIRE(OpTag<Nowhere>);
    STATIC_REQUIRE(OpTag<Writes>);
    STATIC_REQUIRE_FALSE(OpTag<Unnamed>);
    STATIC_REQUIRE_FALSE(OpTag<Unsigned>);
    STATIC_REQUIRE_FALSE(OpTag<NotAFunction>);
    STATIC_REQUIRE(weighted<op::Linear>);
    STATIC_REQUIRE(weighted<op::LinearAdd>);
    STATIC_REQUIRE_FALSE(weighted<op::LayerNorm>);
    STATIC_REQUIRE(detail::signature<Writes::signature>::writes);
    STATIC_REQUIRE_FALSE(detail::signature<op::Gelu::signature>::writes);
    STATIC_REQUIRE(detail::is_fused<op::LinearAdd>);
    STATIC_REQUIRE_FALSE(detail::is_fused<op::Linear>);
}

TEST_CASE("A loader has a name and a load that returns what it built") {
    STATIC_REQUIRE(LoaderPolicy<loader::Mapped>);
    STATIC_REQUIRE(LoaderPolicy<loader::CpuFirst>);
    STATIC_REQUIRE(LoaderPolicy<loader::Streamed>);
    STATIC_REQUIRE(LoaderPolicy<loader::FirstOf<loader::Mapped>>);
    STATIC_REQUIRE(LoaderPolicy<loader::FirstOf<loader::Mapped, loader::Streamed, loader::CpuFirst>>);
    STATIC_REQUIRE(LoaderPolicy<GoodLoader>);
    STATIC_REQUIRE_FALSE(LoaderPolicy<NoLoad>);
    STATIC_REQUIRE_FALSE(LoaderPolicy<VoidLoad>);
    STATIC_REQUIRE_FALSE(LoaderPolicy<Cpu>);
    STATIC_REQUIRE_FALSE(LoaderPolicy<loader::InMemory>);  // a source itself: Model::from takes it
}

TEST_CASE("An architecture has reflected Config, Inputs and Outputs, checks and name rules") {
    STATIC_REQUIRE(Architecture<arch::Bert>);
    STATIC_REQUIRE(Architecture<arch::BertForMaskedLM>);
    STATIC_REQUIRE(Architecture<arch::BertForSequenceClassification>);
    STATIC_REQUIRE(Architecture<Calls<>>);
    STATIC_REQUIRE_FALSE(Architecture<PlainConfig>);
    STATIC_REQUIRE_FALSE(Architecture<NoRules>);
    STATIC_REQUIRE_FALSE(Architecture<arch::BertFamily>);
    STATIC_REQUIRE_FALSE(Architecture<Cpu>);
}

TEST_CASE("No precision in float64 runs on MPS, in whichever of the three places it stands") {
    STATIC_REQUIRE(runs_on<Fp32, Mps>);
    STATIC_REQUIRE(runs_on<Fp16, Mps>);
    STATIC_REQUIRE(runs_on<Bf16, Mps>);
    STATIC_REQUIRE_FALSE(runs_on<Fp64, Mps>);
    STATIC_REQUIRE(runs_on<Fp64, Cpu>);
    STATIC_REQUIRE_FALSE(runs_on<ReducesFp64, Mps>);
    STATIC_REQUIRE_FALSE(runs_on<StoresFp64, Mps>);
}

TEST_CASE("Lists of ops unite in order of first appearance") {
    STATIC_REQUIRE(std::is_same_v<union_of<>, OpList<>>);
    STATIC_REQUIRE(std::is_same_v<union_of<OpList<>, OpList<>>, OpList<>>);
    STATIC_REQUIRE(std::is_same_v<union_of<OpList<op::Gelu>>, OpList<op::Gelu>>);
    STATIC_REQUIRE(std::is_same_v<union_of<OpList<op::Gelu, op::Linear>, OpList<op::Linear, Nowhere>, OpList<op::Gelu>>,
                                  OpList<op::Gelu, op::Linear, Nowhere>>);
    STATIC_REQUIRE(std::is_same_v<union_of<OpList<op::Gelu, op::Gelu>, OpList<op::Gelu>>, OpList<op::Gelu>>);
    STATIC_REQUIRE(union_of<OpList<op::Gelu>, OpList<Nowhere>>::size == 2);
}

TEST_CASE("Exec knows its chain, its home and its precision; `with` changes the precision alone") {
    STATIC_REQUIRE(std::is_same_v<Exec<Mps>::precision, Fp16>);
    STATIC_REQUIRE(std::is_same_v<Exec<Cpu>::precision, Fp32>);
    STATIC_REQUIRE(std::is_same_v<Exec<Cuda>::precision, Bf16>);
    STATIC_REQUIRE(std::is_same_v<Exec<Chain<Mps>>::precision, Fp16>);
    STATIC_REQUIRE(std::is_same_v<Exec<Mps>::chain, Chain<Mps, Cpu>>);
    STATIC_REQUIRE(std::is_same_v<Exec<Chain<Mps>>::chain, Chain<Mps>>);
    STATIC_REQUIRE(std::is_same_v<Exec<Chain<Cuda, Mps, Cpu>>::home, Cuda>);
    STATIC_REQUIRE(std::is_same_v<Exec<Mps>::with<Fp32>, Exec<Mps, Fp32>>);
    STATIC_REQUIRE(std::is_same_v<Exec<Chain<Mps>>::with<Fp32>::chain, Chain<Mps>>);
    STATIC_REQUIRE(std::is_same_v<precision::Default<Chain<Mps, Cpu>>, Fp16>);
}

TEST_CASE("A kernel exists where it is specialised, for one precision or for all that are not quantised") {
    STATIC_REQUIRE(has_kernel<op::Gelu, Cpu, Fp32>);
    STATIC_REQUIRE(has_kernel<op::Gelu, Mps, Bf16>);
    STATIC_REQUIRE(has_kernel<op::Linear, Cuda, Fp16>);
    STATIC_REQUIRE_FALSE(has_kernel<Nowhere, Cpu, Fp32>);
    STATIC_REQUIRE_FALSE(has_kernel<op::ConvAdd, Mps, Fp16>);
    STATIC_REQUIRE(has_kernel<BareHalf, Bare, Fp16>);
    STATIC_REQUIRE_FALSE(has_kernel<BareHalf, Bare, Fp32>);
    STATIC_REQUIRE(has_kernel<op::Gelu, Cpu, Int3>);  // no weights: the precision of the weights does not matter
    STATIC_REQUIRE_FALSE(has_kernel<op::Linear, Cpu, Int3>);  // or an int3 model would silently run plain weights
    STATIC_REQUIRE_FALSE(has_kernel<op::LinearAdd, Cpu, Int3>);
    STATIC_REQUIRE(has_kernel<op::Embedding, Mps, Int3>);
}

TEST_CASE("Candidates are the devices of the chain that have a kernel, in its order") {
    STATIC_REQUIRE(std::is_same_v<candidates<op::Gelu, Exec<Mps>>, Chain<Mps, Cpu>>);
    STATIC_REQUIRE(std::is_same_v<candidates<op::Gelu, Exec<Chain<Mps>>>, Chain<Mps>>);
    STATIC_REQUIRE(std::is_same_v<candidates<op::Gelu, Exec<Bare>>, Chain<Cpu>>);
    STATIC_REQUIRE(std::is_same_v<candidates<BareOnly, Exec<Bare>>, Chain<Bare>>);
    STATIC_REQUIRE(std::is_same_v<candidates<BareOnly, Exec<Cpu>>, Chain<>>);
    STATIC_REQUIRE(std::is_same_v<candidates<Nowhere, Exec<Mps>>, Chain<>>);
    STATIC_REQUIRE(std::is_same_v<candidates<BareHalf, Exec<Bare, Fp16>>, Chain<Bare, Cpu>>);
    STATIC_REQUIRE(std::is_same_v<candidates<BareHalf, Exec<Bare, Fp32>>, Chain<Cpu>>);
    STATIC_REQUIRE(std::is_same_v<candidates<op::Gelu, Exec<Chain<Cuda, Bare, Mps, Cpu>>>, Chain<Cuda, Mps, Cpu>>);
    STATIC_REQUIRE(std::is_same_v<candidates<op::Linear, Exec<Cpu, Int3>>, Chain<>>);
}

TEST_CASE("placed says where one op runs, and whether that may change with its arguments") {
    constexpr auto home = placed<op::Gelu, Exec<Mps>>();
    STATIC_REQUIRE(home.op == "gelu");
    STATIC_REQUIRE(home.device == "mps");
    STATIC_REQUIRE(home.native);
    STATIC_REQUIRE_FALSE(home.may_decline);
    STATIC_REQUIRE(placed<op::Attention, Exec<Mps>>().may_decline);
    STATIC_REQUIRE_FALSE(placed<op::Attention, Exec<Cpu>>().may_decline);
    constexpr auto hops = placed<op::Gelu, Exec<Bare>>();
    STATIC_REQUIRE(hops.device == "cpu");
    STATIC_REQUIRE_FALSE(hops.native);
    constexpr auto none = placed<Nowhere, Exec<Mps>>();
    STATIC_REQUIRE(none.device.empty());
    STATIC_REQUIRE_FALSE(none.native);
    STATIC_REQUIRE(placed<op::LinearAdd, Exec<Cpu>>().device == "cpu");
    STATIC_REQUIRE(placed<op::LinearAdd, Exec<Mps>>().device == "mps");
    STATIC_REQUIRE(placed<op::LinearAdd, Exec<Mps>>().native);
}

TEST_CASE("placement lists each op of a network once, with the parts of its fused ops") {
    constexpr auto& table = placement<Calls<op::LinearActivation, op::Gelu, op::LinearAdd>, Exec<Mps>>;
    STATIC_REQUIRE(table.size() == 5);
    STATIC_REQUIRE(table[0].op == "linear_activation");
    STATIC_REQUIRE(table[1].op == "linear");
    STATIC_REQUIRE(table[2].op == "gelu");
    STATIC_REQUIRE(table[3].op == "activate");
    STATIC_REQUIRE(table[4].op == "linear_add");
    STATIC_REQUIRE(placement<Calls<>, Exec<Cpu>>.empty());
}

TEST_CASE("native: no op of the network leaves home") {
    STATIC_REQUIRE(native<Calls<op::Gelu, op::LinearAdd>, Exec<Mps>>);
    STATIC_REQUIRE(native<Calls<op::Gelu>, Exec<Chain<Mps>>>);
    STATIC_REQUIRE(native<Calls<>, Exec<Bare>>);
    STATIC_REQUIRE_FALSE(native<Calls<op::Gelu>, Exec<Bare>>);
    STATIC_REQUIRE_FALSE(native<Calls<op::Gelu, Nowhere>, Exec<Mps>>);
    STATIC_REQUIRE(native<Calls<BareOnly>, Exec<Bare>>);
    STATIC_REQUIRE_FALSE(native<Calls<op::LinearAdd>, Exec<Bare>>);  // its part, linear, hops
}

TEST_CASE("BERT stays at home on every device: no op of any head hops") {
    STATIC_REQUIRE(native<arch::Bert, Exec<Cpu>>);
    STATIC_REQUIRE(native<arch::Bert, Exec<Mps>>);
    STATIC_REQUIRE(native<arch::Bert, Exec<Chain<Mps>>>);
    STATIC_REQUIRE(native<arch::Bert, Exec<Cuda>>);
    STATIC_REQUIRE(native<arch::BertForMaskedLM, Exec<Mps>>);
    STATIC_REQUIRE(native<arch::BertForSequenceClassification, Exec<Chain<Cuda>>>);
    STATIC_REQUIRE_FALSE(native<arch::Bert, Exec<Bare>>);
    for (const auto& p : placement<arch::Bert, Exec<Mps>>) {
        CAPTURE(std::string(p.op));
        CHECK((p.device == "mps" || p.device == "parts"));
    }
}
