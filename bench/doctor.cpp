/// `silica doctor`: what hinders this machine, each with its remedy.

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <ATen/Parallel.h>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "hardware/doctor.hpp"
#include "hardware/process.hpp"
#include "hardware/text.hpp"
#include "machine.hpp"
#include "mps_check.hpp"
#include "registry.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/core/error.hpp"

namespace silica::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// Free bytes of the disk that holds a path, or will: of the nearest directory above it that exists.
std::uint64_t free_bytes(fs::path path) {
    std::error_code error;
    path = fs::absolute(path, error);
    while (!error && !fs::exists(path, error) && path.has_relative_path()) path = path.parent_path();
    const auto space = fs::space(path, error);
    return error ? ~std::uint64_t{0} : space.available;
}

hardware::Facts facts_here() {
    hardware::Facts facts;
    const auto versions = version_facts();
    const auto machine = machine_facts();
    facts.machine = hardware::this_machine();
    facts.cuda = hardware::cuda_driver();
    facts.program = {.build_type = versions["build_type"].get<std::string>(),
                     .libtorch = versions["libtorch"].get<std::string>(),
                     .libtorch_build = versions["libtorch_build"].get<std::string>(),
                     .cpu_capability = machine["cpu_capability"].get<std::string>(),
                     .threads = at::get_num_threads(),
                     .devices = {},
                     .libraries = hardware::loaded_libraries()};
    for (const auto& device : devices_compiled()) {
        const auto can = device.available();
        facts.program.devices.push_back(
            {std::string(device.name), can.usable, can.reason, device.simulated() != nullptr});
    }
    const auto cache = checkpoint::hub_cache();
    facts.hub = hardware::hub_facts(cache);
    facts.disks = {{"the hub cache", cache.string(), free_bytes(cache)}};
    facts.environment = hardware::environment();
    return facts;
}

/// Prints words in lines of 110 columns, the second and later ones from column `indent` on.
void print_wrapped(std::ostream& out, std::string_view text, std::size_t indent) {
    constexpr std::size_t width = 110;
    std::size_t at = indent;
    for (const auto word : hardware::words_of(text)) {
        if (at > indent && at + 1 + word.size() > width) {
            out << '\n' << std::string(indent, ' ');
            at = indent;
        } else if (at > indent) {
            out << ' ';
            ++at;
        }
        out << word;
        at += word.size();
    }
    out << '\n';
}

void print_findings(std::ostream& out, const hardware::Findings& findings) {
    constexpr std::size_t severity = 7, check = 13;
    for (const auto& f : findings) {
        const std::string first(hardware::name_of(f.severity)), second(f.check);
        out << first << std::string(severity - first.size(), ' ') << second << std::string(check - second.size(), ' ');
        print_wrapped(out, f.what, severity + check);
        out << std::string(severity + check, ' ');
        print_wrapped(out, "Remedy: " + f.remedy, severity + check);
        out << '\n';
    }
}

int examine_machine(const std::string& format) {
    const Output output = output_named(format, {"table", "json"});
    const auto facts = facts_here();
    const auto findings = hardware::examine(facts);
    const bool hindered = hardware::hinders(findings);
    if (output == Output::json) {
        std::cout << ordered_json{{"engine", "silica"},
                                  {"hinders", hindered},
                                  {"findings", hardware::findings_json(findings)},
                                  {"machine", machine_facts()},
                                  {"versions", version_facts()},
                                  {"threads", facts.program.threads}}
                         .dump()
                  << '\n';
    } else {
        print_findings(std::cout, findings);
        std::cout << (hindered           ? "What stops or slows this machine is above."
                      : findings.empty() ? "Nothing hinders this machine."
                                         : "Nothing hinders this machine; notes are above.")
                  << " silica devices lists what it has.\n";
    }
    return hindered ? Exit::comparison_failed : Exit::done;
}

}  // namespace

Action add_doctor(CLI::App& app) {
    struct Flags {
        std::string output = "table";
        bool mps = false;
        Flag to;
        std::vector<std::string> from;
    };
    auto flags = std::make_shared<Flags>();
    Command c(app, "doctor", "What hinders this machine, each with its remedy");
    c.option("--output", flags->output, "table, json. Default: table");
    c.flag("--mps", flags->mps,
           "Try the known faults of Apple's GPU backend, and say which workarounds are needed here");
    c.option("--to", flags->to, "With --mps: a JSON file of it, which can be sent in");
    c.option("--from", flags->from, "With --mps: such a file of others, printed as theirs; once for each");
    c.footer("Exit codes: 0 nothing hinders (notes may be there), 1 something stops or slows it.");
    return [flags] {
        if (flags->mps)
            return check_mps(flags->to.value_or(""), flags->from, output_named(flags->output, {"table", "json"}));
        if (flags->to || !flags->from.empty())
            throw InputError("--to and --from are about --mps.", "add --mps, or leave them out.");
        return examine_machine(flags->output);
    };
}

}  // namespace silica::bench
