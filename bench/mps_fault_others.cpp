/// Tests of the other known faults of MPS.

#include <cstdint>
#include <limits>

#include <ATen/TensorIndexing.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/zeros.h>

#include "mps_fault_tests.hpp"

namespace silica::bench::faults {

Seen freed_source(std::string& detail) {
    for (int turn = 0; turn < 20; ++turn) {
        Tensor on_device;
        {
            const Tensor host = at::full({100000}, turn, at::TensorOptions().dtype(at::kFloat));
            on_device = host.to(there(), /*non_blocking=*/true);
        }
        const Tensor other = at::full({100000}, -1.0F);
        if (on_device.cpu().eq(turn).all().item<bool>() && other.defined()) continue;
        detail = "values of memory that was freed after the copy had been asked for";
        return Seen::present;
    }
    return Seen::absent;
}

Seen graphs_grow(std::string& detail) {
    device::Mps::synchronize();
    device::Mps::empty_cache();
    const auto before = device::Mps::memory().peak;
    for (std::int64_t n = 1; n <= 60; ++n) {
        const Tensor x = numbers({n, 96}, 1).to(there());
        static_cast<void>(at::linear(at::cumsum(x, 1), numbers({32, 96}, 2).to(there())).cpu());
    }
    device::Mps::synchronize();
    const auto grown = device::Mps::memory().peak;
    device::Mps::empty_cache();
    const auto after = device::Mps::memory().peak;
    detail = "the driver held " + std::to_string(before >> 20U) + " MiB before 60 shapes, " +
             std::to_string(grown >> 20U) + " after them, " + std::to_string(after >> 20U) + " with the cache emptied";
    return after > before + (64U << 20U) ? Seen::present : Seen::absent;
}

Seen sorting(std::string& detail) {
    Tensor x = numbers({64}, 1);
    x[5] = std::numeric_limits<float>::quiet_NaN();
    const Tensor places = std::get<1>(at::sort(x.to(there()))).cpu();
    if (places.lt(0).any().item<bool>() || places.ge(64).any().item<bool>()) {
        detail = "places beyond the end, for values with NaN";
        return Seen::present;
    }
    const Tensor wide = numbers({3, 1000}, 2), turned = at::argsort(wide.to(there()), std::int64_t{0}).cpu();
    detail = "64 values with NaN, and 3 by 1000 along the first dimension";
    return turned.equal(at::argsort(wide, std::int64_t{0})) ? Seen::absent : Seen::present;
}

Seen boolean_index(std::string& detail) {
    const Tensor x = numbers({500, 7}, 1), which = numbers({500}, 2) > 0;
    const Tensor want = x.index({which});
    for (int turn = 0; turn < 10; ++turn) {
        const Tensor got = x.to(there()).index({which.to(there())}).cpu();
        if (got.equal(want)) continue;
        detail = "another number of rows, or other rows";
        return Seen::present;
    }
    return Seen::absent;
}

Seen strided_isfinite(std::string& detail) {
    const Tensor x = numbers({40, 33}, 1).to(there());
    const Tensor slice = x.slice(1, 1, 33, 3);
    const Tensor before = x.cpu(), finite = at::isfinite(slice).cpu();
    if (finite.all().item<bool>() && x.cpu().equal(before)) return Seen::absent;
    detail = "wrong results, or neighbours were changed";
    return Seen::present;
}

Seen index_beyond(std::string& detail) {
    const Tensor base = at::zeros({1, 1, 8, 4}, at::TensorOptions().dtype(at::kFloat)).to(there());
    Tensor cache = base.narrow(2, 0, 4);
    try {
        cache.index_copy_(2, at::full({1}, 5, at::TensorOptions().dtype(at::kLong)).to(there()),
                          at::ones({1, 1, 1, 4}).to(there()));
        device::Mps::synchronize();
    } catch (const c10::Error&) {
        detail = "the index is refused";
        return Seen::absent;
    }
    const bool wrote = base.cpu().abs().sum().item<float>() != 0;
    detail = wrote ? "an index beyond the end was written to" : "an index beyond the end was ignored";
    return wrote ? Seen::present : Seen::absent;
}

Seen float64(std::string& detail) {
    try {
        static_cast<void>(at::zeros({2}, at::TensorOptions().dtype(at::kDouble).device(there())));
    } catch (const c10::Error& e) {
        detail = e.what_without_backtrace();
        return Seen::present;
    }
    return Seen::absent;
}

/// What is not tried, and why.
inline std::function<Seen(std::string&)> not_tried(std::string why) {
    return [why = std::move(why)](std::string& detail) {
        detail = why;
        return Seen::not_tried;
    };
}

}  // namespace silica::bench::faults
