#include "models.hpp"

#include <algorithm>

#include "arguments.hpp"
#include "every_family.hpp"
#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/checkpoint/nearest.hpp"
#include "silica/core/gguf.hpp"
#include "silica/core/quote.hpp"

namespace silica::bench {
namespace {

namespace fs = std::filesystem;

bool has_weights(const fs::path& directory) {
    std::error_code error;
    const auto there = [&](auto name) { return fs::exists(directory / name, error); };
    return std::ranges::any_of(checkpoint::weight_files, there) || find_gguf(directory);
}

/// The last part of a path, as a name for tables.
std::string name_of(const fs::path& directory) {
    const auto whole = fs::absolute(directory).lexically_normal();
    const auto last = whole.has_filename() ? whole.filename() : whole.parent_path().filename();
    return last.empty() ? whole.string() : last.string();
}

/// Its checkpoint when the hub cache has it, and otherwise its configuration with random weights.
Subject published(const Family& family, const Published& model) {
    Subject subject{&family, {.name = std::string(model.name), .config = model.config}};
    for (const auto repo : {model.repo, model.name}) {
        try {
            const auto snapshot = checkpoint::hub_snapshot({std::string(repo), {}});
            if (!has_weights(snapshot) || !fs::exists(snapshot / "config.json")) continue;
            subject.origin.directory = snapshot;
            subject.origin.weights = true;
            return subject;
        } catch (const CheckpointError&) {  // not in the cache
        }
    }
    return subject;
}

/// A directory or a repository.
Subject located(std::string_view name) {
    const auto directory = checkpoint::resolve(name, checkpoint::Need::directory);
    Subject subject = subject_in(directory);
    std::error_code error;
    if (!fs::exists(fs::path(std::string(name)), error)) subject.origin.name = name.substr(name.find('/') + 1);
    return subject;
}

/// Everything `--model` knows by name.
std::vector<std::string_view> known_names() {
    std::vector<std::string_view> names = families_written();
    names.push_back("all");
    for (const auto& f : families()) {
        for (const auto& m : f.models) names.push_back(m.name);
    }
    return names;
}

Subject subject_named(std::string_view name, bool small) {
    for (const auto& family : families()) {
        if (name == family.name) return published(family, small ? family.models.back() : family.models.front());
        for (const auto& model : family.models) {
            std::error_code error;
            if (name != model.name && name != model.repo) continue;
            if (!small && !fs::exists(fs::path(std::string(name)), error)) return published(family, model);
        }
    }
    const bool is_family = std::ranges::find(all_family_names(), name) != all_family_names().end();
    if (is_family) static_cast<void>(family_named(name));  // throws: not in this program
    if (small) {
        throw InputError("--small-model goes with the name of a family, not with " + quote(name) + ".",
                         "leave it out, or name one of the families.");
    }
    try {
        return located(name);
    } catch (const CheckpointError& e) {
        std::error_code error;
        if (name.find('/') != std::string_view::npos || fs::exists(fs::path(std::string(name)), error)) throw;
        const auto near = checkpoint::slip_of(name, known_names());
        if (near.empty()) throw;
        throw InputError("There is no model " + quote(name) + ".", "did you mean " + near +
                                                                       "? A family, a directory or a "
                                                                       "repository in the hub cache can be named.");
    }
}

}  // namespace

Subject subject_in(const fs::path& directory, const Flag& family) {
    std::error_code error;
    if (!fs::is_directory(directory, error) && !checkpoint::is_gguf(directory)) {
        throw InputError(directory.string() + " is a file.",
                         "name the directory of the checkpoint, which holds config.json too, or a .gguf file.");
    }
    const Json config = checkpoint::read_json_file(directory, "config.json");
    Subject subject{nullptr, {.name = name_of(directory), .directory = directory, .weights = has_weights(directory)}};
    const Json* type = config.find("model_type");
    if (type != nullptr && type->is_string()) {
        if (family && *family != family_of(type->string())) {
            throw InputError((directory / "config.json").string() + " says model_type " + quote(type->string()) +
                                 ", not " + quote(*family) + ".",
                             "leave --model out.");
        }
        try {
            subject.family = &family_named(family_of(type->string()));
        } catch (const InputError& e) {
            throw ConfigError(
                (directory / "config.json").string() + ": model_type " + quote(type->string()) + ": " + e.problem(),
                e.remedy());
        }
        return subject;
    }
    if (type != nullptr && !type->is_null()) {
        throw ConfigError(
            (directory / "config.json").string() + ": model_type is " + type->brief() + ", a string is wanted.",
            "correct the key, or download the file again.");
    }
    if (family) {
        subject.family = &family_named(*family);
        return subject;
    }
    if (subject.origin.weights) {
        const auto checkpoint = checkpoint::Checkpoint::open(directory);
        for (const auto& f : every_family()) {
            if (f.recognises != nullptr && f.recognises(checkpoint)) {
                subject.family = &f;
                return subject;
            }
        }
    }
    throw ConfigError(
        (directory / "config.json").string() + " has no model_type, and the names of the tensors tell no family.",
        "add \"model_type\" to config.json.");
}

std::vector<Subject> subjects_named(const Flag& models, bool small, const Flag& checkpoint) {
    std::vector<Subject> subjects;
    if (models && *models == "all") {
        for (const auto& f : every_family())
            subjects.push_back(published(f, small ? f.models.back() : f.models.front()));
    } else if (models) {
        for (const auto& name : split_list("--model", *models)) subjects.push_back(subject_named(name, small));
    }
    if (!checkpoint) return subjects;
    if (subjects.size() > 1) {
        throw InputError(
            "--checkpoint gives the weights of one model, but --model names " + std::to_string(subjects.size()) + ".",
            "name one model.");
    }
    Subject given = subject_in(checkpoint::resolve(*checkpoint, checkpoint::Need::directory),
                               subjects.empty() ? Flag{} : Flag(subjects[0].family->name));
    static_cast<void>(checkpoint::locate_weights(given.origin.directory));  // throws when there are none
    if (!subjects.empty()) given.origin.name = subjects[0].origin.name;
    return {given};
}

const Head& head_for_task(const Subject& subject, const Flag& task) {
    const Family& family = *subject.family;
    if (!task) {
        if (subject.origin.directory.empty()) return family.heads.front();
        const Json config = checkpoint::read_json_file(subject.origin.directory, "config.json");
        const Json* type = config.find("model_type");
        const bool named = type != nullptr && type->is_string();
        const auto opens = [&](const Head& h) { return !named || h.opens(type->string()); };
        const auto first = std::ranges::find_if(family.heads, opens);
        return first == family.heads.end() ? family.heads.front() : *first;
    }
    std::vector<std::string_view> known;
    for (const auto& h : family.heads) {
        if (h.task == *task) return h;
        known.push_back(h.task);
    }
    unknown_name(std::string(family.name) + " task", *task, known);
}

const Head& head_for_checkpoint(const Subject& subject) {
    const Json config = checkpoint::read_json_file(subject.origin.directory, "config.json");
    const Json* key = config.find("architectures");
    if (key == nullptr || key->is_null()) return head_for_task(subject, {});
    std::vector<std::string> names;
    read_json(names, *key, (subject.origin.directory / "config.json").string() + ": architectures");
    if (names.empty()) return head_for_task(subject, {});
    std::string known;
    for (const auto& head : subject.family->heads) {
        for (const auto& name : names) {
            if (head.architecture == name) return head;
        }
        known += (known.empty() ? "" : ", ") + std::string(head.architecture);
    }
    throw ConfigError((subject.origin.directory / "config.json").string() + ": architectures names " + quote(names[0]) +
                          ", a head that this version does not have.",
                      "known heads of " + std::string(subject.family->name) + " are " + known + ".");
}

const Head& head_named(const Subject& subject, std::string_view architecture) {
    for (const auto& head : subject.family->heads) {
        if (head.architecture == architecture) return head;
    }
    throw ConfigError("This program has no " + std::string(architecture) + ".", "build it with all families.");
}

void refuse_head(const Subject& subject, const Head& head, const std::string& why, const std::string& remedy) {
    throw ConfigError((subject.origin.directory / "config.json").string() + " names " + std::string(head.architecture) +
                          ", which " + why + ".",
                      remedy);
}

}  // namespace silica::bench
