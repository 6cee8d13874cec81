/// `silica devices`: what this machine has, and for each device why it can or cannot be used.

#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include <ATen/Parallel.h>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "hardware/machine.hpp"
#include "hardware/nvidia.hpp"
#include "machine.hpp"
#include "mps_check.hpp"
#include "table.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;

/// The chip of a device that can be used.
std::string chip_of(const Device& device) {
    if (device.simulated() != nullptr) return device.simulated();
    if (device.type == c10::DeviceType::CUDA) {
        const auto facts = cuda_facts();
        return (facts.chip.empty() ? "unknown" : facts.chip) +
               (facts.driver.empty() ? "" : " (driver for CUDA " + facts.driver + ")");
    }
    return cpu_name();  // on Apple machines the name of the chip, GPU included
}

ordered_json device_json(const Device& device) {
    const auto can = device.available();
    ordered_json out = {{"device", device.name},
                        {"hardware", device.label()},
                        {"usable", can.usable},
                        {"simulated", device.simulated() != nullptr}};
    if (!can) {
        out["reason"] = can.reason;
        return out;
    }
    const auto memory = device.memory();
    out["chip"] = chip_of(device);
    auto total = memory.total;
    if (total == 0 && device.type == c10::DeviceType::CUDA && !hardware::cuda_driver().devices.empty())
        total = hardware::cuda_driver().devices.front().memory;
    out["memory_mb"] = total == 0 ? ordered_json(nullptr) : ordered_json(mebibytes(total));
    out["default_precision"] = device.default_precision;
    if (device.type == c10::DeviceType::CUDA) out["driver"] = cuda_facts().driver;
    if (device.type == c10::DeviceType::MPS) out["own_kernels"] = own_kernels_json();
    return out;
}

int list_devices(const std::string& format) {
    const Output output = output_named(format, {"table", "json", "csv", "md"});
    const auto machine = machine_facts();
    const auto versions = version_facts();
    ordered_json list = ordered_json::array();
    for (const auto& device : devices_compiled()) list.push_back(device_json(device));
    if (output == Output::json) {
        const ordered_json document = {{"engine", "silica"},
                                       {"devices", list},
                                       {"machine", machine},
                                       {"versions", versions},
                                       {"threads", at::get_num_threads()}};
        std::cout << document.dump() << '\n';
        return Exit::done;
    }
    Table table({{"device"}, {"usable"}, {"chip"}, {"memory MB", true}, {"default precision"}, {"why not"}});
    for (const auto& d : list) {
        const bool usable = d["usable"];
        const auto text = [&](const char* key) { return usable ? d[key].get<std::string>() : std::string("-"); };
        const bool known = usable && d["memory_mb"].is_number();
        table.add({d["hardware"], usable ? "yes" : "no", text("chip"),
                   known ? fixed(d["memory_mb"].get<double>(), 0) : "-", text("default_precision"),
                   usable ? "" : d["reason"].get<std::string>()});
    }
    table.print(std::cout, output);
    if (output == Output::csv) return Exit::done;
    for (const auto& d : list)
        if (d.contains("own_kernels")) print_own_kernels(std::cout << '\n');
    std::cout << "\nmachine   " << machine["os"].get<std::string>() << ' ' << machine["os_version"].get<std::string>()
              << " on " << machine["arch"].get<std::string>() << ", " << machine["chip"].get<std::string>() << ", "
              << machine["cores"].get<unsigned>() << " cores, " << fixed(machine["memory_mb"].get<double>() / 1024, 1)
              << " GiB\n";
    for (const auto& line : hardware::machine_lines(hardware::this_machine()))
        std::cout << line.label << std::string(10 - std::min<std::size_t>(line.label.size(), 9), ' ') << line.text
                  << '\n';
    if (machine.contains("gpu_memory_mb"))
        std::cout << "GPU       may use " << fixed(machine["gpu_memory_mb"].get<double>() / 1024, 1) << " GiB ("
                  << machine["gpu_memory_from"].get<std::string>() << ")\n";
    std::cout << "LibTorch  " << versions["libtorch"].get<std::string>() << " ("
              << versions["libtorch_build"].get<std::string>() << "), " << machine["cpu_capability"].get<std::string>()
              << " kernels, " << at::get_num_threads() << " threads\n"
              << "silica    " << versions["silica"].get<std::string>() << ", "
              << versions["build_type"].get<std::string>() << ", " << versions["compiler"].get<std::string>() << '\n';
    return Exit::done;
}

}  // namespace

Action add_devices(CLI::App& app) {
    auto output = std::make_shared<std::string>("table");
    Command c(app, "devices", "What this machine has, and for each device why it can or cannot be used");
    c.option("--output", *output, "table, json, csv, md. Default: table");
    return [output] { return list_devices(*output); };
}

}  // namespace silica::bench
