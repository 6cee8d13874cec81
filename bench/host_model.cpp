#include "host_model.hpp"

#include <algorithm>

#include "errors.hpp"
#include "silica/checkpoint/hub.hpp"

namespace silica::bench {

void PlaceFlags::add_directory_to(Command& c) {
    c.argument("directory", directory, true, "checkpoint directory, or org/name in the hub cache");
}

void PlaceFlags::add_to(Command& c) {
    c.option("--hardware", hardware, "cpu, mps, cuda. Default: cpu");
    c.option("--precision", precision, "float32, float16, bfloat16, int8, int4 Default: the device's own");
    c.option("--group", group,
             "with int8 and int4: columns that share a scale, 32, 64, 128, or 0 (the row; int8). Default: 64");
    c.option("--activations", activations, "with int8 and int4: exact, or int8 (faster, less exact). Default: exact");
    c.option("--loader", loader, "mapped, cpu-first, streamed, auto. Default: mapped");
    c.flag("--memory-efficient", memory_efficient, "the same as --loader streamed");
    c.flag("--alternative-loading", alternative_loading, "the same as --loader cpu-first");
    c.flag("--no-budget", no_budget, "load without looking whether there is memory for it");
    c.option("--threads", threads, "threads of the CPU. Default: LibTorch's choice");
}

const Device* PlaceFlags::device() const {
    use_threads(threads);
    use_codes(group, activations);
    use_budget(!no_budget);
    const auto named = hardware_named(hardware);
    if (named.size() != 1) throw InputError("--hardware names several devices.", "name one.");
    if (const auto can = named[0]->available(); !can) {
        complain(named[0]->label() + " is not available: " + can.reason + ".");
        return nullptr;
    }
    return named[0];
}

Subject PlaceFlags::subject() const { return subject_in(checkpoint::resolve(directory, checkpoint::Need::directory)); }

std::shared_ptr<Opened> PlaceFlags::open(const Subject& subject, const Head& head, const Device& device) const {
    const auto numbers = precision_for(precision, subject, device);
    static_cast<void>(checkpoint::locate_weights(subject.origin.directory));  // throws when there are none
    return load(cell_of(head, device, numbers, loader_chosen(loader, memory_efficient, alternative_loading)),
                subject.origin)
        .model;
}

std::vector<Tensor> HostModel::outputs(const Named& inputs, std::initializer_list<std::string_view> names) const {
    model_->feed(inputs);
    model_->call();
    std::vector<Tensor> found(names.size());
    for (const auto& [field, tensor] : model_->outputs()) {
        const auto* const name = std::ranges::find(names, field);
        if (name != names.end())
            found[static_cast<std::size_t>(name - names.begin())] = tensor.to(c10::Device(c10::DeviceType::CPU));
    }
    return found;
}

Tensor HostModel::output(const Named& inputs, std::string_view name) const {
    const Tensor found = outputs(inputs, {name}).front();
    if (found.defined()) return found.to(c10::ScalarType::Float);
    throw ConfigError("This architecture gives no " + std::string(name) + ".", "use a checkpoint of another head.");
}

}  // namespace silica::bench
