#include "mps_check.hpp"

#include <fstream>
#include <iostream>
#include <iterator>
#include <mutex>

#include <nlohmann/json.hpp>

#include "cli.hpp"
#include "commands.hpp"
#include "machine.hpp"
#include "mps_faults.hpp"
#include "silica/core/atomic_file.hpp"
#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "silica/device/mps.hpp"
#include "silica/device/mps/faults.hpp"
#include "silica/device/mps/metal/own.hpp"
#include "silica/device/simulated.hpp"
#include "table.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;
namespace metal = device::mps::metal;

constexpr std::string_view format = "silica doctor --mps, 1";
constexpr std::size_t most_bytes = 8 << 20;

/// All that was tried here.
ordered_json tried_here() {
    const std::unique_lock guard = device::Mps::lock();
    std::vector<Outcome> outcomes;
    for (const FaultTest& test : fault_tests()) outcomes.push_back(tried(test));
    device::Mps::empty_cache();
    const auto machine = metal::Machine::here();
    metal::keep_verdicts(metal::verdicts_file(), machine, verdicts_of(outcomes));
    device::mps::forget_found();

    ordered_json faults = ordered_json::array();
    for (const Outcome& o : outcomes)
        faults.push_back({{"fault", o.test->id},
                          {"issues", o.test->issues},
                          {"what", o.test->what},
                          {"seen", name_of(o.seen)},
                          {"detail", o.detail},
                          {"workaround", o.test->workaround},
                          {"decides", o.test->decides},
                          {"seconds", rounded(o.seconds, 3)}});
    const char* simulated = device::simulated(c10::DeviceType::MPS);
    return {{"format", format},
            {"simulated", simulated == nullptr ? ordered_json(nullptr) : ordered_json(simulated)},
            {"machine", machine_facts()},
            {"versions", version_facts()},
            {"faults", faults},
            {"own_kernels", own_kernels_json()}};
}

/// A file that someone sent. InputError for any other.
ordered_json sent(const std::string& path) {
    const auto refuse = [&](const std::string& why) -> InputError {
        return {"File " + quote(path) + " " + why + ".", "--from takes what `silica doctor --mps --to FILE` wrote."};
    };
    std::ifstream in(path, std::ios::binary);
    if (!in) throw refuse("cannot be read");
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (text.size() > most_bytes) throw refuse("is too large");
    try {
        auto document = ordered_json::parse(text);
        if (document.at("format").get<std::string>() != format) throw refuse("has another format");
        for (const auto& f : document.at("faults"))
            for (const char* key : {"fault", "issues", "what", "seen", "detail", "workaround"})
                static_cast<void>(f.at(key).get<std::string>() + (f.value("decides", false) ? "" : " "));
        for (const auto& k : document.at("own_kernels")) {
            static_cast<void>(k.at("kernel").get<std::string>());
            static_cast<void>(k.at("reason").get<std::string>());
            static_cast<void>(k.at("proven").get<bool>());
        }
        for (const char* key : {"chip", "os", "os_version"})
            static_cast<void>(document.at("machine").at(key).get<std::string>());
        static_cast<void>(document.at("simulated"));
        static_cast<void>(document.at("versions").at("libtorch").get<std::string>());
        document["sent_by_others"] = path;
        return document;
    } catch (const ordered_json::exception&) {
        throw refuse("is no such report");
    }
}

/// What a fault asks for on that machine.
std::string consequence(const ordered_json& fault) {
    const std::string seen = fault["seen"], workaround = fault["workaround"];
    if (seen == "present") return workaround;
    if (seen == "absent" && fault.value("decides", false)) return "not needed: " + workaround;
    return workaround;
}

void print(const ordered_json& report) {
    const auto& m = report["machine"];
    const std::string others = report.value("sent_by_others", "");
    if (!others.empty()) std::cout << "SENT BY OTHERS: " << others << " (not of this machine, decides nothing here)\n";
    if (report["simulated"].is_string())
        std::cout << report["simulated"].get<std::string>() << ": nothing here is about a Mac\n";
    std::cout << m["chip"].get<std::string>() << ", " << m["os"].get<std::string>() << ' '
              << m["os_version"].get<std::string>() << ", LibTorch "
              << report["versions"]["libtorch"].get<std::string>() << "\n\n";
    Table faults({{"fault"}, {"issues"}, {"seen"}, {"what"}, {"what Silica does"}});
    std::size_t present = 0;
    for (const auto& f : report["faults"]) {
        faults.add({f["fault"], f["issues"], f["seen"], f["what"], consequence(f)});
        present += f["seen"] == "present";
    }
    faults.print(std::cout, Output::table);
    std::cout << '\n' << count_of(present, "fault") << " of " << report["faults"].size() << " present";
    std::size_t on = 0;
    for (const auto& k : report["own_kernels"]) on += k["proven"].get<bool>();
    if (report["own_kernels"].empty())
        std::cout << "; own kernels: none tried yet, they prove themselves at first use\n";
    else
        std::cout << "; own kernels: " << on << " of " << report["own_kernels"].size() << " proven\n";
    for (const auto& k : report["own_kernels"])
        if (!k["proven"].get<bool>())
            std::cout << "  off: " << k["kernel"].get<std::string>() << ": " << k["reason"].get<std::string>() << '\n';
    std::cout << '\n';
}

}  // namespace

ordered_json own_kernels_json() {
    ordered_json kernels = ordered_json::array();
    for (const auto& v : metal::verdicts())
        kernels.push_back({{"kernel", v.kernel},
                           {"proven", v.proven},
                           {"error", rounded(v.error, 4)},
                           {"seconds", rounded(v.seconds, 3)},
                           {"reason", v.reason}});
    return kernels;
}

void print_own_kernels(std::ostream& out) {
    const auto all = metal::verdicts();
    std::size_t on = 0;
    for (const auto& v : all) on += v.proven ? 1 : 0;
    out << "own Metal kernels (checked by emulation, proven on your machine at first use): ";
    if (metal::compiler() == nullptr)
        out << "none, this program has no compiler of Metal";
    else if (!metal::has_own())
        out << "turned off by SILICA_METAL";
    else if (all.empty())
        out << "none tried yet";
    else
        out << on << " of " << all.size() << " proven";
    out << '\n';
    for (const auto& v : all)
        if (!v.proven) out << "  off: " << v.kernel << ": " << v.reason << '\n';
}

int check_mps(const std::string& to, const std::vector<std::string>& from, Output output) {
    std::vector<ordered_json> reports;
    const auto can = device::Mps::available();
    if (can) {
        reports.push_back(tried_here());
        if (!to.empty()) {
            silica::detail::AtomicFile<InputError> file(to);
            const std::string text = reports[0].dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
            file.write(text.data(), text.size());
            file.commit();
        }
    } else {
        std::cerr << "mps: " << can.reason << '\n';
    }
    for (const auto& path : from) reports.push_back(sent(path));
    if (output == Output::json) {
        ordered_json list = ordered_json::array();
        for (auto& r : reports) list.push_back(r);
        std::cout << ordered_json{{"engine", "silica"}, {"reports", list}}.dump(-1, ' ', false,
                                                                                ordered_json::error_handler_t::replace)
                  << '\n';
    } else {
        for (const auto& r : reports) print(r);
    }
    return can || !from.empty() ? Exit::done : Exit::no_hardware;
}

}  // namespace silica::bench
