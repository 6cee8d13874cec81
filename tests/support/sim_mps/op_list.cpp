#include <algorithm>
#include <cstdio>
#include <sstream>

#include <ATen/core/dispatch/Dispatcher.h>

#include "support/sim_mps.hpp"
#include "support/sim_mps/version.hpp"

namespace silica::test::sim_mps {
namespace {

struct List {
    int minor;  // of LibTorch 2
    const char* names;
};

constexpr List lists[] = {
    {
        11,
#include "support/sim_mps/ops-2.11.inc"
    },
    {
        13,
#include "support/sim_mps/ops-2.13.inc"
    },
    {
        14,
#include "support/sim_mps/ops-2.14.inc"
    },
};

/// The list of the linked version; else that of the nearest older one, else the oldest, and a notice says so.
const List& chosen() {
    const int wanted = TORCH_VERSION_MAJOR > 2 ? 1000 : TORCH_VERSION_MINOR;
    const List* best = &lists[0];
    for (const List& list : lists) {
        if (list.minor <= wanted) best = &list;
    }
    if (best->minor != wanted) {
        std::fprintf(stderr, "%s: no op list for LibTorch %s, the one for 2.%d is used\n", description, TORCH_VERSION,
                     best->minor);
    }
    return *best;
}

bool is_known(const std::string& name) {
    const auto dot = name.find('.');
    const c10::OperatorName full("aten::" + name.substr(0, dot), dot == std::string::npos ? "" : name.substr(dot + 1));
    return c10::Dispatcher::singleton().findSchema(full).has_value();
}

}  // namespace

std::string op_list_version() {
    static const std::string version = "2." + std::to_string(chosen().minor);
    return version;
}

const std::vector<std::string>& op_list() {
    static const auto known = [] {
        const auto minor = std::stoi(op_list_version().substr(2));
        const auto* list = std::find_if(std::begin(lists), std::end(lists), [&](auto& l) { return l.minor == minor; });
        std::istringstream names(list->names);
        std::vector<std::string> result;
        for (std::string name; names >> name;) {
            if (is_known(name)) result.push_back(name);
        }
        return result;
    }();
    return known;
}

}  // namespace silica::test::sim_mps
