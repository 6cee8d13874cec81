#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>

#include <ATen/core/Tensor.h>

#include "load.hpp"
#include "machine.hpp"
#include "progress.hpp"
#include "silica/core/memory.hpp"

namespace silica::bench {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<double> sorted(std::vector<double> values) {
    std::ranges::sort(values);
    return values;
}

}  // namespace

double Measured::median_ms() const {
    const auto v = sorted(samples_ms);
    const auto n = v.size();
    return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double Measured::p90_ms() const {
    const auto v = sorted(samples_ms);
    return v[std::min(v.size() - 1, static_cast<std::size_t>(0.9 * static_cast<double>(v.size())))];
}

double Measured::min_ms() const { return *std::ranges::min_element(samples_ms); }
double Measured::total_ms() const { return std::accumulate(samples_ms.begin(), samples_ms.end(), 0.0); }

Measured measure(const Job& job) {
    const auto& origin = job.subject->origin;
    const Cell& cell = cell_of(*job.head, *job.device, job.precision, job.loader);
    Progress progress(origin.name + " " + job.device->label() + " " + job.precision + " " +
                          (origin.weights ? job.loader : std::string("random weights")) + " batch " +
                          std::to_string(job.sizes.batch) + " tokens " + std::to_string(job.sizes.tokens),
                      static_cast<std::size_t>(job.warmup + job.iterations));
    const Named inputs = job.head->inputs(origin, job.sizes);
    Measured m;
    for (const auto& [name, tensor] : inputs) m.inputs.emplace_back(name, tensor.sizes().vec());

    progress.at(0, "loading");
    trim_heap();
    m.peak_of_row = reset_host_peak();
    reset_device_peak(job.device->name);
    m.baseline = process_memory().resident;
    const auto start = Clock::now();
    const auto [model, notes] = load(cell, origin);
    m.load_s = std::chrono::duration<double>(Clock::now() - start).count();
    m.load_peak = host_peak();
    m.notes = notes;
    m.parameters = model->account().parameters;
    m.weight_bytes = model->account().bytes;

    model->feed(inputs);
    const FallbackScope quiet;  // what falls back while warming up is not announced
    for (std::int64_t i = 0; i < job.warmup; ++i) {
        progress.at(static_cast<std::size_t>(i), "warming up");
        model->call();
    }
    model->synchronize();
    const FallbackScope scope;
    for (std::int64_t i = 0; i < job.iterations; ++i) {
        progress.at(static_cast<std::size_t>(job.warmup + i), "measuring");
        const auto begin = Clock::now();
        model->call();
        model->synchronize();
        m.samples_ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    }
    m.fallbacks = scope.report();
    m.peak = host_peak();
    if (job.device->type != c10::DeviceType::CPU) m.device_peak = job.device->memory().peak;
    return m;
}

}  // namespace silica::bench
