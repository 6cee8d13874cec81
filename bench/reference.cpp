#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "silica/checkpoint/read.hpp"
#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"

namespace silica::bench {
namespace {

constexpr const char* rewrite = "write the file again; tests/golden/make_reference.py shows the format.";

std::string metadata(const checkpoint::Checkpoint& file, const std::string& path, const std::string& key) {
    const auto found = file.metadata().find(key);
    if (found == file.metadata().end()) throw InputError(path + " has no metadata " + quote(key) + ".", rewrite);
    return found->second;
}

double tolerance(const checkpoint::Checkpoint& file, const std::string& path, const std::string& key) {
    const std::string text = metadata(file, path, key);
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !std::isfinite(value) || value < 0) {
        throw InputError(path + " has " + key + " " + quote(text) + ", a number of 0 or more is wanted.", rewrite);
    }
    return value;
}

/// Items of lists in the order of their numbers: "x.2" before "x.10".
bool before(const std::string& a, const std::string& b) {
    const auto split = [](const std::string& name) {
        const auto dot = name.rfind('.');
        const bool item = dot != std::string::npos && dot + 1 < name.size() && name.size() - dot < 10 &&
                          std::ranges::all_of(name.substr(dot + 1), [](char c) { return c >= '0' && c <= '9'; });
        return std::pair(item ? name.substr(0, dot) : name, item ? std::atol(name.c_str() + dot + 1) : -1L);
    };
    return split(a) < split(b);
}

}  // namespace

Reference read_reference(const std::filesystem::path& directory) {
    const auto file = (checkpoint::is_gguf(directory) ? directory.parent_path() : directory) / "reference.safetensors";
    const std::string path = file.string();
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
        throw CheckpointError(
            directory.string() + " has no reference.safetensors, so there is nothing to compare with.",
            "write one with transformers: tests/golden/make_reference.py " + directory.string() + ".");
    }
    const auto checkpoint = checkpoint::Checkpoint::open(file);
    if (const auto format = metadata(checkpoint, path, "format"); format != "silica-reference-1") {
        throw InputError(path + " is of format " + quote(format) + ", silica-reference-1 is wanted.", rewrite);
    }
    Reference reference;
    reference.task = metadata(checkpoint, path, "task");
    if (reference.task != "forward" && reference.task != "generate") {
        throw InputError(path + " has task " + quote(reference.task) + ", forward or generate is wanted.", rewrite);
    }
    if (reference.task == "generate") {
        const auto optional = [&](const char* key) {
            return checkpoint.metadata().contains(key) ? metadata(checkpoint, path, key) : std::string();
        };
        reference.max_new_tokens = optional("max_new_tokens");
        reference.generation_config = optional("generation_config");
    }
    reference.tolerance = {tolerance(checkpoint, path, "atol"), tolerance(checkpoint, path, "rtol")};
    for (const auto& entry : checkpoint.entries()) {
        const bool input = entry.name.starts_with("inputs."), output = entry.name.starts_with("outputs.");
        if (!input && !output) {
            throw InputError(path + " has a tensor " + quote(entry.name) + ", names begin with inputs. or outputs.",
                             rewrite);
        }
        auto& list = input ? reference.inputs : reference.outputs;
        list.emplace_back(entry.name.substr(input ? 7 : 8), checkpoint::read_tensor(checkpoint.file_of(entry), entry));
    }
    if (reference.inputs.empty()) throw InputError(path + " has no inputs.", rewrite);
    if (reference.outputs.empty()) throw InputError(path + " has no outputs.", rewrite);
    const auto by_name = [](const auto& a, const auto& b) { return before(a.first, b.first); };
    std::ranges::sort(reference.inputs, by_name);
    std::ranges::sort(reference.outputs, by_name);
    return reference;
}

}  // namespace silica::bench
