// Vectors of sounds with CLAP against transformers (golden/match_sounds, make_match_sounds.py).
#include "silica/task/embed_sounds.hpp"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include "silica/arch/clap.hpp"
#include "silica/core/json.hpp"
#include "silica/device/cpu.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/golden.hpp"
#include "support/refuses.hpp"

namespace embed_sounds_tests {

using namespace silica;
using silica::test::refuses;
using Paths = std::vector<std::filesystem::path>;

namespace {

template <class Arch>
using Embedder = task::AudioEmbedder<Model<Arch, device::Cpu, precision::Fp32>>;
using Projecting = Embedder<arch::ClapAudioModelWithProjection>;

/// What embeds.json has of one output.
struct Wanted {
    std::uint32_t seed;
    Paths files;
    std::vector<Tensor> vectors;
};
std::vector<Wanted> wanted(const std::filesystem::path& directory, std::string_view output) {
    const auto json = Json::parse(test::read_file(directory / "embeds.json"), "embeds.json");
    std::vector<Wanted> all;
    for (const auto& one : json.find(output)->array()) {
        all.push_back({static_cast<std::uint32_t>(one.find("seed")->integer()), {}, {}});
        for (const auto& [file, vector] : one.find("files")->object()) {
            std::vector<float> numbers;
            for (const auto& x : vector.array()) numbers.push_back(static_cast<float>(x.number()));
            all.back().files.push_back(directory / file);
            all.back().vectors.push_back(at::tensor(numbers));
        }
    }
    REQUIRE(all.size() == 2);
    REQUIRE(all[0].files.size() == 3);
    return all;
}

bool near(const Tensor& got, const Tensor& want) { return at::allclose(got, want, 1e-3, 2e-4); }

template <class Arch>
void equals_transformers(const std::string& name, std::string_view output) {
    CAPTURE(name, output);
    const auto directory = test::golden("match_sounds", name);
    const auto embed = Embedder<Arch>::open(directory.string());
    for (const auto& [seed, files, vectors] : wanted(directory, output)) {
        std::vector<audio::Samples> sounds;
        for (const auto& file : files) sounds.push_back(embed.read(file));
        for (const std::int64_t batch_size : {1, 2, 8}) {
            CAPTURE(seed, batch_size);
            std::vector<std::size_t> told;
            const auto progress = [&](std::size_t done, std::size_t of) { told.push_back(10 * done + of); };
            const auto got = embed(files, {.batch_size = batch_size, .seed = seed, .progress = progress});
            const auto heard = embed(sounds, {.batch_size = batch_size, .normalize = false, .seed = seed});
            CHECK(told == std::vector<std::size_t>{13, 23, 33});
            REQUIRE((got.size() == 3 && heard.size() == 3));
            for (std::size_t i = 0; i < files.size(); ++i) {
                CAPTURE(files[i]);
                const Tensor unit = vectors[i] / vectors[i].norm();
                CHECK((got[i].path == files[i] && got[i].index == i));
                CHECK(near(got[i].get(), unit));
                CHECK(near(heard[i], std::is_same_v<Arch, arch::Clap> ? unit : vectors[i]));
            }
        }
    }
}

}  // namespace

TEST_CASE("Vectors of sounds are transformers', in any batch, whatever is drawn for them", "[task]") {
    for (const std::string name : {"unfused", "fused"})
        equals_transformers<arch::ClapAudioModelWithProjection>(name, "audio_embeds");
    equals_transformers<arch::Clap>("fused", "audio_embeds");
    equals_transformers<arch::ClapAudioModel>("unfused", "pooler_output");
}

TEST_CASE("What is drawn depends on the seed", "[task]") {
    const auto directory = test::golden("match_sounds", "unfused");
    const auto embed = Projecting::open(directory.string());
    const auto sound = embed.read(directory / "long.wav");
    CHECK(at::equal(embed(sound), embed(sound)));
    CHECK_FALSE(near(embed(sound, {.seed = 7}), embed(sound)));
}

TEST_CASE("A file that is no sound is refused alone, and takes nothing of what is drawn", "[task]") {
    const auto directory = test::golden("match_sounds", "fused");
    const auto embed = Projecting::open(directory.string());
    const auto want = wanted(directory, "audio_embeds").front();
    const Paths files{want.files[0], directory / "none.wav", directory / "config.json", want.files[1], want.files[2]};
    for (const std::int64_t batch_size : {1, 4}) {
        const auto got = embed(files, {.batch_size = batch_size});
        REQUIRE(got.size() == 5);
        CHECK(near(got[0].get(), want.vectors[0] / want.vectors[0].norm()));
        CHECK(near(got[3].get(), want.vectors[1] / want.vectors[1].norm()));
        CHECK(near(got[4].get(), want.vectors[2] / want.vectors[2].norm()));
        refuses<Error>([&] { static_cast<void>(got[1].get()); }, {"none.wav"});
        refuses<Error>([&] { static_cast<void>(got[2].get()); }, {"config.json"});
    }
    CHECK(embed(Paths{}).empty());
}

TEST_CASE("A long sound that the extractor refuses is refused alone", "[task]") {
    const auto directory = test::golden("match_sounds", "unfused");
    const test::Directory copy;
    for (const auto* file : {"config.json", "model.safetensors"})
        std::filesystem::copy_file(directory / file, copy.path() / file);
    auto text = test::read_file(directory / "preprocessor_config.json");
    text.replace(text.find("rand_trunc"), 10, "no_such_way");
    test::write_file(copy / "preprocessor_config.json", text);
    const auto embed = Projecting::open(copy.path().string());
    const auto got = embed(Paths{directory / "short.wav", directory / "long.wav", directory / "whole.wav"});
    REQUIRE(got.size() == 3);
    CHECK((got[0].value && got[2].value));
    refuses<Error>([&] { static_cast<void>(got[1].get()); }, {"no_such_way"});
}

TEST_CASE("What cannot be embedded is refused", "[task]") {
    const auto directory = test::golden("match_sounds", "unfused");
    const auto embed = Projecting::open(directory.string());
    const audio::Samples other(std::vector<float>(4000), 8000), sound(std::vector<float>(4000), 4000);
    refuses<InputError>([&] { static_cast<void>(embed(other)); }, {"8000", "4000"});
    refuses<InputError>([&] { static_cast<void>(embed(std::vector{sound, other})); }, {"8000", "4000"});
    refuses<InputError>([&] { static_cast<void>(embed(sound, {.batch_size = 0})); }, {"batch_size is 0"});
    audio::NumpyRandom random;
    refuses<InputError>([&] { static_cast<void>(embed.of_sounds({}, random)); }, {"no sound"});
    refuses<InputError>([&] { static_cast<void>(embed(Paths{"a.wav"}, {.batch_size = -1})); }, {"batch_size is -1"});
    const test::Directory empty;
    refuses<Error>([&] { static_cast<void>(Projecting::open(empty.path().string())); }, {empty.path().string()});
}

}  // namespace embed_sounds_tests
