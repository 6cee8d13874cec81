#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include "load.hpp"
#include "machine.hpp"
#include "prompt.hpp"
#include "silica/core/error.hpp"
#include "silica/core/memory.hpp"

namespace silica::bench {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<double> sorted(std::vector<double> values) {
    std::ranges::sort(values);
    return values;
}

double median(std::vector<double> values) {
    const auto v = sorted(std::move(values));
    const auto n = v.size();
    return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// One repetition; the tokens of each step are kept, so that nothing is left out.
Generated generate_once(generate::Decoder& decoder, const generate::Prompt& prompt, const Sizes& sizes,
                        std::vector<at::Tensor>& tokens) {
    const auto taken = prompt.decoder_input_ids          ? prompt.decoder_input_ids->size(1)
                       : decoder.facts().encoder_decoder ? 1
                                                         : sizes.tokens();
    decoder.start(sizes.batch, taken + sizes.new_tokens);
    decoder.synchronize();
    tokens.clear();
    Generated g;
    const auto start = Clock::now();
    tokens.push_back(decoder.most_likely(decoder.prefill(prompt)));
    decoder.synchronize();
    g.prefill_ms = ms_since(start);
    const auto begin = Clock::now();
    for (std::int64_t i = 1; i < sizes.new_tokens; ++i) tokens.push_back(decoder.greedy_step(tokens.back()).clone());
    decoder.synchronize();
    g.decode_ms = ms_since(begin);
    return g;
}

using Doing = std::function<void(const char*)>;

/// Warms up, then samples; `call` makes one call and gives its milliseconds.
template <class Call>
void sample(Measured& m, const suite::Sampling& how, const Doing& doing, Call&& call) {
    std::vector<double> calls;
    doing("warming up");
    {
        const FallbackScope quiet;  // what falls back while warming up is not announced
        while (!suite::warm(calls, how)) calls.push_back(call());
    }
    m.warmup = static_cast<std::int64_t>(calls.size());
    doing("measuring");
    const FallbackScope scope;
    m.before = suite::conditions_now();
    const auto processors = suite::processor_time();
    const auto start = Clock::now();
    while (!suite::enough(m.samples_ms, how)) m.samples_ms.push_back(call());
    const double seconds = ms_since(start) / 1000;
    const auto now = suite::processor_time();
    m.after = suite::conditions_now();
    m.fallbacks = scope.report();
    // The system counts in hundredths of a second; of less than a quarter nothing can be said.
    if (seconds > 0.25) m.others = std::max(0.0, (now.all - processors.all - (now.own - processors.own)) / seconds);
    m.noise = suite::noise(
        m.samples_ms, how,
        {m.others, m.before.mhz, m.after.mhz,
         m.after.throttled > m.before.throttled || (!m.after.pressure.empty() && m.after.pressure != "nominal")});
}

/// Calls of a task that is one forward pass.
void measure_calls(Measured& m, const Job& job, Opened& model, const Named& inputs, const Doing& doing) {
    model.feed(inputs);
    model.synchronize();
    sample(m, job.sampling, doing, [&] {
        const auto begin = Clock::now();
        model.call();
        model.synchronize();
        return ms_since(begin);
    });
}

/// Repetitions of a task that generates.
void measure_generation(Measured& m, const Job& job, Opened& model, const Named& inputs, const Doing& doing) {
    generate::Decoder* decoder = model.decoder();
    if (decoder == nullptr) throw InputError("This model does not generate.", "choose another --task.");
    const auto prompt = prompt_of(inputs);
    std::vector<at::Tensor> tokens;
    std::vector<Generated> all;
    sample(m, job.sampling, doing, [&] {
        all.push_back(generate_once(*decoder, prompt, job.sizes, tokens));
        return all.back().prefill_ms + all.back().decode_ms;
    });
    m.generated.assign(all.end() - static_cast<std::ptrdiff_t>(m.samples_ms.size()), all.end());
    for (std::size_t i = 0; i < std::min<std::size_t>(tokens.size(), 8); ++i)
        m.tokens_head.push_back(tokens[i].to(at::kCPU)[0].item<std::int64_t>());
    m.cache_bytes = decoder->state_bytes();
    const double filled = (static_cast<double>(decoder->length()) - static_cast<double>(job.sizes.new_tokens) / 2) /
                          static_cast<double>(decoder->capacity());
    const double per_parameter = static_cast<double>(m.weight_bytes) / static_cast<double>(m.parameters);
    m.step_bytes =
        static_cast<std::uint64_t>(static_cast<double>(job.head->step_parameters(job.subject->origin)) * per_parameter +
                                   static_cast<double>(m.cache_bytes) * filled);
}

}  // namespace

double Measured::median_ms() const { return median(samples_ms); }

double Measured::p90_ms() const {
    const auto v = sorted(samples_ms);
    return v[std::min(v.size() - 1, static_cast<std::size_t>(0.9 * static_cast<double>(v.size())))];
}

double Measured::min_ms() const { return *std::ranges::min_element(samples_ms); }
double Measured::total_ms() const { return std::accumulate(samples_ms.begin(), samples_ms.end(), 0.0); }

double Measured::prefill_ms() const {
    std::vector<double> all;
    for (const auto& g : generated) all.push_back(g.prefill_ms);
    return median(std::move(all));
}

double Measured::prefill_tokens_per_s(const Sizes& sizes) const {
    return static_cast<double>(sizes.batch * sizes.tokens()) * 1000.0 / prefill_ms();
}

std::vector<double> Measured::decode_rates(const Sizes& sizes) const {
    std::vector<double> rates;
    if (sizes.new_tokens < 2) return rates;
    for (const auto& g : generated)
        rates.push_back(static_cast<double>(sizes.batch * (sizes.new_tokens - 1)) * 1000.0 / g.decode_ms);
    return rates;
}

double Measured::decode_tokens_per_s(const Sizes& sizes) const { return median(decode_rates(sizes)); }

std::optional<double> Measured::bandwidth_share(const Sizes& sizes) const {
    if (!(bandwidth > 0) || sizes.new_tokens < 2) return std::nullopt;
    return static_cast<double>(step_bytes) * decode_tokens_per_s(sizes) / static_cast<double>(sizes.batch) / bandwidth;
}

MeanSd mean_sd(const std::vector<double>& values) {
    const auto n = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
    double squares = 0;
    for (const double v : values) squares += (v - mean) * (v - mean);
    return {mean, values.size() > 1 ? std::sqrt(squares / (n - 1)) : 0.0};
}

Measured measure(const Job& job, const Doing& doing) {
    const auto& origin = job.subject->origin;
    const Cell& cell = cell_of(*job.head, *job.device, job.precision, job.loader);
    const Named inputs = job.head->inputs(origin, job.sizes);
    Measured m;
    m.threads = at::get_num_threads();
    for (const auto& [name, tensor] : inputs) m.inputs.emplace_back(name, tensor.sizes().vec());

    doing("loading");
    trim_heap();
    reset_host_peak();
    m.peak_of_row = true;  // the process is this row's own
    reset_device_peak(job.device->name);
    m.baseline = process_memory().resident;
    const auto start = Clock::now();
    auto [model, notes] = load(cell, origin, &job.sizes);
    m.load_s = std::chrono::duration<double>(Clock::now() - start).count();
    m.load_peak = host_peak();
    m.notes = notes;
    m.parameters = model->account().parameters;
    m.weight_bytes = model->account().bytes;

    if (job.sizes.new_tokens > 0)
        measure_generation(m, job, *model, inputs, doing);
    else
        measure_calls(m, job, *model, inputs, doing);
    m.peak = host_peak();
    if (job.device->type != c10::DeviceType::CPU) m.device_peak = job.device->memory().peak;
    // After the peaks and without the model: it takes a gigabyte, which the budget does not have.
    model.reset();
    trim_heap();
    if (job.device->simulated() == nullptr && job.sizes.new_tokens > 1) {
        if (!(job.bandwidth > 0)) doing("measuring the memory's bandwidth");
        m.bandwidth = job.bandwidth > 0 ? job.bandwidth : memory_bandwidth(job.device->type);
    }
    return m;
}

}  // namespace silica::bench
