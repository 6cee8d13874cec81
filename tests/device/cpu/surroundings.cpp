// What surrounds the CPU's kernels: modes of the processor, threads of the user, memory that is kept.
#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "silica/core/error.hpp"
#include "silica/core/memory.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/cpu/isa/rows.hpp"
#include "silica/device/cpu/multiply.hpp"
#include "silica/device/cpu/scratch.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/instruction_sets.hpp"

using namespace silica;
using device::cpu::isa::Isa;
using test::sets;

namespace {

/// x W^T for values that are whole numbers, so that any order of sums gives the same.
std::vector<float> product(Isa set, std::int64_t m, std::int64_t k, std::int64_t n) {
    std::vector<float> x(static_cast<std::size_t>(m * k)), w(static_cast<std::size_t>(n * k)),
        y(static_cast<std::size_t>(m * n));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) - 3;
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i % 5) - 2;
    const device::cpu::Product<float> p{.x = x.data(), .ldx = k, .m = m, .w = w.data(), .k = k, .n = n, .y = y.data()};
    device::cpu::multiply(set, p);
    return y;
}

}  // namespace

#if defined(__x86_64__)
TEST_CASE("Denormal halves are read right where denormal floats are flushed to zero") {
    namespace isa = device::cpu::isa;
    std::vector<c10::Half> halves(65536);
    std::vector<float> want(halves.size()), got(halves.size());
    for (std::size_t i = 0; i < halves.size(); ++i) {
        halves[i] = c10::Half(static_cast<std::uint16_t>(i), c10::Half::from_bits());
        want[i] = static_cast<float>(halves[i]);
    }
    for (const Isa set : sets()) {
        CAPTURE(static_cast<int>(set));
        const isa::WidenArguments<c10::Half> a{halves.data(), static_cast<std::int64_t>(halves.size()), got.data()};
        std::vector<c10::Half> tiny(8, c10::Half(1, c10::Half::from_bits())), large(20 * 8, c10::Half(1024.0F)), y(20);
        const unsigned mode = _mm_getcsr();
        _mm_setcsr(mode | 0x8040U);  // flush to zero, denormals are zero
        isa::on<isa::Widen>(set, &a);
        const device::cpu::Product<c10::Half> p{
            .x = large.data(), .ldx = 8, .m = 20, .w = tiny.data(), .k = 8, .n = 1, .y = y.data()};
        if (device::cpu::can_compute<c10::Half>(set, p.m)) device::cpu::multiply(set, p);
        _mm_setcsr(mode);
        std::int64_t wrong = 0;
        for (std::size_t i = 0; i < want.size(); ++i)
            if (std::memcmp(&want[i], &got[i], sizeof(float)) != 0 && !(std::isnan(want[i]) && std::isnan(got[i])))
                ++wrong;
        CHECK(wrong == 0);
        if (device::cpu::can_compute<c10::Half>(set, p.m))
            for (const c10::Half h : y) CHECK(static_cast<float>(h) == 0x1p-11F);
    }
}
#endif

TEST_CASE("Kernels called from several threads of the user, and from a parallel region of theirs") {
    for (const Isa set : sets()) {
        CAPTURE(static_cast<int>(set));
        for (const std::int64_t m : {3, 40}) {
            if (!test::computed(device::cpu::can_compute<float>(set, m), set, "products of many rows")) continue;
            const auto want = product(set, m, 100, 200);
            std::atomic<int> wrong{0};
            const auto call = [&] {
                for (int i = 0; i < 20; ++i) wrong += product(set, m, 100, 200) == want ? 0 : 1;
            };
            std::thread a(call), b(call);
            a.join(), b.join();
            CHECK(wrong == 0);
#ifdef _OPENMP
            int calls = 0;
#pragma omp parallel num_threads(3) reduction(+ : calls)
            {
                wrong += product(set, m, 100, 200) == want ? 0 : 1;
                ++calls;
            }
            CHECK(calls == 3);
            CHECK(wrong == 0);
#endif
        }
    }
}

TEST_CASE("Memory that kernels keep is theirs while they use it, and is given back by empty_cache") {
    using Room = device::cpu::Scratch<99>;
    {
        const Room first(1000), inside(1000);
        CHECK(first.data() != inside.data());
        first.data()[999] = 1;
        device::Cpu::empty_cache();
        CHECK(first.data()[999] == 1);
    }
    const std::size_t count = std::size_t{1} << 26U;
    std::atomic<int> stage{0};
    std::thread other([&] {
        {
            const Room room(count);
        }  // its pages have been written
        stage = 1;
        while (stage != 2) std::this_thread::yield();
        const Room room(10);
        stage = room.data()[9] == 0 ? 3 : 4;
    });
    while (stage != 1) std::this_thread::yield();
    const auto before = process_memory().resident;
    device::Cpu::empty_cache();
    const auto after = process_memory().resident;
    stage = 2;
    other.join();
    CHECK(stage == 3);
    CHECK(before - after > 200'000'000);
}

TEST_CASE("An instruction set is named in SILICA_CPU_ISA") {
    for (const Isa set : device::cpu::isa::sets) CHECK(device::cpu::isa::named(device::cpu::isa::name(set)) == set);
    CHECK(device::cpu::isa::named("baseline") == Isa::baseline);
    CHECK_THROWS_AS(device::cpu::isa::named(device::cpu::isa::on_arm64 ? "avx2" : "neon_dot"), InputError);
    CHECK_THROWS_AS(device::cpu::isa::named("AVX"), InputError);
}
