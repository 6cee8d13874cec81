/// `silica quantize`: a checkpoint again, with weights of 4 or 8 bits.

#include <iostream>
#include <memory>
#include <set>
#include <string>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "errors.hpp"
#include "load.hpp"
#include "models.hpp"
#include "progress.hpp"
#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/checkpoint/quantised.hpp"
#include "silica/core/error.hpp"
#include "silica/loader/quantise_checkpoint.hpp"
#include "table.hpp"

namespace silica::bench {
namespace {

struct QuantizeOptions {
    std::string directory, precision = "int4", group = "64";
    Flag to;
    bool no_budget = false;
};

/// The matrices of a model's products, by the names of its files. Nothing is read for that.
std::set<std::string> matrices_of(const Subject& subject, const Head& head) {
    const Cell* cell = head.cell("cpu", "int4", "mapped");
    if (cell == nullptr) cell = head.cell("cpu", "int8", "mapped");
    if (cell == nullptr) {
        throw InputError(
            "Neither int4 nor int8 on the CPU is compiled into this program, which shows what to quantise.",
            "configure with -DSILICA_PRECISIONS= (empty for all) and build again.");
    }
    return budget_of(head, *cell, subject.origin).in_codes;
}

int quantize(const QuantizeOptions& o) {
    if (o.precision != "int4" && o.precision != "int8")
        unknown_name("precision to quantise in", o.precision, {"int4", "int8"});
    if (!o.to) throw InputError("quantize needs --to.", "name the directory to write, which does not exist yet.");
    const int bits = o.precision == "int4" ? 4 : 8;
    const auto group = whole_number("--group", o.group, 0, 128);
    checkpoint::require_quantising(bits, group);
    const auto directory = checkpoint::resolve(o.directory, checkpoint::Need::directory);
    const Subject subject = subject_in(directory);
    const Head& head = head_for_checkpoint(subject);
    static_cast<void>(checkpoint::locate_weights(directory));  // throws when there are none
    auto files = checkpoint::Checkpoint::open(directory);
    files.read_one_by_one();
    loader::require_plain(files);
    const auto made = loader::quantise_checkpoint(files, matrices_of(subject, head), bits, group, *o.to, !o.no_budget);
    const auto megabytes = [](std::uint64_t n) { return fixed(static_cast<double>(n) / 1e6, 1) + " MB"; };
    note(std::to_string(made.quantised) + " matrices in " + std::to_string(bits) + " bits by groups of " +
         std::to_string(group) + ", " + std::to_string(made.kept) + " tensors as they were: " + megabytes(made.bytes) +
         ", before " + megabytes(made.bytes_before));
    return Exit::done;
}

}  // namespace

Action add_quantize(CLI::App& app) {
    auto o = std::make_shared<QuantizeOptions>();
    Command c(app, "quantize", "Write a checkpoint with weights of 4 or 8 bits");
    c.argument("directory", o->directory, true, "checkpoint directory, or org/name in the hub cache");
    c.option("--precision", o->precision, "int4, int8. Default: int4");
    c.option("--group", o->group, "columns that share a scale: 32, 64, 128. Default: 64");
    c.option("--to", o->to, "the directory to write; it must not exist");
    c.flag("--no-budget", o->no_budget, "write without looking whether there is memory and room on the disk for it");
    c.footer(
        "Matrices of products are quantised, and those whose columns are not whole groups stay. The form is MLX's: "
        "uint32\ncodes, scales, biases. Other files are copied; the directory appears when all of it is written.");
    return [o] { return quantize(*o); };
}

}  // namespace silica::bench
