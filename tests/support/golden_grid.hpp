#pragma once
/// A golden case over devices x precisions, and over devices x loaders.

#include <filesystem>
#include <string>
#include <tuple>
#include <type_traits>

#include <boost/hana/at.hpp>
#include <boost/hana/cartesian_product.hpp>
#include <boost/hana/concat.hpp>
#include <boost/hana/drop_front.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/transform.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/unpack.hpp>

#include "silica/loader/cpu_first.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/mapped.hpp"
#include "silica/loader/streamed.hpp"
#include "silica/model.hpp"
#include "support/golden.hpp"

namespace silica::test {

template <class... D>
constexpr auto types_of(std::type_identity<std::tuple<D...>>) {
    return boost::hana::tuple_t<D...>;
}
inline constexpr auto devices = types_of(std::type_identity<Devices>{});
inline constexpr auto loaders = boost::hana::tuple_t<loader::Mapped, loader::CpuFirst, loader::Streamed,
                                                     loader::FirstOf<loader::Mapped, loader::Streamed>>;

/// Every device in every precision: points of device, precision and loader.
inline constexpr auto precision_grid = boost::hana::cartesian_product(
    boost::hana::make_tuple(devices, precisions, boost::hana::tuple_t<loader::Mapped>));

/// Those, and every other loader in the precision that the device is best at. Loaders times precisions would compile each
/// model four times, to say again what the loaders' own tests say.
inline constexpr auto grid = boost::hana::concat(
    precision_grid,
    boost::hana::transform(
        boost::hana::cartesian_product(boost::hana::make_tuple(devices, boost::hana::drop_front(loaders))), [](auto point) {
            using D = typename decltype(+point[boost::hana::size_c<0>])::type;
            return boost::hana::make_tuple(point[boost::hana::size_c<0>],
                                           boost::hana::type_c<typename D::default_precision>,
                                           point[boost::hana::size_c<1>]);
        }));

/// Whether a reference holds what `P` is judged by: values in float32. Where a token attends to nothing, only float32
/// gives them ("reference-float32-...").
template <class P>
bool judges(const std::filesystem::path& file) {
    const auto name = file.stem().string();
    if (name == "reference-float16" || name == "reference-bfloat16") return false;
    return std::is_same_v<P, precision::Fp32> || !name.starts_with("reference-float32-");
}

/// Opens golden/<family>/<name> and judges each of its references; nothing may fall back.
template <class Arch, class D, class P, class L>
void run_point(const std::string& family, const std::string& name, Halves halves) {
    if (!present<D>()) return;
    INFO(name << ": " << Arch::name << ", " << D::name << ", " << P::name << ", " << L::name);
    const auto directory = golden(family, name);
    const auto model = Model<Arch, D, P, L>::open(directory.string());
    CHECK(model.account().loader == L::name);
    CHECK(model.account().notes.empty());
    CHECK(model.account().unexpected.empty());
    for (const auto& file : references(directory)) {
        if (!judges<P>(file)) continue;
        CAPTURE(file.filename());
        const Reference reference(file);
        const FallbackScope fallbacks;
        const auto out = model(reference.template inputs<typename Arch::Inputs>());
        covered(point_of<Arch, D, P, L>(family), check<P>(reference, out, place<D>()));
        CHECK(fallbacks.report().empty());
        if (file.stem() == "reference") check_beside_transformers<P>(reference, directory, halves, out);
    }
}

template <class Arch, class Grid>
void run_grid(Grid points, const std::string& family, const std::string& name, Halves halves) {
    boost::hana::for_each(points, [&](auto point) {
        boost::hana::unpack(point, [&](auto d, auto p, auto l) {
            run_point<Arch, typename decltype(d)::type, typename decltype(p)::type, typename decltype(l)::type>(
                family, name, halves);
        });
    });
}

/// A case on every device in every precision.
template <class Arch>
void run_case(const std::string& family, const std::string& name, Halves halves) {
    run_grid<Arch>(precision_grid, family, name, halves);
}

/// The same with every loader: one case of a family does.
template <class Arch>
void run_case_with_every_loader(const std::string& family, const std::string& name, Halves halves) {
    run_grid<Arch>(grid, family, name, halves);
}

/// Judges a checkpoint in float32 on the CPU: for what does not depend on device, precision and loader.
template <class Arch>
void check_directory(const std::filesystem::path& directory, const std::filesystem::path& reference_file) {
    const Reference reference(reference_file);
    const auto model = Model<Arch, device::Cpu>::open(directory.string());
    check<precision::Fp32>(reference, model(reference.inputs<typename Arch::Inputs>()), c10::Device("cpu"));
}

}  // namespace silica::test
