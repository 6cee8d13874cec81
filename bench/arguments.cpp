#include "arguments.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include <ATen/Parallel.h>

#include "every_family.hpp"
#include "silica/checkpoint/nearest.hpp"
#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"

namespace silica::bench {
namespace {

/// A name as the program spells it, the header that must exist, and how cmake spells it.
struct Known {
    std::string_view name, cmake;
    bool written;  ///< this version of the source tree has it
};

#if __has_include("silica/precision/int8.hpp")
constexpr bool has_int8 = true;
#else
constexpr bool has_int8 = false;
#endif
#if __has_include("silica/precision/int4.hpp")
constexpr bool has_int4 = true;
#else
constexpr bool has_int4 = false;
#endif

constexpr Known known_devices[] = {{"cpu", "cpu", true}, {"mps", "mps", true}, {"cuda", "cuda", true}};
constexpr Known known_precisions[] = {{"float32", "fp32", true},
                                      {"float16", "fp16", true},
                                      {"bfloat16", "bf16", true},
                                      {"int8", "int8", has_int8},
                                      {"int4", "int4", has_int4}};

template <class Names>
std::string joined(const Names& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
}

/// Throws InputError: the name is right, but this program was configured without it.
[[noreturn]] void not_compiled(std::string_view what, const Known& k, std::string_view variable,
                               const std::vector<std::string_view>& compiled) {
    const std::string problem = std::string(what) + " " + std::string(k.name) +
                                " is not compiled into this program, which has " + joined(compiled) + ".";
    if (!k.written) {
        throw InputError(problem,
                         "choose one of those; this version of Silica does not have " + std::string(k.name) + " yet.");
    }
    throw InputError(problem, "choose one of those, or configure with -D" + std::string(variable) +
                                  "= (empty for all, or a list with " + std::string(k.cmake) + ") and build again.");
}

template <std::size_t N>
void require_compiled(std::string_view what, const std::string& name, const Known (&known)[N],
                      std::string_view variable, const std::vector<std::string_view>& compiled) {
    if (std::ranges::find(compiled, name) != compiled.end()) return;
    std::vector<std::string_view> names;
    for (const auto& k : known) {
        if (k.name == name) not_compiled(what, k, variable, compiled);
        names.push_back(k.name);
    }
    unknown_name(what, name, names);
}

std::vector<std::string_view> device_names() {
    std::vector<std::string_view> names;
    for (const auto& d : devices_compiled()) names.push_back(d.name);
    return names;
}

}  // namespace

std::vector<std::string> split_list(std::string_view option, std::string_view text) {
    std::vector<std::string> items;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(',', begin), text.size());
        std::string item(text.substr(begin, end - begin));
        if (item.empty()) {
            throw InputError(std::string(option) + " is " + quote(text) + ", in which a name is missing.",
                             "separate names by single commas, without spaces.");
        }
        if (std::ranges::find(items, item) == items.end()) items.push_back(std::move(item));
        begin = end + 1;
    }
    return items;
}

std::int64_t whole_number(std::string_view option, std::string_view text, std::int64_t least, std::int64_t most) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && end == text.data() + text.size() && value >= least && value <= most) return value;
    throw InputError(std::string(option) + " is " + quote(text) + ".",
                     "give a whole number from " + std::to_string(least) + " to " + std::to_string(most) + ".");
}

std::vector<std::int64_t> whole_numbers(std::string_view option, std::string_view text, std::int64_t least,
                                        std::int64_t most) {
    std::vector<std::int64_t> values;
    for (const auto& item : split_list(option, text)) values.push_back(whole_number(option, item, least, most));
    return values;
}

void require_output_file(std::string_view option, const std::string& path, std::string_view usual,
                         const std::vector<std::string>& read) {
    const std::string remedy = "give " + std::string(option) + " " + std::string(usual);
    const std::filesystem::path file(path);
    const auto parent = file.parent_path();
    std::error_code ignored;
    if (path.empty()) throw InputError(std::string(option) + " names no file.", remedy + ".");
    if (std::filesystem::is_directory(file, ignored))
        throw InputError(quote(path) + " is a directory.", remedy + ", a file in it.");
    if (!parent.empty() && !std::filesystem::is_directory(parent, ignored)) {
        throw InputError(
            std::string(option) + " is " + quote(path) + ", and there is no directory " + quote(parent.string()) + ".",
            "make the directory first.");
    }
    for (const auto& input : read) {
        if (std::filesystem::equivalent(file, input, ignored)) {
            throw InputError(std::string(option) + " is " + quote(path) + ", a file that is read, and would be lost.",
                             remedy + ", another file.");
        }
    }
}

std::vector<std::string> checkpoint_files(const std::filesystem::path& directory) {
    constexpr std::string_view kinds[] = {".json", ".txt", ".model", ".jinja", ".gguf", ".bin", ".pt", ".pth"};
    std::vector<std::string> files;
    std::error_code error;
    for (std::filesystem::directory_iterator at(directory, error), end; at != end; at.increment(error)) {
        const auto name = at->path().filename().string(), kind = at->path().extension().string();
        const bool weights = kind == ".safetensors" && (name.starts_with("model.") || name.starts_with("model-"));
        if (weights || std::ranges::find(kinds, kind) != std::end(kinds)) files.push_back(at->path().string());
    }
    return files;
}

void unknown_name(std::string_view what, std::string_view name, const std::vector<std::string_view>& known) {
    const std::string near = what == "family" ? checkpoint::slip_of(name, known) : checkpoint::nearest(name, known);
    throw InputError(
        "There is no " + std::string(what) + " " + quote(name) + ".",
        (near.empty() ? "" : "did you mean " + near + "? ") + std::string("Known are ") + joined(known) + ".");
}

void use_threads(const Flag& threads) {
    if (threads) at::set_num_threads(static_cast<int>(whole_number("--threads", *threads, 1, 1024)));
}

Output output_named(std::string_view text, std::initializer_list<std::string_view> allowed) {
    constexpr std::string_view names[] = {"table", "json", "jsonl", "csv", "md", "text"};
    if (std::ranges::find(allowed, text) == allowed.end()) unknown_name("output", text, allowed);
    return static_cast<Output>(std::ranges::find(names, text) - std::begin(names));
}

std::vector<const Device*> hardware_named(const Flag& text) {
    std::vector<const Device*> chosen;
    if (!text) {
        for (const auto& d : devices_compiled()) {
            if (d.available()) chosen.push_back(&d);
        }
        return chosen;
    }
    const auto compiled = device_names();
    for (const auto& name : split_list("--hardware", *text)) {
        require_compiled("hardware", name, known_devices, "SILICA_DEVICES", compiled);
        chosen.push_back(find_device(name));
    }
    return chosen;
}

std::vector<std::string> precisions_named(std::string_view text) {
    auto names = split_list("--precision", text);
    for (const auto& name : names) {
        require_compiled("precision", name, known_precisions, "SILICA_PRECISIONS", precisions_compiled());
    }
    return names;
}

std::vector<std::string> loaders_named(std::string_view text) {
    auto names = split_list("--loader", text);
    for (const auto& name : names) {
        if (std::ranges::find(loaders_compiled(), name) == loaders_compiled().end()) {
            unknown_name("loader", name, loaders_compiled());
        }
    }
    return names;
}

std::string loader_chosen(const std::string& named, bool memory_efficient, bool alternative_loading) {
    if (memory_efficient && alternative_loading) {
        throw InputError("--memory-efficient (streamed) and --alternative-loading (cpu-first) both choose the loader.",
                         "give one of them.");
    }
    if (memory_efficient) return "streamed";
    if (alternative_loading) return "cpu-first";
    return loaders_named(named).front();
}

const std::vector<std::string_view>& all_family_names() {
    static const std::vector<std::string_view> names = {"bert",  "t5",    "llama",      "qwen2",    "vit",
                                                        "clip",  "detr",  "whisper",    "wav2vec2", "clap",
                                                        "xclip", "llava", "llava_next", "mistral",  "siglip"};
    return names;
}

std::string_view family_of(std::string_view model_type) {
    for (const std::string_view part : {"_text_model", "_vision_model", "_audio_model"})
        if (model_type.ends_with(part)) model_type.remove_suffix(part.size());
    return model_type;
}

const Family& family_named(std::string_view name) {
    if (const auto* family = find_family(name)) return *family;
    std::vector<std::string_view> compiled;
    for (const auto& f : families()) compiled.push_back(f.name);
    const bool written = std::ranges::find(families_written(), name) != families_written().end();
    if (!written && std::ranges::find(all_family_names(), name) == all_family_names().end()) {
        unknown_name("family", name, all_family_names());
    }
    if (written) build_and_run_again({name});
    not_compiled("family", {name, name, written}, "SILICA_FAMILIES", compiled);
}

std::string count_of(std::size_t n, std::string_view what) {
    return std::to_string(n) + " " + std::string(what) + (n == 1 ? "" : "s");
}

}  // namespace silica::bench
