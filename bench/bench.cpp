/// `silica bench`: how fast a model is here.

#include <array>
#include <memory>

#include <ATen/core/Tensor.h>

#include "arguments.hpp"
#include "bench_run.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "load.hpp"
#include "models.hpp"
#include "progress.hpp"
#include "silica/core/error.hpp"

namespace silica::bench {
namespace {

struct BenchOptions {
    Flag model, hardware, precision, loader, checkpoint, task, batch, new_tokens, threads, group, activations;
    Flag iterations, warmup, within, shard, resume;
    std::array<Flag, size_kinds.size()> sizes;
    std::string output = "table";
    bool memory_efficient = false, alternative_loading = false, small = false, no_budget = false;
    RunOptions run;
    std::string row_time_limit = "600";
};

std::vector<std::string> chosen_loaders(const BenchOptions& o) {
    const int flags = (o.loader ? 1 : 0) + (o.memory_efficient ? 1 : 0) + (o.alternative_loading ? 1 : 0);
    if (flags > 1) {
        throw InputError(
            "--loader, --memory-efficient (streamed) and --alternative-loading (cpu-first) all choose the loader.",
            "give one of them; --loader takes a list.");
    }
    if (o.memory_efficient) return {"streamed"};
    if (o.alternative_loading) return {"cpu-first"};
    return loaders_named(o.loader.value_or("mapped"));
}

/// The lists of the command line, checked before anything is looked for or loaded.
struct Axes {
    std::vector<const Device*> hardware;
    std::vector<std::string> precisions, loaders;                    ///< no precision: each device's own
    std::vector<std::int64_t> batches, new_tokens;                   ///< none: each family's usual number
    std::array<std::vector<std::int64_t>, size_kinds.size()> sizes;  ///< the same, of each kind
    suite::Sampling sampling;

    explicit Axes(const BenchOptions& o)
        : hardware(hardware_named(o.hardware)),
          precisions(o.precision ? precisions_named(*o.precision) : std::vector<std::string>{}),
          loaders(chosen_loaders(o)),
          batches(whole_numbers("--batch-size", o.batch.value_or("1"), 1, 65536)),
          new_tokens(o.new_tokens ? whole_numbers("--new-tokens", *o.new_tokens, 1, 1 << 20)
                                  : std::vector<std::int64_t>{}) {
        if (o.iterations) sampling.iterations = whole_number("--iterations", *o.iterations, 1, 1'000'000);
        if (o.warmup) sampling.warmup = whole_number("--warmup", *o.warmup, 0, 1'000'000);
        if (o.within) sampling.within = static_cast<double>(whole_number("--within", *o.within, 1, 1000)) / 100;
        for (std::size_t i = 0; i < sizes.size(); ++i)
            if (o.sizes[i]) sizes[i] = whole_numbers(std::string(size_kinds[i].flag), *o.sizes[i], 1, 1 << 20);
    }

    /// What the command line says of a kind of size; `usual` where it says nothing.
    [[nodiscard]] std::vector<std::int64_t> of(std::string_view kind, std::int64_t usual) const {
        for (std::size_t i = 0; i < sizes.size(); ++i)
            if (size_kinds[i].name == kind && !sizes[i].empty()) return sizes[i];
        return {usual};
    }
};

/// Every combination of the sizes that a head is measured in.
std::vector<NamedSizes> combinations(const Axes& axes, const NamedSizes& usual) {
    std::vector<NamedSizes> all = {{}};
    for (const auto& [kind, n] : usual) {
        std::vector<NamedSizes> longer;
        for (const auto& sizes : all) {
            for (const auto value : axes.of(kind, n)) {
                longer.push_back(sizes);
                longer.back().emplace_back(kind, value);
            }
        }
        all = std::move(longer);
    }
    return all;
}

/// Every combination. Inputs are made once each, so that wrong sizes are refused before anything is loaded.
std::vector<Job> plan(const Axes& axes, const std::vector<Subject>& subjects, const Flag& task) {
    std::vector<Job> jobs;
    const auto add = [&](const Subject& subject, const Head& head, const Device& device, Sizes sizes) {
        const std::vector<std::string> own = {precision_for({}, subject, device)};
        for (const auto& precision : axes.precisions.empty() ? own : axes.precisions) {
            for (const auto& loader : axes.loaders) {
                jobs.push_back({&subject, &head, &device, precision, loader, sizes, axes.sampling});
                if (!subject.origin.weights) break;  // nothing is loaded, so one row is enough
            }
        }
    };
    for (const auto& subject : subjects) {
        const Head& head = head_for_task(subject, task);
        for (const auto batch : axes.batches) {
            for (const auto& named : combinations(axes, head.usual_sizes(subject.origin))) {
                const bool generates = head.usual_new_tokens > 0 && !axes.new_tokens.empty();
                for (const auto more : generates ? axes.new_tokens : std::vector{head.usual_new_tokens}) {
                    const Sizes sizes{batch, more, named};
                    static_cast<void>(head.inputs(subject.origin, sizes));
                    for (const auto* device : axes.hardware) add(subject, head, *device, sizes);
                }
            }
        }
    }
    return jobs;
}

/// What belongs to another plan than that of the run that is continued.
void refuse_beside_resume(const BenchOptions& o) {
    const std::pair<const char*, bool> given[] = {
        {"--model", o.model.has_value()},
        {"--checkpoint", o.checkpoint.has_value()},
        {"--hardware", o.hardware.has_value()},
        {"--precision", o.precision.has_value()},
        {"--loader", !(chosen_loaders(o) == std::vector<std::string>{"mapped"}) || o.loader},
        {"--task", o.task.has_value()},
        {"--batch-size", o.batch.has_value()},
        {"--shard", o.shard.has_value()},
        {"--new-tokens", o.new_tokens.has_value()},
        {"--iterations", o.iterations.has_value()},
        {"--warmup", o.warmup.has_value()},
        {"--within", o.within.has_value()},
        {"--threads", o.threads.has_value()},
        {"--group", o.group.has_value()},
        {"--activations", o.activations.has_value()},
        {"--small-model", o.small},
        {"--no-budget", o.no_budget},
        {"--name", o.run.name.has_value()},
        {"--no-store", o.run.no_store}};
    for (const auto& [name, is] : given) {
        if (is)
            throw InputError("--resume goes on with a run as it was begun; " + std::string(name) + " is of another.",
                             "leave it out; or leave --resume out, for a new run.");
    }
}

int bench(const BenchOptions& o) {
    RunOptions run = o.run;
    run.output = output_named(o.output);
    run.limit_s = static_cast<double>(whole_number("--row-time-limit", o.row_time_limit, 1, 1'000'000));
    if (o.resume) {
        refuse_beside_resume(o);
        return resume_run(*o.resume, run);
    }
    use_threads(o.threads);
    use_codes(o.group, o.activations);
    use_budget(!o.no_budget);
    if (!o.model && !o.checkpoint) {
        throw InputError("bench needs --model or --checkpoint.", "say for example `silica bench --model bert`.");
    }
    if (run.name) suite::require_run_name(*run.name);
    if (o.shard) run.shard = suite::shard_named(*o.shard);
    const Axes axes(o);
    const auto subjects = subjects_named(o.model, o.small, o.checkpoint);
    for (const auto& s : subjects) {
        if (!s.origin.weights) note(s.origin.name + ": no weights on this machine, they are random");
    }
    return new_run(plan(axes, subjects, o.task), {o.group, o.activations, o.threads, o.no_budget}, run);
}

}  // namespace

Action add_bench(CLI::App& app) {
    auto o = std::make_shared<BenchOptions>();
    Command c(app, "bench", "Measure how fast models run, in every combination of what is named");
    c.option("--model", o->model, "family, published model, org/name in the hub cache, directory; a list; or all");
    c.option("--hardware", o->hardware, "cpu, mps, cuda; a list. Default: all that can be used here");
    c.option("--precision", o->precision, "float32, float16, bfloat16, int8, int4; a list. Default: the device's own");
    c.option("--group", o->group,
             "with int8 and int4: columns that share a scale, 32, 64, 128, or 0 (the row; int8). Default: 64");
    c.option("--activations", o->activations,
             "with int8 and int4: exact, or int8 (faster, less exact). Default: exact");
    c.option("--loader", o->loader, "mapped, cpu-first, streamed, auto; a list. Default: mapped");
    c.flag("--memory-efficient", o->memory_efficient, "the same as --loader streamed");
    c.flag("--alternative-loading", o->alternative_loading, "the same as --loader cpu-first");
    c.flag("--no-budget", o->no_budget, "load without looking whether there is memory for it");
    c.option("--batch-size", o->batch, "a list of numbers. Default: 1");
    for (std::size_t i = 0; i < size_kinds.size(); ++i) {
        const std::string flag(size_kinds[i].flag), help(size_kinds[i].help);
        c.option(flag.c_str(), o->sizes[i], (help + ". Default: what is usual for the model").c_str());
    }
    c.option("--new-tokens", o->new_tokens,
             "how many tokens a task that generates makes; a list. Default: what is usual");
    c.option("--task", o->task, "which head, for example embed or mlm. Default: the family's first");
    c.flag("--small-model", o->small, "a family's small model instead of its usual one");
    c.option("--checkpoint", o->checkpoint, "directory or repository that holds the weights of the model");
    c.option("--iterations", o->iterations, "measured calls. Default: as many as --within needs, 10 s at the most");
    c.option("--warmup", o->warmup, "calls before those. Default: until their times settle");
    c.option("--within", o->within, "how wide the 95 % interval of the median may be, in percent. Default: 5");
    c.option("--threads", o->threads, "threads of the CPU. Default: LibTorch's choice");
    c.option("--row-time-limit", o->row_time_limit, "seconds after which a row is given up. Default: 600");
    c.option("--shard", o->shard, "i/n: only every n-th row, from the i-th; for n machines that share the work");
    c.optional("--resume", o->resume, "go on with a run that was stopped: its number or name. Default: the last one");
    c.option("--store", o->run.store, "file that keeps the runs. Default: $SILICA_STORE, or one in the home directory");
    c.flag("--no-store", o->run.no_store, "keep nothing");
    c.option("--name", o->run.name, "a name for the run");
    c.option("--output", o->output, "table, json, jsonl, csv, md. Default: table");
    c.footer(
        "Without weights on this machine they are random, and every output says so. Inputs are pseudo-random, on the\n"
        "host; a call checks and moves them. Each row is measured in a process of its own: one that crashes, hangs or "
        "runs\n"
        "out of memory is a row with its reason. Where memory runs out a smaller batch is tried, then the CPU, and "
        "said.\n"
        "Rows are stored as they are done: `silica runs` lists them. Exit codes: 0 done, 2 bad input or a row failed,\n"
        "3 none of the named hardware is available, 130 stopped with Ctrl-C.");
    return [o] { return bench(*o); };
}

}  // namespace silica::bench
