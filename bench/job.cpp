#include "job.hpp"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <unistd.h>

#include "errors.hpp"
#include "load.hpp"
#include "machine.hpp"
#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "suite/process.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;

template <class T>
ordered_json or_null(const std::optional<T>& value) {
    return value ? ordered_json(*value) : ordered_json(nullptr);
}

template <class T>
std::optional<T> optional_of(const ordered_json& json, const char* field) {
    const auto at = json.find(field);
    if (at == json.end() || at->is_null()) return std::nullopt;
    return at->get<T>();
}

/// Text that stays, for what holds only a view of it.
std::string_view kept(const std::string& text) {
    static std::set<std::string> all;
    return *all.insert(text).first;
}

FallbackReason reason_named(std::string_view text) {
    for (const auto reason : {FallbackReason::no_kernel, FallbackReason::declined, FallbackReason::not_implemented,
                              FallbackReason::out_of_memory}) {
        if (describe(reason) == text) return reason;
    }
    return FallbackReason::unavailable;
}

ordered_json conditions_of(const suite::Conditions& c) { return suite::conditions_json(c); }

suite::Conditions conditions_from(const ordered_json& json) {
    return {.load = json.value("load", -1.0),
            .mhz = json.value("mhz", 0.0),
            .governor = json.value("governor", ""),
            .celsius = json.value("celsius", 0.0),
            .pressure = json.value("pressure", ""),
            .throttled = json.value("throttled", std::uint64_t{0})};
}

/// Whether an exception says that memory is out: a device's, the host's, or one that Silica made a sentence of.
bool says_out_of_memory(const std::exception& e) {
    if (dynamic_cast<const std::bad_alloc*>(&e) != nullptr) return true;
    if (dynamic_cast<const c10::OutOfMemoryError*>(&e) != nullptr) return true;
    const std::string_view text = e.what();
    return std::ranges::any_of(
        std::initializer_list<std::string_view>{"out of memory", "not enough memory", "can't allocate memory"},
        [&](std::string_view words) { return text.find(words) != std::string_view::npos; });
}

/// A line to whoever started this process.
void say(const ordered_json& line) {
    const std::string text = line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
    for (std::size_t done = 0; done < text.size();) {
        const auto n = ::write(suite::answer_descriptor, text.data() + done, text.size() - done);
        if (n <= 0) return;
        done += static_cast<std::size_t>(n);
    }
}

Measured do_job(const ordered_json& json) {
    if (before_row != nullptr) before_row(json);
    const auto number = [&](const char* field) -> Flag {
        const auto n = optional_of<std::int64_t>(json, field);
        return n ? Flag(std::to_string(*n)) : Flag();
    };
    use_threads(number("threads"));
    use_codes(number("group"), optional_of<std::string>(json, "activations"));
    use_budget(!json.value("no_budget", false));
    Jobs jobs;
    Job job = jobs.of(json);
    const auto known = json.value("known", ordered_json::object()).value("bandwidth", ordered_json::object());
    job.bandwidth = known.value(std::string(job.device->name), 0.0);
    return measure(job, [](const char* doing) { say({{"doing", doing}}); });
}

}  // namespace

ordered_json job_json(const Job& job, const Codes& codes) {
    const auto& origin = job.subject->origin;
    const auto number = [](const Flag& flag) {
        return flag ? ordered_json(std::stoll(*flag)) : ordered_json(nullptr);  // they were checked
    };
    ordered_json sizes = ordered_json::object();
    for (const auto& [name, n] : job.sizes.named) sizes[std::string(name)] = n;
    std::error_code ignored;
    const auto& s = job.sampling;
    return {
        {"model", origin.name},
        {"family", job.subject->family->name},
        {"task", job.head->task},
        {"hardware", job.device->name},
        {"simulated", job.device->simulated() != nullptr},
        {"precision", job.precision},
        {"loader", job.loader},
        {"weights", origin.weights ? "checkpoint" : "random"},
        {"batch", job.sizes.batch},
        {"sizes", sizes},
        {"new_tokens", job.sizes.new_tokens},
        {"iterations", or_null(s.iterations)},
        {"warmup", or_null(s.warmup)},
        {"within", s.within},
        {"threads", number(codes.threads)},
        {"group", number(codes.group)},
        {"activations", or_null(codes.activations)},
        {"no_budget", codes.no_budget},
        {"directory", origin.directory.empty() ? "" : std::filesystem::absolute(origin.directory, ignored).string()}};
}

Job Jobs::of(const ordered_json& json) {
    Job job;
    const auto text = [&](const char* field) { return json.value(field, std::string()); };
    Subject subject{
        &family_named(text("family")),
        {.name = text("model"), .directory = text("directory"), .weights = text("weights") == "checkpoint"}};
    for (const auto& model : subject.family->models) {
        if (model.name == subject.origin.name) subject.origin.config = model.config;
    }
    const auto same = [&](const Subject& other) {
        const auto &a = subject.origin, &b = other.origin;
        return subject.family == other.family && a.name == b.name && a.directory == b.directory &&
               a.weights == b.weights;
    };
    auto at = std::ranges::find_if(subjects_, same);
    if (at == subjects_.end()) at = subjects_.insert(subjects_.end(), std::move(subject));
    job.subject = &*at;
    job.head = &head_for_task(*job.subject, text("task"));
    job.device = find_device(text("hardware"));
    if (job.device == nullptr)
        throw InputError("hardware " + quote(text("hardware")) + " is not compiled into this program.",
                         "see `silica devices`.");
    job.precision = text("precision");
    job.loader = text("loader");
    job.sizes.batch = json.value("batch", std::int64_t{1});
    job.sizes.new_tokens = json.value("new_tokens", std::int64_t{0});
    const auto sizes = json.value("sizes", ordered_json::object());
    for (const auto& [name, n] : sizes.items()) {
        for (const auto& kind : size_kinds)
            if (kind.name == name) job.sizes.named.emplace_back(kind.name, n.get<std::int64_t>());
    }
    job.sampling.iterations = optional_of<std::int64_t>(json, "iterations");
    job.sampling.warmup = optional_of<std::int64_t>(json, "warmup");
    job.sampling.within = json.value("within", job.sampling.within);
    return job;
}

ordered_json measured_json(const Measured& m) {
    ordered_json generated = ordered_json::array(), fallbacks = ordered_json::array(), inputs = ordered_json::array();
    for (const auto& g : m.generated) generated.push_back({g.prefill_ms, g.decode_ms});
    for (const auto& f : m.fallbacks) {
        fallbacks.push_back({{"op", f.op},
                             {"from", f.from},
                             {"to", f.to},
                             {"reason", describe(f.reason)},
                             {"count", f.count},
                             {"bytes", f.bytes},
                             {"ms", f.ms}});
    }
    for (const auto& [name, shape] : m.inputs) inputs.push_back({{"name", name}, {"shape", shape}});
    return {{"notes", m.notes},
            {"parameters", m.parameters},
            {"weight_bytes", m.weight_bytes},
            {"baseline", m.baseline},
            {"load_peak", m.load_peak},
            {"peak", m.peak},
            {"peak_of_row", m.peak_of_row},
            {"device_peak", or_null(m.device_peak)},
            {"load_s", m.load_s},
            {"samples_ms", m.samples_ms},
            {"generated", generated},
            {"cache_bytes", m.cache_bytes},
            {"step_bytes", m.step_bytes},
            {"bandwidth", m.bandwidth},
            {"tokens_head", m.tokens_head},
            {"fallbacks", fallbacks},
            {"inputs", inputs},
            {"warmup", m.warmup},
            {"threads", m.threads},
            {"before", conditions_of(m.before)},
            {"after", conditions_of(m.after)},
            {"others", m.others},
            {"noise", m.noise}};
}

Measured measured_from(const ordered_json& json) {
    Measured m;
    const auto read = [&](const char* field, auto& value) { json.at(field).get_to(value); };
    read("notes", m.notes);
    read("parameters", m.parameters);
    read("weight_bytes", m.weight_bytes);
    read("baseline", m.baseline);
    read("load_peak", m.load_peak);
    read("peak", m.peak);
    read("peak_of_row", m.peak_of_row);
    m.device_peak = optional_of<std::uint64_t>(json, "device_peak");
    read("load_s", m.load_s);
    read("samples_ms", m.samples_ms);
    for (const auto& g : json.at("generated")) m.generated.push_back({g.at(0).get<double>(), g.at(1).get<double>()});
    read("cache_bytes", m.cache_bytes);
    read("step_bytes", m.step_bytes);
    read("bandwidth", m.bandwidth);
    read("tokens_head", m.tokens_head);
    for (const auto& f : json.at("fallbacks")) {
        const auto text = [&](const char* field) { return f.at(field).get<std::string>(); };
        m.fallbacks.push_back({kept(text("op")), kept(text("from")), kept(text("to")), reason_named(text("reason")),
                               f.at("count").get<std::uint64_t>(), f.at("bytes").get<std::uint64_t>(),
                               f.at("ms").get<double>()});
    }
    for (const auto& input : json.at("inputs"))
        m.inputs.emplace_back(input.at("name").get<std::string>(), input.at("shape").get<std::vector<std::int64_t>>());
    read("warmup", m.warmup);
    read("threads", m.threads);
    m.before = conditions_from(json.at("before"));
    m.after = conditions_from(json.at("after"));
    read("others", m.others);
    read("noise", m.noise);
    if (m.samples_ms.empty()) throw InputError("A row has no samples.", "measure it again.");
    return m;
}

int row_process() {
    std::string line;
    std::getline(std::cin, line);
    suite::end_with_parent();
    bool out_of_memory = false;
    ordered_json answer;
    const std::string problem = sentence_of([&] {
        try {
            const auto json = ordered_json::parse(line);
            const Measured m = do_job(json);
            answer["result"] = measured_json(m);
            if (m.bandwidth > 0)
                answer["result"]["known"]["bandwidth"][json.value("hardware", std::string("cpu"))] = m.bandwidth;
        } catch (const std::exception& e) {
            out_of_memory = says_out_of_memory(e);
            throw;
        }
    });
    if (!problem.empty()) answer = {{"problem", problem}, {"out_of_memory", out_of_memory}};
    say(answer);
    std::fflush(nullptr);
    ::_exit(0);  // at once: nothing is left to do, and what devices do as they are taken down tells nothing
}

}  // namespace silica::bench
