// The simulated MPS device: it must refuse what a Mac refuses, in the same words, and compute what the CPU computes.
#include "support/sim_mps.hpp"

#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/detail/MPSHooksInterface.h>
#include <ATen/mps/MPSAllocatorInterface.h>
#include <torch/version.h>

#include <thread>
#include <typeinfo>

#include "silica/device/simulated.hpp"
#include "support/catch.hpp"

namespace sim = silica::test::sim_mps;
using at::Tensor;

namespace {

const c10::Device mps{c10::DeviceType::MPS, 0};
const at::TensorOptions on_mps = at::TensorOptions().device(mps);

/// The words of the exception that `f` must throw.
template <class Exception, class F>
std::string thrown(F f) {
    try {
        f();
    } catch (const c10::Error& e) {
        INFO(e.what_without_backtrace());
        CHECK(typeid(e) == typeid(Exception));
        return e.what_without_backtrace();
    }
    return "nothing was thrown";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// `f` gives on the device what it gives on the host.
template <class F>
bool same(F f, at::ArrayRef<Tensor> inputs) {
    const std::vector<Tensor> host(inputs.begin(), inputs.end());
    std::vector<Tensor> device;
    for (const Tensor& t : inputs) device.push_back(t.defined() ? t.to(mps) : t);
    const Tensor want = f(host), got = f(device);
    return got.is_mps() && got.scalar_type() == want.scalar_type() && at::allclose(got.cpu(), want, 1e-5, 1e-6, true);
}

}  // namespace

TEST_CASE("The simulation is installed and says that it is one") {
    REQUIRE(sim::installed());
    CHECK(silica::device::is_simulated(c10::DeviceType::MPS));
    CHECK_FALSE(silica::device::is_simulated(c10::DeviceType::CPU));
    CHECK(std::string(silica::device::simulated(c10::DeviceType::MPS)) == sim::description);
    CHECK(contains(sim::description, "simulated"));
    CHECK(at::hasMPS());
    CHECK(at::detail::getMPSHooks().isAvailable());
    CHECK(at::getAccelerator().value() == c10::DeviceType::MPS);
    CHECK(sim::op_list().size() > 800);
    CHECK(contains(TORCH_VERSION, sim::op_list_version()));
}

TEST_CASE("The macOS version is what a test sets, until the end of its scope") {
    const auto& hooks = at::detail::getMPSHooks();
    CHECK(hooks.isOnMacOSorNewer(15, 2));
    CHECK_FALSE(hooks.isOnMacOSorNewer(26, 0));
    {
        const sim::Settings settings;
        sim::set_macos(14);
        CHECK(hooks.isOnMacOSorNewer(14, 0));
        CHECK_FALSE(hooks.isOnMacOSorNewer(14, 4));
        sim::set_macos(26, 1);
        CHECK(hooks.isOnMacOSorNewer(26, 0));
    }
    CHECK(sim::macos() == std::pair{15U, 2U});
}

TEST_CASE("Tensors go to the device and back unchanged, and the bytes are counted") {
    const Tensor x = at::randn({4, 5});
    sim::reset();
    const Tensor y = x.to(mps);
    CHECK(y.is_mps());
    CHECK(sim::counters().h2d_bytes == 80);
    CHECK(at::equal(y.cpu(), x));
    CHECK(sim::counters().d2h_bytes == 80);
    CHECK(sim::counters().implicit_syncs == 2);
    CHECK(at::equal(x.t().to(mps).cpu(), x.t()));
    CHECK(at::equal(x.to(mps, at::kHalf).cpu(), x.to(at::kHalf)));
    CHECK(at::equal(x.to(at::kDouble).to(mps, at::kFloat).cpu(), x));
    CHECK(y[0][0].item<float>() == x[0][0].item<float>());
    Tensor z = at::empty({4, 5}, on_mps);
    z.copy_(x.slice(0, 0, 1));
    CHECK(at::equal(z.cpu(), x.slice(0, 0, 1).expand({4, 5})));
}

TEST_CASE("Views share the memory of what they view") {
    const Tensor x = at::arange(24, on_mps).view({2, 3, 4});
    x.transpose(1, 2).select(0, 1).slice(0, 1, 3).fill_(7);
    CHECK(x.cpu().sum().item<int64_t>() == 12 * 11 / 2 + (12 + 15 + 16 + 19 + 20 + 23) + 6 * 7);
    CHECK(x.unsqueeze(0).expand({3, 2, 3, 4}).contiguous().is_mps());
    CHECK(x.permute({2, 0, 1}).reshape({-1}).size(0) == 24);
    Tensor out = at::empty({0}, on_mps);
    at::add_out(out, x, x);
    CHECK(at::equal(out.cpu(), x.cpu() * 2));
    const Tensor bits = at::ones({2}, on_mps).view(at::kInt);
    CHECK(bits.scalar_type() == at::kInt);
}

TEST_CASE("float64 is refused with LibTorch's TypeErrors") {
    const std::string factory =
        "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support "
        "float64. Please use float32 instead.";
    CHECK(thrown<c10::TypeError>([] { return at::empty({2}, on_mps.dtype(at::kDouble)); }) == factory);
    CHECK(thrown<c10::TypeError>([] { return at::zeros({2}, at::kDouble).to(mps); }) == factory);
    CHECK(thrown<c10::TypeError>([] { return at::ones({2}, on_mps).to(at::kDouble); }) == factory);
    CHECK(thrown<c10::TypeError>([] { return at::ones({2}, on_mps).sum(at::kDouble); }) == factory);
    CHECK(thrown<c10::TypeError>([] { return at::ones({2}, on_mps).to(c10::Device("cpu"), at::kDouble); }) ==
          "Cannot convert a float64 Tensor to MPS as the MPS framework doesn't support float64. Please use float32 "
          "instead.");
    CHECK(thrown<c10::TypeError>([] { return at::zeros({2}, at::kComplexDouble).to(mps); }) ==
          "Trying to convert ComplexDouble to the MPS backend but it does not have support for that dtype.");
    CHECK(thrown<c10::TypeError>([] { return at::zeros({2}).to(at::kFloat8_e4m3fn).to(mps); }) ==
          "Trying to convert Float8_e4m3fn to the MPS backend but it does not have support for that dtype.");
}

TEST_CASE("Ranks above 16 are refused") {
    const std::vector<int64_t> size(17, 1);
    CHECK(thrown<c10::Error>([&] { return at::empty(size, on_mps); }) ==
          "MPS supports tensors with dimensions <= 16, but got 17.");
}

TEST_CASE("Operands on the device and on the host do not mix, except scalars and indices") {
    const Tensor x = at::arange(12, on_mps.dtype(at::kFloat)).view({3, 4}), h = at::ones({3, 4});
    const std::string mixed =
        "Expected all tensors to be on the same device, but found at least two devices, mps:0 and cpu!";
    CHECK(thrown<c10::Error>([&] { return x + h; }) == mixed);
    CHECK(thrown<c10::Error>([&] { return at::cat({x, h}); }) == mixed);
    CHECK(thrown<c10::Error>([&] { return at::mm(h, x.t()); }) == mixed);
    CHECK(thrown<c10::Error>([&] { return at::linear(x, h); }) ==
          "Tensor for argument weight is on cpu but expected on mps");
    CHECK((x * at::scalar_tensor(2.0F)).is_mps());
    CHECK(x.index({at::tensor({0, 2}, at::kLong)}).size(0) == 2);
    Tensor y = x.clone();
    y.index_put_({at::tensor({0, 2}, at::kLong).to(mps)}, at::zeros({2, 4}, on_mps));
    CHECK(y.sum().item<float>() == 4 + 5 + 6 + 7);
}

TEST_CASE("Ops without an MPS kernel throw NotImplementedError in LibTorch's words, named as dispatch names them") {
    const Tensor x = at::arange(6, on_mps.dtype(at::kFloat)), i = at::zeros({1}, on_mps.dtype(at::kLong));
    const std::string text = thrown<c10::NotImplementedError>([&] { return x.take(i); });
    CHECK(contains(text,
                   "The operator 'aten::take' is not currently implemented for the MPS device. If you want this "
                   "op to be considered for addition please comment on "
                   "https://github.com/pytorch/pytorch/issues/141287 and mention use-case"));
    CHECK(contains(text,
                   "you can set the environment variable `PYTORCH_ENABLE_MPS_FALLBACK=1` to use the CPU as a "
                   "fallback for this op. WARNING: this will be slower than running natively on MPS."));
    const auto name = [](const auto& f) { return thrown<c10::NotImplementedError>(f); };
    CHECK(contains(name([&] { return x.mode(); }), "'aten::mode'"));
    CHECK(contains(name([&] { return at::heaviside(x, x); }), "'aten::heaviside.out'"));
    CHECK(contains(name([&] { return at::logspace(0, 1, 5, 10.0, on_mps); }), "'aten::logspace.out'"));
    CHECK(contains(name([&] { return at::adaptive_avg_pool3d(x.view({1, 1, 1, 2, 3}), {1, 2, 1}); }),
                   "'aten::_adaptive_avg_pool3d'"));
}

TEST_CASE("Convolutions with a dimension above 65536 are refused before macOS 15.1") {
    const sim::Settings settings;
    const Tensor sound = at::zeros({1, 1, 65540}, on_mps), filter = at::ones({1, 1, 3}, on_mps);
    const Tensor image = at::zeros({1, 1, 1, 65540}, on_mps), kernel = at::ones({1, 1, 1, 3}, on_mps);
    const std::string refused = "Output channels > 65536 not supported at the MPS device. ";
    sim::set_macos(15, 0);
    CHECK(thrown<c10::NotImplementedError>([&] { return at::conv1d(sound, filter); }) == refused);
    CHECK(thrown<c10::NotImplementedError>([&] { return at::conv2d(image, kernel); }) == refused);
    CHECK(at::conv1d(sound, filter, {}, 2).size(2) == 32769);
    sim::set_macos(15, 1);
    CHECK(at::conv1d(sound, filter).size(2) == 65538);
    CHECK(thrown<c10::Error>([] {
              return at::conv1d(at::ones({1, 1, 5}, on_mps.dtype(at::kInt)),
                                at::ones({1, 1, 3}, on_mps.dtype(at::kInt)));
          }) == "Convolution is supported only for Floating types");
    CHECK(contains(thrown<c10::Error>([&] { return at::conv2d(image.cpu(), kernel); }),
                   "slow_conv2d_forward_mps: input(device='cpu') and weight(device=mps:0')  must be on the same"));
    CHECK(contains(thrown<c10::Error>([&] { return at::conv2d(image, kernel.cpu()); }), "should be the same"));
}

TEST_CASE("Attention is routed as in an Apple build") {
    const sim::Settings settings;
    const Tensor q = at::randn({1, 2, 5, 8});
    const auto attend = [](const Tensor& x) { return at::scaled_dot_product_attention(x, x, x, {}, 0.0, true); };
    const auto fused = "aten::_scaled_dot_product_attention_math_for_mps";
    {
        const sim::Recorder recorder;
        CHECK(at::allclose(attend(q.to(mps)).cpu(), attend(q), 1e-4, 1e-5));
        CHECK(recorder.ops() == std::vector<std::string>{"aten::copy_", fused, "aten::copy_"});
    }
    const Tensor permuted = q.to(mps).transpose(1, 2).contiguous().transpose(1, 2);
    for (const auto& [major, fuses] : {std::pair{14U, false}, std::pair{15U, true}}) {
        sim::set_macos(major);
        const sim::Recorder recorder;
        CHECK(at::allclose(attend(permuted).cpu(), attend(q), 1e-4, 1e-5));
        CHECK(recorder.saw(fused) == fuses);
        CHECK(recorder.saw("aten::_softmax") == !fuses);
    }
    const Tensor grouped = at::randn({1, 4, 5, 8}), k = at::randn({1, 2, 5, 8});
    const auto gqa = [](at::ArrayRef<Tensor> t) {
        return at::scaled_dot_product_attention(t[0], t[1], t[1], {}, 0.0, false, std::nullopt, true);
    };
    CHECK(same(gqa, {grouped, k}));
    CHECK(contains(thrown<c10::Error>([&] { return at::scaled_dot_product_attention(q.to(mps), q, q); }),
                   "to have the same device type"));
    const Tensor mask = at::ones({5, 5}, at::kBool).tril();
    CHECK(same([](auto t) { return at::scaled_dot_product_attention(t[0], t[0], t[0], t[1]); }, {q, mask}));
}

TEST_CASE("Memory: counters, the n-th allocation, limits and the cache") {
    const sim::Settings settings;
    at::detail::getMPSHooks().emptyCache();
    sim::reset();
    const std::size_t before = sim::counters().bytes;
    {
        const Tensor x = at::empty({1000}, on_mps);
        CHECK(sim::counters().bytes == before + 4000);
        CHECK(at::detail::getMPSHooks().getCurrentAllocatedMemory() == before + 4000);
    }
    CHECK(sim::counters().bytes == before);
    CHECK(sim::counters().peak_bytes == before + 4000);
    const std::size_t cached = sim::counters().driver_bytes;
    at::getDeviceAllocator(c10::DeviceType::MPS)->emptyCache();
    CHECK(sim::counters().driver_bytes < cached);
    CHECK(sim::counters().empty_cache == 1);

    const auto allocate = [] { return at::empty({1000}, on_mps); };
    sim::fail_allocation(2);
    const Tensor first = allocate();
    const std::string text = thrown<c10::Error>([&] { return allocate(); });
    CHECK(contains(text, "MPS backend out of memory (MPS allocated: "));
    CHECK(contains(text,
                   "Tried to allocate 3.91 KiB on shared pool. Use PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 to "
                   "disable upper limit for memory allocations (may cause system failure)."));
    CHECK_FALSE(contains(text, "nothing was thrown"));
    CHECK_NOTHROW(allocate());
    try {
        sim::fail_allocation(1);
        allocate();
    } catch (const c10::Error& e) {
        CHECK(dynamic_cast<const c10::OutOfMemoryError*>(&e) == nullptr);  // on MPS it is a plain c10::Error
    }
    sim::set_memory_limit(sim::counters().bytes + 5000);
    const Tensor second = allocate();
    CHECK(contains(thrown<c10::Error>([&] { return allocate(); }), "MPS backend out of memory"));
    sim::set_memory_limit(0);
    sim::set_max_buffer_length(4000);
    CHECK(contains(thrown<c10::Error>([&] { return allocate(); }), "Invalid buffer size: "));
    CHECK(sim::counters().out_of_memory == 3);
}

TEST_CASE("An op throws when a test says so, after as many calls as it says") {
    const Tensor x = at::ones({3}, on_mps);
    {
        const sim::Settings settings;
        sim::throw_in("aten::gelu", sim::Fault::NotImplemented, 1);
        CHECK_NOTHROW(at::gelu(x));
        CHECK(contains(thrown<c10::NotImplementedError>([&] { return at::gelu(x); }), "'aten::gelu"));
        CHECK(contains(thrown<c10::NotImplementedError>([&] { return at::gelu(x); }), "'aten::gelu"));
        sim::throw_in("aten::add", sim::Fault::OutOfMemory, 0, 1);
        CHECK(contains(thrown<c10::Error>([&] { return x + x; }), "MPS backend out of memory"));
        CHECK_NOTHROW(x + x);
        sim::throw_in("aten::empty.memory_format", sim::Fault::Other, 0, 1);
        CHECK(contains(thrown<c10::Error>([] { return at::empty({1}, on_mps); }), "simulated failure"));
    }
    CHECK_NOTHROW(at::gelu(x));
}

TEST_CASE("Device memory is written through the host alias that a loader uses") {
    sim::reset();
    const Tensor x = at::zeros({4}, on_mps);
    const c10::Storage host = at::mps::getIMPSAllocator()->getHostAliasStorage(x.storage());
    CHECK(host.device().is_cpu());
    static_cast<float*>(host.mutable_data())[2] = 3.0F;
    CHECK(x.sum().item<float>() == 3.0F);
    CHECK(sim::counters().early_host_aliases == 1);  // zeros() had not been waited for
    CHECK(at::mps::getIMPSAllocator()->getSharedBufferPtr(x.storage().data()).first == host.data());
    CHECK(at::mps::getIMPSAllocator()->getUnalignedBufferSize(x.storage().data()) == 16);
    CHECK_THROWS(at::mps::getIMPSAllocator()->getHostAliasStorage(at::zeros({4}).storage()));
}

TEST_CASE("Waiting, committing and reading are counted") {
    const Tensor x = at::ones({3}, on_mps);
    sim::reset();
    const Tensor y = x + x;
    CHECK(sim::counters().unsynced_ops == 1);
    at::detail::getMPSHooks().deviceSynchronize();
    at::detail::getMPSHooks().commitStream();
    at::accelerator::synchronizeDevice(0);
    CHECK(sim::counters().syncs == 2);
    CHECK(sim::counters().commits == 1);
    CHECK(sim::counters().unsynced_ops == 0);
    CHECK(y.sum().item<float>() == 6.0F);
    CHECK(sim::counters().implicit_syncs == 1);
    CHECK(sim::counters().count("aten::sum.IntList_out") + sim::counters().count("aten::sum.dim_IntList") +
              sim::counters().count("aten::sum") >
          0);
}

TEST_CASE("Two threads inside the device at once are noticed, and a lock keeps them apart") {
    const sim::Settings settings;
    sim::set_kernel_time(std::chrono::microseconds(500));
    sim::throw_on_concurrent_use(false);
    const Tensor x = at::ones({3}, on_mps);
    std::mutex lock;
    const auto run = [&](bool locks) {
        sim::reset();
        const auto work = [&] {
            for (int i = 0; i < 20; ++i) {
                std::unique_lock guard(lock, std::defer_lock);
                if (locks) guard.lock();
                static_cast<void>(x + x);
            }
        };
        std::thread a(work), b(work);
        a.join();
        b.join();
        return sim::counters().concurrent_uses;
    };
    CHECK(run(false) > 0);
    CHECK(run(true) == 0);
}

TEST_CASE("Random numbers: the device has its own generator, seeded with the others") {
    at::manual_seed(1);
    const Tensor a = at::randn({3}, on_mps);
    at::manual_seed(1);
    CHECK(at::equal(at::randn({3}, on_mps).cpu(), a.cpu()));
    CHECK(contains(thrown<c10::Error>([] { return at::randn({3}, at::detail::createCPUGenerator(), on_mps); }),
                   "Expected a 'mps' device type for generator but found 'cpu'"));
}
