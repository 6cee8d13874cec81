/// `silica verify`: does a checkpoint give the outputs of its reference file?

#include <algorithm>
#include <iostream>
#include <memory>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "errors.hpp"
#include "generate_flags.hpp"
#include "load.hpp"
#include "models.hpp"
#include "progress.hpp"
#include "prompt.hpp"
#include "reference.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/core/quote.hpp"
#include "silica/generate/complete.hpp"
#include "silica/generate/read_config.hpp"
#include "verify_report.hpp"

namespace silica::bench {
namespace {

struct VerifyOptions {
    Flag model, threads, group, activations;
    std::string directory, hardware = "cpu", precision = "float32", loader = "mapped", output = "table";
    bool no_budget = false;
};

/// How transformers' generate was called for the reference.
generate::GenerationConfig config_of(const Reference& reference, const std::filesystem::path& directory) {
    generate::GenerationConfig c;
    if (!reference.generation_config.empty())
        c = generation_keys(json_argument("generation_config", reference.generation_config), "generation_config");
    c.max_new_tokens =
        whole_number("The metadata max_new_tokens of the reference", reference.max_new_tokens, 1, 1 << 30);
    c.beyond_context = true;
    if (!c.do_sample) c.do_sample = false;
    return generate::merged(std::move(c), generate::read_generation_config(directory));
}

/// A reference of task generate: outputs.sequences as transformers' generate returns them.
void verify_text(Run& run, Opened& model, const Subject& subject, const Reference& reference) {
    const FallbackScope scope;
    const auto out = generate::complete(*model.decoder(), prompt_of(reference.inputs),
                                        config_of(reference, subject.origin.directory));
    run.fallbacks = scope.report();
    for (const auto& [name, want] : reference.outputs) {
        if (name != "sequences")
            throw InputError("The reference holds outputs." + name + ", which task generate does not give.",
                             "its output is sequences.");
        run.compared.push_back(
            {name, want.sizes().vec(), compare_texts(out.sequences, want, out.start, run.precision)});
    }
}

void verify_run(Run& run, const Subject& subject, const Head& head, const Reference& reference) {
    const Cell& cell = cell_of(head, *run.device, run.precision, run.loader);
    const Progress progress(subject.origin.name + " " + run.device->label() + " " + run.precision + " " + run.loader,
                            1);
    const auto [model, notes] = load(cell, subject.origin);
    run.notes = notes;
    if (reference.task == "generate") return verify_text(run, *model, subject, reference);
    model->feed(reference.inputs);
    const FallbackScope scope;
    model->call();
    model->synchronize();
    run.fallbacks = scope.report();
    const Named got = model->outputs();
    const auto named = [](const Named& list, const std::string& name) {
        return std::ranges::find(list, name, [](const auto& item) { return item.first; });
    };
    for (const auto& [name, want] : reference.outputs) {
        const auto found = named(got, name);
        if (found == got.end()) {
            std::string known;
            for (const auto& item : got) known += (known.empty() ? "" : ", ") + item.first;
            throw InputError(
                "The reference holds outputs." + name + ", which " + std::string(head.architecture) +
                    " does not give for this checkpoint.",
                "its outputs here are " + known + "; write the reference with the class that config.json names.");
        }
        run.compared.push_back(
            {name, want.sizes().vec(), compare(found->second, want, run.precision, reference.tolerance)});
    }
    for (const auto& [name, tensor] : got) {
        if (named(reference.outputs, name) == reference.outputs.end()) run.not_compared.push_back(name);
    }
}

int verify(const VerifyOptions& o) {
    const Output output = output_named(o.output, {"table", "json", "csv", "md"});
    use_threads(o.threads);
    use_codes(o.group, o.activations);
    use_budget(!o.no_budget);
    const auto hardware = hardware_named(o.hardware);
    const auto precisions = precisions_named(o.precision);
    const auto loaders = loaders_named(o.loader);
    const auto directory = checkpoint::resolve(o.directory, checkpoint::Need::directory);
    const Subject subject = subject_in(directory, o.model);
    const Head& head = head_for_checkpoint(subject);
    static_cast<void>(checkpoint::locate_weights(directory));  // throws when there are none
    const Reference reference = read_reference(directory);
    if (reference.task == "generate" && head.task != "generate") {
        throw InputError("The reference is of task generate, which " + std::string(head.architecture) + " does not do.",
                         "write a reference of task forward.");
    }
    std::vector<Run> runs;
    bool passed = true, available = false;
    for (const auto* device : hardware) {
        const auto can = device->available();
        available = available || can.usable;
        for (const auto& precision : precisions) {
            for (const auto& loader : loaders) {
                Run& run = runs.emplace_back(Run{.device = device, .precision = precision, .loader = loader});
                if (can)
                    verify_run(run, subject, head, reference);
                else
                    run.unavailable = can.reason;
                passed = passed && (!can || run.passed());
            }
        }
    }
    print_runs(std::cout, output, subject, head, runs, passed && available);
    for (const auto* device : hardware) {
        if (const auto can = device->available(); !can)
            complain(device->label() + " is not available: " + can.reason + ".");
    }
    return !available ? Exit::no_hardware : passed ? Exit::done : Exit::comparison_failed;
}

}  // namespace

Action add_verify(CLI::App& app) {
    auto o = std::make_shared<VerifyOptions>();
    Command c(app, "verify", "Compare a model's outputs with the reference.safetensors in its directory");
    c.argument("directory", o->directory, true, "checkpoint directory, or org/name in the hub cache");
    c.option("--model", o->model, "the family, where config.json has no model_type");
    c.option("--hardware", o->hardware, "cpu, mps, cuda; a list. Default: cpu");
    c.option("--precision", o->precision, "float32, float16, bfloat16, int8, int4; a list. Default: float32");
    c.option("--group", o->group,
             "with int8 and int4: columns that share a scale, 32, 64, 128, or 0 (the row; int8). Default: 64");
    c.option("--activations", o->activations,
             "with int8 and int4: exact, or int8 (faster, less exact). Default: exact");
    c.option("--loader", o->loader, "mapped, cpu-first, streamed, auto; a list. Default: mapped");
    c.flag("--no-budget", o->no_budget, "load without looking whether there is memory for it");
    c.option("--threads", o->threads, "threads of the CPU. Default: LibTorch's choice");
    c.option("--output", o->output, "table, json, csv, md. Default: table");
    c.footer(
        "Exit codes: 0 all outputs pass, 1 a comparison failed, 2 bad input, 3 none of the named hardware is "
        "available.");
    return [o] { return verify(*o); };
}

}  // namespace silica::bench
