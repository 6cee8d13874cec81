/// `silica plan`: what fits on this machine, before anything is downloaded.

#include <algorithm>
#include <array>
#include <iostream>
#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>

#include "commands.hpp"
#include "errors.hpp"
#include "load.hpp"
#include "machine.hpp"
#include "models.hpp"
#include "progress.hpp"
#include "silica/core/budget.hpp"
#include "silica/core/error.hpp"
#include "table.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;

struct PlanOptions {
    std::string model = "all", output = "table", batch = "1";
    Flag hardware, precision, context, task, group, activations;
    bool small = false;
};

constexpr std::array<std::string_view, 3> loaders{"mapped", "streamed", "cpu-first"};

/// One model on one device in one precision.
struct Plan {
    const Subject* subject;
    const Head* head;
    const Device* device;
    std::string precision, problem = {};  ///< why it was not planned, if it was not
    Sizes sizes = {};
    Budget budget = {};
    Room room = {};
    std::array<Needs, loaders.size()> needs = {};
    std::array<bool, loaders.size()> fit = {};
    bool runs = false;  ///< what stays, with caches and activations, fits
};

/// The files that a model has on the hub, of which none are here: every parameter in the type that they are in.
WeightFiles files_to_come(const Subject& subject, const Budget& budget) {
    std::uint64_t item = 4;
    for (const auto& m : subject.family->models)
        if (m.config == subject.origin.config) item = m.item;
    const auto largest = static_cast<std::uint64_t>(weight_bytes(budget.kept).largest_elements);
    return {.bytes = parameters_of(budget.kept) * item, .largest = largest * item, .item = item};
}

/// What is planned for: `context` tokens of prompt and answer where it says so, else what is usual, as far as the model
/// has positions for it.
Sizes sizes_of(std::optional<std::int64_t> context, const Head& head, const Origin& origin, std::int64_t batch) {
    Sizes sizes{batch, head.usual_new_tokens, head.usual_sizes(origin)};
    if (sizes.new_tokens == 0) return sizes;
    const auto share = [&](std::int64_t tokens) {
        sizes.new_tokens = std::min(sizes.new_tokens, tokens / 2);
        for (auto& [kind, n] : sizes.named)
            if (kind == "prompt_tokens") n = tokens - sizes.new_tokens;
    };
    if (context) {
        share(*context);
        return sizes;
    }
    for (auto tokens = sizes.tokens() + sizes.new_tokens; tokens > 2; share(tokens /= 2))
        if (sentence_of([&] { static_cast<void>(head.inputs(origin, sizes)); }).empty()) break;
    return sizes;
}

Plan planned(const Subject& subject, const Head& head, const Device& device, const std::string& precision,
             const Sizes& sizes, const Room& room, const Room& host) {
    Plan plan{&subject, &head, &device, precision};
    plan.sizes = sizes;
    plan.room = room;
    const Cell* cell = head.cell(device.name, precision, "mapped");
    if (cell == nullptr) {
        plan.problem = std::string(device.name) + " does not run " + precision;
        return plan;
    }
    plan.problem = sentence_of([&] { plan.budget = budget_of(head, *cell, subject.origin, &sizes); });
    if (!plan.problem.empty()) return plan;
    if (!subject.origin.weights) plan.budget.files = files_to_come(subject, plan.budget);
    const bool on_host = plan.budget.on_host;
    for (std::size_t i = 0; i < loaders.size(); ++i) {
        plan.needs[i] = plan.budget.needs(loaders[i]);
        plan.fit[i] = fits(plan.needs[i], on_host, room, host);
    }
    plan.runs = std::ranges::any_of(plan.fit, [](bool fit) { return fit; });
    return plan;
}

double mb(std::uint64_t bytes) { return mebibytes(bytes); }

/// "mapped, streamed"; "no".
std::string verdict(const Plan& p) {
    std::string names;
    for (std::size_t i = 0; i < loaders.size(); ++i)
        if (p.fit[i]) names += (names.empty() ? "" : ", ") + std::string(loaders[i]);
    return names.empty() ? "no" : names.find("mapped, streamed, cpu-first") == 0 ? "yes" : "with " + names;
}

ordered_json json_of(const Plan& p) {
    ordered_json out = {
        {"model", p.subject->origin.name},           {"family", p.subject->family->name}, {"task", p.head->task},
        {"weights_here", p.subject->origin.weights}, {"hardware", p.device->label()},     {"precision", p.precision}};
    if (!p.problem.empty()) {
        out["problem"] = p.problem;
        return out;
    }
    const auto& n = p.needs[0];
    out["batch_size"] = p.sizes.batch;
    for (const auto& [kind, size] : p.sizes.named) out[std::string(kind)] = size;
    if (p.sizes.new_tokens > 0) out["new_tokens"] = p.sizes.new_tokens;
    out["params"] = parameters_of(p.budget.kept);
    out["files_mb"] = mb(p.budget.files.bytes);
    out["weights_mb"] = mb(n.weights + n.host_weights);
    out["cache_mb"] = mb(n.caches);
    out["activations_mb"] = mb(n.activations);
    ordered_json peaks = ordered_json::object();
    for (std::size_t i = 0; i < loaders.size(); ++i) {
        const auto& each = p.needs[i];
        peaks[std::string(loaders[i])] = {{"peak_mb", mb(each.peak(p.budget.on_host))},
                                          {"mapped_mb", mb(each.loading.mapped)},
                                          {"host_peak_mb", mb(each.loading.host)},
                                          {"fits", p.fit[i]}};
    }
    if (!p.subject->origin.weights) {  // what `bench` does meanwhile
        const Needs random = p.budget.needs("random");
        peaks["random"] = {{"peak_mb", mb(random.peak(p.budget.on_host))}, {"host_peak_mb", mb(random.loading.host)}};
    }
    out["loaders"] = peaks;
    out["free_mb"] = p.room.total == 0 ? ordered_json(nullptr) : ordered_json(mb(p.room.free));
    out["total_mb"] = p.room.total == 0 ? ordered_json(nullptr) : ordered_json(mb(p.room.total));
    out["fits"] = p.runs;
    return out;
}

void print(const std::vector<Plan>& plans, Output output, const Room& host) {
    if (output == Output::json) {
        ordered_json rows = ordered_json::array();
        for (const auto& p : plans) rows.push_back(json_of(p));
        std::cout << ordered_json{{"engine", "silica"},
                                  {"machine", machine_facts()},
                                  {"host_free_mb", mb(host.free)},
                                  {"rows", rows}}
                         .dump()
                  << '\n';
        return;
    }
    Table table({{"model"},
                 {"params M", true},
                 {"hardware"},
                 {"precision"},
                 {"weights MB", true},
                 {"cache MB", true},
                 {"activations MB", true},
                 {"peak mapped", true},
                 {"streamed", true},
                 {"cpu-first", true},
                 {"free MB", true},
                 {"fits"}});
    for (const auto& p : plans) {
        if (!p.problem.empty()) {
            table.add({p.subject->origin.name, "-", p.device->label(), p.precision, "-", "-", "-", "-", "-", "-", "-",
                       p.problem});
            continue;
        }
        const auto& n = p.needs[0];
        const auto whole = [](std::uint64_t bytes) { return fixed(mb(bytes), 0); };
        const auto peak = [&](std::size_t i) {
            const auto& each = p.needs[i];
            const bool on_host = p.budget.on_host;
            return whole(each.peak(on_host)) +
                   (on_host && each.loading.in_place > 0 ? "+" + whole(each.loading.in_place) : std::string());
        };
        table.add({p.subject->origin.name, fixed(static_cast<double>(parameters_of(p.budget.kept)) / 1e6, 1),
                   p.device->label(), p.precision, whole(n.weights + n.host_weights), whole(n.caches),
                   whole(n.activations), peak(0), peak(1), peak(2), p.room.total == 0 ? "?" : whole(p.room.free),
                   verdict(p)});
    }
    table.print(std::cout, output);
}

int plan(const PlanOptions& o) {
    const Output output = output_named(o.output, {"table", "json", "csv", "md"});
    use_codes(o.group, o.activations);
    const auto hardware = hardware_named(o.hardware);
    const auto batch = whole_number("--batch-size", o.batch, 1, 65536);
    const auto context = o.context ? std::optional(whole_number("--context", *o.context, 2, 1 << 20)) : std::nullopt;
    std::vector<std::string> precisions;
    if (o.precision) {
        precisions = precisions_named(*o.precision);
    } else {
        for (const auto name : precisions_compiled()) precisions.emplace_back(name);
    }
    const auto subjects = subjects_named(o.model, o.small, {});
    const Device* cpu = find_device("cpu");
    const Room host = cpu != nullptr ? cpu->room() : Room{};
    std::vector<Plan> plans;
    bool available = false, failed = false;
    for (const auto* device : hardware) {
        if (const auto can = device->available(); !can) {
            complain(device->label() + " is not available: " + can.reason + ".");
            continue;
        }
        available = true;
        const Room room = device->room();
        for (const auto& subject : subjects) {
            const Head& head = head_for_task(subject, o.task);
            for (const auto& precision : precisions) {
                plans.push_back(planned(subject, head, *device, precision,
                                        sizes_of(context, head, subject.origin, batch), room, host));
                failed = failed || !plans.back().problem.empty();
            }
        }
    }
    if (!available) return Exit::no_hardware;
    print(plans, output, host);
    return failed && std::ranges::none_of(plans, [](const Plan& p) { return p.problem.empty(); }) ? Exit::bad_input
                                                                                                  : Exit::done;
}

}  // namespace

Action add_plan(CLI::App& app) {
    auto o = std::make_shared<PlanOptions>();
    Command c(app, "plan",
              "What fits in the memory of this machine: models, precisions, loaders; nothing is downloaded");
    c.option("--model", o->model,
             "all, or a list: families, published models, org/name in the hub cache, directories. Default: all");
    c.option("--hardware", o->hardware, "cpu, mps, cuda; a list. Default: all that can be used here");
    c.option("--precision", o->precision, "float32, float16, bfloat16, int8, int4; a list. Default: all");
    c.option("--context", o->context, "tokens of prompt and answer together, for models that write. Default: usual");
    c.option("--batch-size", o->batch, "rows at once. Default: 1");
    c.option("--task", o->task, "which head. Default: the family's first");
    c.option("--group", o->group, "with int8 and int4: columns that share a scale. Default: 64");
    c.flag("--small-model", o->small, "a family's small model instead of its usual one");
    c.option("--output", o->output, "table, json, csv, md. Default: table");
    c.footer(
        "Peaks are the most that is needed at once, while loading or while running. \"+\": pages of mapped files "
        "beside\n"
        "it, which the system takes back when it must, and reads again. Exit codes: 0 done, 2 bad input, 3 none of the "
        "named\nhardware is available.");
    return [o] { return plan(*o); };
}

}  // namespace silica::bench
