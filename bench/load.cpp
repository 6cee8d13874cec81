#include "load.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <utility>

#include <ATen/core/Tensor.h>

#include "progress.hpp"
#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/decoded.hpp"
#include "silica/checkpoint/locate.hpp"
#include "silica/checkpoint/quantised.hpp"
#include "silica/checkpoint/read_scheme.hpp"
#include "silica/core/error.hpp"
#include "silica/loader/admission.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/in_memory.hpp"

namespace silica::bench {

namespace {

std::int64_t group_of_codes = 64;
bool int8_activations = false;
bool looks_at_memory = true;

/// As weights are quantised here.
Origin as_chosen(Origin origin, const Cell& cell) {
    origin.bits = cell.bits;
    origin.group = group_of_codes;
    origin.int8_activations = int8_activations;
    return origin;
}

/// The family and head of a point of the grid.
std::pair<const Family*, const Head*> owner_of(const Cell& cell) {
    for (const auto& family : families()) {
        for (const auto& head : family.heads) {
            const auto* const first = head.cells.data();
            if (!std::less<>()(&cell, first) && std::less<>()(&cell, first + head.cells.size()))
                return {&family, &head};
        }
    }
    throw InputError("This is no point of the program's grid.", "take one of a head.");
}

/// "--precision int4 --loader streamed (4.6 GiB)": a choice as flags.
std::string flags_of(const Choice& c, bool on_host, std::string_view loader, std::string_view precision) {
    std::string text;
    if (c.tokens > 0) text = "a context of " + std::to_string(c.tokens) + " tokens";
    if (c.batch > 0) text = "a batch of " + std::to_string(c.batch);
    if (!c.precision.empty() && c.precision != precision) text += "--precision " + c.precision;
    if (!c.loader.empty() && c.loader != loader) text += (text.empty() ? "" : " ") + ("--loader " + c.loader);
    return text + " (" + bytes_text(c.needs.peak(on_host)) + ")";
}

/// Asks for room for one loader. DeviceError with what would fit, as flags.
void ask_for_room(const Cell& cell, const Origin& origin, const Sizes* sizes, std::string_view loader) {
    const auto [family, head] = owner_of(cell);
    const Device& device = *find_device(cell.device);
    Budget budget;
    try {
        budget = budget_of(*head, cell, origin, sizes);
    } catch (const c10::Error& e) {
        note(std::string(head->architecture) +
             ": what it needs of memory is not known: " + std::string(e.what_without_backtrace()).substr(0, 200));
        return;
    }
    const Room room = device.room();
    const Room host = budget.on_host ? room : find_device("cpu") != nullptr ? find_device("cpu")->room() : Room{};
    if (fits(budget.needs(loader), budget.on_host, room, host)) return;
    const auto forms = forms_on(device);
    constexpr std::array<std::string_view, 2> loaders{"mapped", "streamed"};
    std::string list;
    const auto add = [&](const std::string& text) { list += (list.empty() ? "" : "; ") + text; };
    for (const auto& c : choices(budget, cell.precision, loader, forms, loaders, room, host))
        add(flags_of(c, budget.on_host, loader, cell.precision));
    if (!budget.on_host) {
        if (const Cell* cpu = head->cell("cpu", cell.precision, cell.loader)) {
            const Budget there = budget_of(*head, *cpu, origin, sizes);
            if (fits(there.needs(loader), true, host, host))
                add("--hardware cpu (" + bytes_text(there.needs(loader).peak(true)) + ")");
        }
    }
    const Published& small = family->models.back();
    if (!origin.weights && small.config != origin.config) {
        const Origin other{.name = std::string(small.name), .config = small.config};
        const Needs needs = budget_of(*head, cell, other).needs("random");
        if (fits(needs, budget.on_host, room, host))
            add("--small-model (" + std::string(small.name) + ", " + bytes_text(needs.peak(budget.on_host)) + ")");
    }
    refuse_for_room(budget, cell.precision, loader, room, host,
                    (list.empty() ? "nothing of this model fits here: use a smaller one or free memory"
                                  : "what would fit: " + list) +
                        "; --no-budget loads it all the same.");
}

}  // namespace

void use_budget(bool looks) { looks_at_memory = looks; }

std::vector<NamedForm> forms_on(const Device& device) {
    const std::uint64_t own = device.default_precision == "float32" ? 4 : 2;
    const std::int64_t group = group_of_codes;
    const std::vector<NamedForm> all = {{"float32", {.item = 4}},
                                        {"float16", {.item = 2}},
                                        {"bfloat16", {.item = 2}},
                                        {"int8", {.item = own, .bits = 8, .group = group}},
                                        {"int4", {.item = own, .bits = 4, .group = group == 0 ? 64 : group}}};
    std::vector<NamedForm> compiled;
    for (const auto& form : all) {
        const auto& names = precisions_compiled();
        if (std::ranges::find(names, form.name) != names.end()) compiled.push_back(form);
    }
    return compiled;
}

Budget budget_of(const Head& head, const Cell& cell, const Origin& from, const Sizes* sizes) {
    const Origin origin = as_chosen(from, cell);
    const Sizes usual = sizes != nullptr ? *sizes : Sizes{1, head.usual_new_tokens, head.usual_sizes(origin)};
    Named inputs;
    std::int64_t tokens = 0;
    try {
        inputs = head.inputs(origin, usual);
    } catch (const InputError&) {  // what is usual does not suit this configuration
        if (sizes != nullptr) throw;
    }
    if (usual.new_tokens > 0 && !inputs.empty()) {
        tokens = usual.tokens() + usual.new_tokens;
        for (const auto& [name, tensor] : inputs)
            if (name == "decoder_input_ids") tokens = tensor.size(1) + usual.new_tokens;
    }
    std::optional<checkpoint::Checkpoint> files;
    if (origin.weights) {
        files = checkpoint::Checkpoint::open(origin.directory);
        if (!origin.target_lang.empty()) cell.speak(origin, *files);
    }
    for (;; tokens /= 2) {
        try {
            return cell.budget(origin, files ? &*files : nullptr, inputs, usual.batch, tokens);
        } catch (const InputError&) {  // what is usual is more than the model has positions for
            if (sizes != nullptr || tokens < 2) throw;
        }
    }
}

void use_codes(const Flag& group, const Flag& activations) {
    if (activations && *activations != "exact" && *activations != "int8")
        unknown_name("kind of activations", *activations, {"exact", "int8"});
    int8_activations = activations && *activations == "int8";
    if (!group) return;
    group_of_codes = whole_number("--group", *group, 0, 128);
    checkpoint::require_quantising(group_of_codes == 0 ? 8 : 4, group_of_codes);
}

std::string precision_for(const Flag& named, const Subject& subject, const Device& device) {
    if (named) return precisions_named(*named).front();
    std::string own(device.default_precision);
    if (subject.origin.directory.empty()) return own;
    const auto scheme = checkpoint::read_scheme(subject.origin.directory);
    const bool gguf =
        subject.origin.weights && checkpoint::is_gguf(checkpoint::locate_weights(subject.origin.directory));
    if (scheme.method == checkpoint::Scheme::Method::plain && !gguf) return own;
    const std::string codes = !gguf && scheme.bits == 8 ? "int8" : "int4";
    const auto& compiled = precisions_compiled();
    return std::ranges::find(compiled, codes) != compiled.end() ? codes : own;
}

const Cell& cell_of(const Head& head, const Device& device, const std::string& precision, const std::string& loader) {
    if (const auto* cell = head.cell(device.name, precision, loader)) return *cell;
    throw InputError(std::string(device.name) + " does not run " + precision + ".", "choose another --precision.");
}

Loaded load(const Cell& cell, const Origin& from, const Sizes* sizes) {
    const Origin origin = as_chosen(from, cell);
    Loaded loaded;
    const loader::Admission admission([&](std::string_view loader) {
        if (looks_at_memory && loader != "auto")
            ask_for_room(cell, origin, sizes, loader);  // auto asks for what it tries
    });
    loader::degradation_note().clear();
    if (origin.weights) {
        loader::Admission::ask(cell.loader);
        auto checkpoint = checkpoint::Checkpoint::open(origin.directory);
        if (cell.bits != 0) checkpoint.read_one_by_one();
        if (!origin.target_lang.empty()) cell.speak(origin, checkpoint);
        loaded.model = cell.load(checkpoint, [&](checkpoint::TensorSource& source) {
            checkpoint::Decoded decoded(source, checkpoint);
            return cell.open(origin, decoded);
        });
    } else {
        loader::Random random;
        loader::Admission::ask(loader::Random::name);
        loaded.model = cell.open(origin, random);
    }
    loaded.model->synchronize();
    loaded.notes = loaded.model->account().notes;
    if (cell.bits != 0 && int8_activations) {
        loaded.notes.emplace_back("inputs of products in 8 bits, by groups of 32");
        note(std::string(cell.precision) + ": " + loaded.notes.back());
    }
    if (auto& note = loader::degradation_note(); !note.empty()) loaded.notes.push_back(std::exchange(note, {}));
    return loaded;
}

}  // namespace silica::bench
