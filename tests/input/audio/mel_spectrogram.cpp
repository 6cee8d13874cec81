// Spectra of sizes with every kind of factor against the definition.
#include "silica/input/audio/mel_spectrogram.hpp"

#include <cmath>
#include <numbers>

#include "sounds.hpp"

namespace silica::test {
namespace {

using audio::MelFilters;

/// One triangle for each bin, of height 1: the spectrum itself.
MelFilters bins_of(std::int64_t size) {
    MelFilters filters;
    for (std::int64_t bin = 0; bin <= size / 2; ++bin) filters.triangles.push_back({bin, {1}});
    return filters;
}

template <class T>
void check(std::int64_t size, double bound) {
    CAPTURE(size);
    constexpr std::int64_t frames = 19, hop = 11;
    const auto sound = noise(static_cast<std::size_t>(size + (frames - 1) * hop), 1);
    const audio::MelSpectrogram<T> spectrogram(size, hop, bins_of(size));
    std::int64_t seen = 0;
    spectrogram.each(sound.data(), frames, [&](std::int64_t first, std::int64_t count, const T* logs) {
        T most = logs[0];
        for (std::int64_t i = 0; i < count; ++i, ++seen) {
            for (std::int64_t bin = 0; bin <= size / 2; ++bin) {
                double re = 0, im = 0;
                for (std::int64_t j = 0; j < size; ++j) {
                    const double turn = 2 * std::numbers::pi / static_cast<double>(size);
                    const double x = (0.5 - 0.5 * std::cos(turn * static_cast<double>(j))) *
                                     static_cast<double>(sound[static_cast<std::size_t>((first + i) * hop + j)]);
                    re += x * std::cos(turn * static_cast<double>(j * bin % size));
                    im -= x * std::sin(turn * static_cast<double>(j * bin % size));
                }
                const double want = std::log10(std::max(re * re + im * im, 1e-10));
                const auto got = logs[bin * spectrogram.lanes + i];
                REQUIRE(std::abs(static_cast<double>(got) - want) <= bound);
                most = std::max(most, got);
            }
        }
        CHECK(spectrogram.most_of(logs, count) == most);
    });
    CHECK(seen == frames);
}

TEST_CASE("spectra of every size") {
    // In float32 a bin far below its neighbours keeps few digits.
    for (const std::int64_t size : {2, 4, 6, 8, 10, 14, 16, 26, 30, 49, 50, 100, 121, 128, 210}) {
        check<float>(size, 2e-2);
        check<double>(size, 1e-8);
    }
}

TEST_CASE("the kernel of every processor gives the same as the best") {
    const auto compare = [](auto zero, double bound) {
        using T = decltype(zero);
        audio::MelPlan<T> plan;
        plan.size = 12;
        plan.window.assign(12, T{1});
        const double turn = 2 * std::numbers::pi;
        for (const std::int64_t radix : {4, 3}) {
            typename audio::MelPlan<T>::Stage stage{radix, radix == 4 ? 3 : 1, radix == 4 ? 1 : 4, {}, {}};
            for (std::int64_t j = 0; j < radix; ++j) {
                const double angle = turn * static_cast<double>(j) / static_cast<double>(radix);
                stage.roots.insert(stage.roots.end(),
                                   {static_cast<T>(std::cos(angle)), static_cast<T>(-std::sin(angle))});
            }
            for (std::int64_t p = 0; p < stage.m; ++p) {
                for (std::int64_t j = 1; j < radix; ++j) {
                    const double angle = turn * static_cast<double>(j * p) / static_cast<double>(radix * stage.m);
                    stage.twiddles.insert(stage.twiddles.end(),
                                          {static_cast<T>(std::cos(angle)), static_cast<T>(-std::sin(angle))});
                }
            }
            plan.stages.push_back(stage);
        }
        for (std::int64_t bin = 0; bin <= 6; ++bin) plan.filters.push_back({bin, {T{1}}});
        const auto sound = noise(200, 4);
        const auto run = [&](audio::MelKernel<T> kernel) {
            std::vector<T> scratch(audio::mel_scratch_size(plan)), logs(7 * audio::mel_lanes);
            kernel({plan, sound.data(), 5, audio::mel_lanes, scratch.data(), logs.data()});
            return logs;
        };
        CHECK(largest_difference(run(audio::baseline_mel_kernel(zero)), run(audio::best_mel_kernel(zero))) <= bound);
    };
    compare(0.0F, 1e-3);
    compare(0.0, 1e-9);
}

TEST_CASE("reflection, as often as is needed") {
    const std::vector<float> three = {1, 2, 3};
    CHECK(audio::reflected(three, 2) == std::vector<float>{3, 2, 1, 2, 3, 2, 1});
    CHECK(audio::reflected(three, 5) == std::vector<float>{2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2});
    CHECK(audio::reflected(std::vector<float>{7}, 2) == std::vector<float>{7, 7, 7, 7, 7});
}

TEST_CASE("filters of the mel scale") {
    const auto slaney = MelFilters::make(MelFilters::Scale::slaney_normed, 80, 201, 16000, 0, 8000);
    REQUIRE(slaney.triangles.size() == 80);
    // mel_80[0][1] and the last of OpenAI's filters.
    CHECK(slaney.triangles[0].first == 1);
    CHECK(std::abs(slaney.triangles[0].weights[0] - 0.02486259) < 1e-7);
    const auto htk = MelFilters::make(MelFilters::Scale::htk, 64, 513, 48000, 50, 14000);
    double top = 0;
    for (const auto& triangle : htk.triangles) {
        for (const double weight : triangle.weights) top = std::max(top, weight);
    }
    CHECK(top <= 1);
    CHECK(top > 0.9);
}

}  // namespace
}  // namespace silica::test
