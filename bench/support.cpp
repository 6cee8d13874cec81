/// `silica support`: which op runs where, as the compiler placed it.

#include <initializer_list>
#include <iostream>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "every_family.hpp"
#include "silica/device/mps/bundled.hpp"
#include "table.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;

/// The ops of a family's heads on one device, in the order of their first mention.
std::vector<OpPlace> ops_on(const std::vector<const Head*>& heads, std::string_view device,
                            std::string_view precision) {
    std::vector<OpPlace> ops;
    for (const auto* head : heads) {
        const Cell* cell = head->cell(device, precision, loaders_compiled().front());
        if (cell == nullptr) continue;
        for (const auto& placed : cell->placement()) {
            if (std::ranges::find(ops, placed.op, &OpPlace::op) == ops.end()) ops.push_back(placed);
        }
    }
    return ops;
}

/// The op of that name; null where there is none.
const OpPlace* place_of(const std::vector<OpPlace>& ops, std::string_view op) {
    const auto found = std::ranges::find(ops, op, &OpPlace::op);
    return found == ops.end() ? nullptr : &*found;
}

bool differ(const OpPlace* a, const OpPlace* b) {
    if (a == nullptr || b == nullptr) return a != b;
    return a->device != b->device || a->native != b->native || a->may_decline != b->may_decline;
}

/// Precisions of codes that were compiled.
std::vector<std::string_view> code_precisions() {
    std::vector<std::string_view> names;
    for (const auto name : precisions_compiled()) {
        if (name == "int8" || name == "int4") names.push_back(name);
    }
    return names;
}

/// Adds the head sizes of attention that a configuration names, its parts included.
void add_head_sizes(const ordered_json& config, std::set<std::int64_t>& sizes) {
    const auto number = [&config](std::initializer_list<const char*> keys) {
        for (const char* key : keys) {
            if (config.contains(key) && config[key].is_number_integer()) return config[key].get<std::int64_t>();
        }
        return std::int64_t{0};
    };
    const auto width = number({"hidden_size", "d_model"}),
               heads = number({"num_attention_heads", "encoder_attention_heads", "num_heads"});
    if (const auto named = number({"head_dim", "d_kv"}); named > 0)
        sizes.insert(named);
    else if (width > 0 && heads > 0)
        sizes.insert(width / heads);
    for (const auto& part : config) {
        if (part.is_object()) add_head_sizes(part, sizes);
    }
}

/// By what LibTorch's build for macOS computes attention in a family's models, from the kernels that it brings.
std::string attention_on_mps(const Family& family) {
    std::set<std::int64_t> sizes;
    for (const auto& model : family.models) add_head_sizes(ordered_json::parse(model.config), sizes);
    std::string text;
    for (const auto size : sizes) {
        const auto name = [size](std::int64_t queries) {
            return device::mps::attention_path(queries, size, size) == device::mps::AttentionPath::graph ? "MPSGraph"
                                                                                                         : "fused";
        };
        const std::string few = name(1), many = name(100);
        text += (text.empty() ? "" : "; ") + std::to_string(size) + ": " +
                (few == many ? few : few + " for up to 8 queries, else " + many);
    }
    return text;
}

std::string cell_text(const OpPlace& p) {
    std::string text = p.device.empty()      ? "nowhere"
                       : p.device == "parts" ? "parts"
                       : p.native            ? "native"
                                             : "hop to " + std::string(p.device);
    return text + (p.may_decline ? ", may decline" : "");
}

/// The families, or the one head, that the user asked for.
std::vector<std::pair<const Family*, std::vector<const Head*>>> chosen(const std::string& arch) {
    std::vector<std::pair<const Family*, std::vector<const Head*>>> found;
    std::vector<std::string_view> known;
    for (const auto& family : arch.empty() ? every_family() : families()) {
        std::vector<const Head*> heads;
        for (const auto& head : family.heads) {
            if (arch.empty() || arch == family.name || arch == head.architecture) heads.push_back(&head);
            if (std::ranges::find(known, head.architecture) == known.end()) known.push_back(head.architecture);
        }
        known.push_back(family.name);
        if (!heads.empty()) found.emplace_back(&family, heads);
    }
    if (found.empty()) {
        if (std::ranges::find(all_family_names(), arch) != all_family_names().end())
            static_cast<void>(family_named(arch));
        static_cast<void>(every_family());  // a head of another family, perhaps
        unknown_name("architecture", arch, known);
    }
    return found;
}

int support(const std::string& arch, const std::string& format) {
    const Output output = output_named(format, {"table", "json", "csv", "md"});
    ordered_json document = ordered_json::array();
    std::vector<Table::Column> columns = {{"family"}, {"op"}};
    for (const auto& d : devices_compiled()) columns.push_back({std::string(d.name)});
    if (output == Output::md) {
        std::cout
            << "# Which op runs where\n\nWritten by `silica support --output md` from the placement that the "
               "compiler made; "
               "each device in its default\nprecision, with the chain it carries. An op with (int8) or (int4) "
               "has weights that are codes: its row\nis there where it takes them, or runs elsewhere for them.\n\n"
               "- native: the device's own kernel.\n- parts: a fused op whose parts run on the device.\n"
               "- hop to X: the arguments move to X, the result comes back.\n"
               "- may decline: the kernel takes only some sizes, types or strides; other calls go to the parts "
               "of the op, "
               "or\n  to the next device of the chain.\n\n"
               "On arm64 the CPU's own kernels are NEON's. Products of more than eight rows and attention of several\n"
               "queries are LibTorch's in float32 (`at::linear`, on a Mac Accelerate) and our own in bfloat16 and "
               "float16,\n"
               "in bfloat16 by `bfmmla` where the processor has it. Codes with inputs of 8 bits are multiplied by "
               "`sdot`,\n"
               "four rows at a time by `smmla` where it is there; without such inputs, products of many rows with "
               "codes\n"
               "are LibTorch's. All of this ran under qemu only.\n\n"
               "Below each table, attention on Apple GPUs by head size of the family's models: fused, by a Metal "
               "kernel\n"
               "of LibTorch "
            << TORCH_VERSION_MAJOR << '.' << TORCH_VERSION_MINOR
            << ", or by MPSGraph, which writes the whole matrix of scores. From the names\nof the kernels in its macOS "
               "wheel; not run.\n";
    }
    Table all(columns);
    for (const auto& [family, heads] : chosen(arch)) {
        Table one(columns);
        Table& table = output == Output::md ? one : all;
        std::vector<std::vector<OpPlace>> placed;
        for (const auto& d : devices_compiled()) placed.push_back(ops_on(heads, d.name, d.default_precision));
        ordered_json ops = ordered_json::array();
        const auto add = [&](std::string_view op, std::string_view precision,
                             const std::vector<std::vector<OpPlace>>& on) {
            std::vector<std::string> row = {std::string(family->name), std::string(op)};
            if (!precision.empty()) row.back() += " (" + std::string(precision) + ")";
            ordered_json entry = {{"op", op}};
            if (!precision.empty()) entry["precision"] = precision;
            for (std::size_t i = 0; i < on.size(); ++i) {
                const auto* found = place_of(on[i], op);
                row.push_back(found ? cell_text(*found) : "-");
                if (found) {
                    entry[std::string(devices_compiled()[i].name)] = {
                        {"runs_on", found->device}, {"native", found->native}, {"may_decline", found->may_decline}};
                }
            }
            table.add(std::move(row));
            ops.push_back(std::move(entry));
        };
        for (const auto& op : placed.front()) add(op.op, {}, placed);
        for (const auto precision : code_precisions()) {
            std::vector<std::vector<OpPlace>> coded;
            for (const auto& d : devices_compiled()) coded.push_back(ops_on(heads, d.name, precision));
            for (const auto& op : coded.front()) {
                bool other = op.op.find("linear") != std::string_view::npos;
                for (std::size_t i = 0; i < coded.size(); ++i)
                    other = other || differ(place_of(placed[i], op.op), place_of(coded[i], op.op));
                if (other) add(op.op, precision, coded);
            }
        }
        ordered_json names = ordered_json::array();
        for (const auto* head : heads) names.push_back(head->architecture);
        document.push_back({{"family", family->name},
                            {"heads", names},
                            {"ops", ops},
                            {"attention_on_mps", attention_on_mps(*family)}});
        if (output == Output::md) {
            std::cout << "\n## " << family->name << "\n\n";
            one.print(std::cout, output);
            if (const auto text = attention_on_mps(*family); !text.empty())
                std::cout << "\nAttention on Apple GPUs: " << text << ".\n";
        }
    }
    if (output == Output::json) {
        std::cout << ordered_json{{"engine", "silica"}, {"families", document}}.dump() << '\n';
    } else if (output != Output::md) {
        all.print(std::cout, output);
    }
    return Exit::done;
}

}  // namespace

Action add_support(CLI::App& app) {
    auto arch = std::make_shared<std::string>();
    auto output = std::make_shared<std::string>("table");
    Command c(app, "support", "Which op runs on which device: native, in parts, or on another device");
    c.argument("architecture", *arch, false, "a family (bert) or a head (BertForMaskedLM). Default: all");
    c.option("--output", *output, "table, json, csv, md. Default: table");
    return [arch, output] { return support(*arch, *output); };
}

}  // namespace silica::bench
