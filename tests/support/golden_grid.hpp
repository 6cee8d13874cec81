#pragma once
/// A golden case over devices x precisions x loaders.

#include <string>

#include <boost/hana/cartesian_product.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/unpack.hpp>

#include "silica/loader/cpu_first.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/mapped.hpp"
#include "silica/loader/streamed.hpp"
#include "silica/model.hpp"
#include "support/golden.hpp"

namespace silica::test {

inline constexpr auto devices = boost::hana::tuple_t<device::Cpu, device::Mps, device::Cuda>;
inline constexpr auto loaders = boost::hana::tuple_t<loader::Mapped, loader::CpuFirst, loader::Streamed,
                                                     loader::FirstOf<loader::Mapped, loader::Streamed>>;
inline constexpr auto grid = boost::hana::cartesian_product(boost::hana::make_tuple(devices, precisions, loaders));

/// Whether a reference holds what `P` is judged by: values in float32. Where a token attends to nothing, only float32
/// gives them ("reference-float32-...").
template <class P>
bool judges(const std::filesystem::path& file) {
    const auto name = file.stem().string();
    if (name == "reference-float16" || name == "reference-bfloat16") return false;
    return std::is_same_v<P, precision::Fp32> || !name.starts_with("reference-float32-");
}

/// Opens golden/<family>/<name> and judges each of its references, everywhere; nothing may fall back.
template <class Arch>
void run_case(const std::string& family, const std::string& name) {
    const auto directory = golden(family, name);
    boost::hana::for_each(grid, [&](auto point) {
        boost::hana::unpack(point, [&](auto d, auto p, auto l) {
            using D = typename decltype(d)::type;
            using P = typename decltype(p)::type;
            using L = typename decltype(l)::type;
            if (!present<D>()) return;
            INFO(name << ": " << Arch::name << ", " << D::name << ", " << P::name << ", " << L::name);
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
                check<P>(reference, out, place<D>());
                CHECK(fallbacks.report().empty());
                if (file.stem() == "reference") {
                    check_beside_transformers<P>(
                        reference, directory / ("reference-" + std::string(P::name) + ".safetensors"), out);
                }
            }
        });
    });
}

/// Judges a checkpoint in float32 on the CPU: for what does not depend on device, precision and loader.
template <class Arch>
void check_directory(const std::filesystem::path& directory, const std::filesystem::path& reference_file) {
    const Reference reference(reference_file);
    const auto model = Model<Arch, device::Cpu>::open(directory.string());
    check<precision::Fp32>(reference, model(reference.inputs<typename Arch::Inputs>()), c10::Device("cpu"));
}

}  // namespace silica::test
