#include "load.hpp"

#include <algorithm>
#include <utility>

#include "progress.hpp"
#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/decoded.hpp"
#include "silica/checkpoint/locate.hpp"
#include "silica/checkpoint/quantised.hpp"
#include "silica/checkpoint/read_scheme.hpp"
#include "silica/core/error.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/in_memory.hpp"

namespace silica::bench {

namespace {

std::int64_t group_of_codes = 64;
bool int8_activations = false;

}  // namespace

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

Loaded load(const Cell& cell, const Origin& from) {
    Origin origin = from;
    origin.bits = cell.bits;
    origin.group = group_of_codes;
    origin.int8_activations = int8_activations;
    Loaded loaded;
    loader::degradation_note().clear();
    if (origin.weights) {
        auto checkpoint = checkpoint::Checkpoint::open(origin.directory);
        if (cell.bits != 0) checkpoint.read_one_by_one();
        if (!origin.target_lang.empty()) cell.speak(origin, checkpoint);
        loaded.model = cell.load(checkpoint, [&](checkpoint::TensorSource& source) {
            checkpoint::Decoded decoded(source, checkpoint);
            return cell.open(origin, decoded);
        });
    } else {
        loader::Random random;
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
