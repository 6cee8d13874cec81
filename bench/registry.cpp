#include "registry.hpp"

#include <boost/hana/for_each.hpp>

#include "family_list.hpp"
#include "grid.hpp"
#include "loaders.hpp"
#include "silica/budget.hpp"
#include "silica/checkpoint/checkpoint.hpp"
#include "silica/device/simulated.hpp"

namespace silica::bench {

#define SILICA_DECLARE_FAMILY(f) Family family_##f();  // arch/<f>.cpp
SILICA_EACH_FAMILY(SILICA_DECLARE_FAMILY)
#undef SILICA_DECLARE_FAMILY

const std::vector<Family>& families() {
    static const std::vector<Family> all = [] {
        std::vector<Family> made;
#define SILICA_ADD_FAMILY(f) made.push_back(family_##f());
        SILICA_EACH_FAMILY(SILICA_ADD_FAMILY)
#undef SILICA_ADD_FAMILY
        return made;
    }();
    return all;
}

const std::vector<Device>& devices_compiled() {
    static const std::vector<Device> all = [] {
        std::vector<Device> made;
        boost::hana::for_each(devices, [&](auto device) {
            using D = typename decltype(device)::type;
            made.push_back({D::name, D::default_precision::name, D::type, [] { return D::available(); },
                            [] { return D::memory(0); }, [] { return device::simulated(D::type); },
                            [] {
                                return room_on<D>(D::type == c10::DeviceType::CPU ? c10::Device(D::type)
                                                                                  : c10::Device(D::type, 0));
                            }});
        });
        return made;
    }();
    return all;
}

namespace {

/// The names of the types in a Hana tuple.
template <class Types>
std::vector<std::string_view> names_of(Types types) {
    std::vector<std::string_view> names;
    boost::hana::for_each(types, [&](auto type) { names.push_back(decltype(type)::type::name); });
    return names;
}

template <class Range>
auto find_named(const Range& range, std::string_view name) -> decltype(&*range.begin()) {
    for (const auto& item : range) {
        if (item.name == name) return &item;
    }
    return nullptr;
}

}  // namespace

const std::vector<std::string_view>& precisions_compiled() {
    static const auto names = names_of(precisions);
    return names;
}

const std::vector<LoaderWay>& loader_ways() {
    static const auto all = [] {
        std::vector<LoaderWay> made;
        boost::hana::for_each(loaders, [&](auto loader) {
            using L = typename decltype(loader)::type;
            made.push_back({L::name, [](const checkpoint::Checkpoint& checkpoint, const Build& build) {
                                return L::load(checkpoint, build);
                            }});
        });
        return made;
    }();
    return all;
}

const std::vector<std::string_view>& loaders_compiled() {
    static const auto names = names_of(loaders);
    return names;
}

const std::vector<std::string_view>& families_written() {
    static const std::vector<std::string_view> names(known_family_names.begin(), known_family_names.end());
    return names;
}

BuildFacts build_facts() { return {version, build_type, compiler}; }

const Device* find_device(std::string_view name) { return find_named(devices_compiled(), name); }
const Family* find_family(std::string_view name) { return find_named(families(), name); }

const Cell* Head::cell(std::string_view device, std::string_view precision, std::string_view loader) const {
    for (const auto& c : cells) {
        if (c.device == device && c.precision == precision && c.loader == loader) return &c;
    }
    return nullptr;
}

std::string Device::label() const { return std::string(name) + (simulated() != nullptr ? " (simulated)" : ""); }

}  // namespace silica::bench
