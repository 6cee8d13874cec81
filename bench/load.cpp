#include "load.hpp"

#include <utility>

#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/decoded.hpp"
#include "silica/core/error.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/in_memory.hpp"

namespace silica::bench {

const Cell& cell_of(const Head& head, const Device& device, const std::string& precision, const std::string& loader) {
    if (const auto* cell = head.cell(device.name, precision, loader)) return *cell;
    throw InputError(std::string(device.name) + " does not run " + precision + ".", "choose another --precision.");
}

Loaded load(const Cell& cell, const Origin& origin) {
    Loaded loaded;
    loader::degradation_note().clear();
    if (origin.weights) {
        auto checkpoint = checkpoint::Checkpoint::open(origin.directory);
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
    if (auto& note = loader::degradation_note(); !note.empty()) loaded.notes.push_back(std::exchange(note, {}));
    return loaded;
}

}  // namespace silica::bench
