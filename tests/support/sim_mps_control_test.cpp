// What a test can set on the simulated MPS device and read from it.
#include "support/sim_mps_test.hpp"

#include <ATen/DeviceAccelerator.h>
#include <ATen/detail/MPSHooksInterface.h>
#include <ATen/mps/MPSAllocatorInterface.h>
#include <torch/version.h>

#include <cerrno>
#include <mutex>
#include <thread>

#if defined(__linux__)
#include <unistd.h>
#endif

#include "silica/device/simulated.hpp"
#include "support/sim_mps/version.hpp"

namespace sim = silica::test::sim_mps;
using at::Tensor;
using sim::contains, sim::mps, sim::on_mps, sim::thrown;

TEST_CASE("The simulation is installed and says that it is one") {
    REQUIRE(sim::installed());
    CHECK(silica::device::is_simulated(c10::DeviceType::MPS));
    CHECK_FALSE(silica::device::is_simulated(c10::DeviceType::CPU));
    CHECK(std::string(silica::device::simulated(c10::DeviceType::MPS)) == sim::description);
    CHECK(contains(sim::description, "simulated"));
    CHECK(at::hasMPS());
    CHECK(at::detail::getMPSHooks().isAvailable());
    if (sim::has_accelerator()) CHECK(at::getAccelerator().value() == c10::DeviceType::MPS);
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
        CHECK(hooks.hasMPS());
        sim::set_macos(13, 6);
        CHECK_FALSE(hooks.hasMPS());
        CHECK(contains(thrown<c10::Error>([] { return at::empty({1}, on_mps); }),
                       "OS 14.0+. Current OS version can be queried using `sw_vers`"));
    }
    CHECK(sim::macos() == std::pair{15U, 2U});
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
    at::detail::getMPSHooks().emptyCache();
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

#if defined(__linux__)
TEST_CASE("Device memory cannot be read through a host pointer") {
    const Tensor x = at::ones({4}, on_mps), host = at::ones({4});
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    CHECK(write(ends[1], host.const_data_ptr<float>(), 4) == 4);
    CHECK(write(ends[1], x.const_data_ptr<float>(), 4) == -1);  // a plain access would be a SIGSEGV
    CHECK(errno == EFAULT);
    close(ends[0]);
    close(ends[1]);
}
#endif

#if SIM_MPS_TORCH_AT_LEAST(13)  // older ones have no host aliases
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
#endif

TEST_CASE("Waiting, committing and reading are counted") {
    const Tensor x = at::ones({3}, on_mps);
    sim::reset();
    const Tensor y = x + x;
    CHECK(sim::counters().unsynced_ops == 1);
    at::detail::getMPSHooks().deviceSynchronize();
    at::detail::getMPSHooks().commitStream();
    if (sim::has_accelerator())
        at::accelerator::synchronizeDevice(0);
    else
        at::detail::getMPSHooks().deviceSynchronize();
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
    if (!sim::has_accelerator()) return;  // `manual_seed` asks for it
    at::manual_seed(1);
    const Tensor a = at::randn({3}, on_mps);
    at::manual_seed(1);
    CHECK(at::equal(at::randn({3}, on_mps).cpu(), a.cpu()));
    CHECK(contains(thrown<c10::Error>([] { return at::randn({3}, at::detail::createCPUGenerator(), on_mps); }),
                   "Expected a 'mps' device type for generator but found 'cpu'"));
}
