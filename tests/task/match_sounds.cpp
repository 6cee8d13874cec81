// Sounds to texts with CLAP against transformers' zero-shot-audio-classification pipeline (golden/match_sounds,
// make_match_sounds.py).
#include "silica/task/match_sounds.hpp"

#include "silica/arch/clap.hpp"
#include "silica/core/json.hpp"
#include "silica/device/cpu.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/golden.hpp"
#include "support/refuses.hpp"

namespace match_sounds_tests {

using namespace silica;
using silica::test::refuses;
using Matcher = task::SoundMatcher<Model<arch::Clap, device::Cpu, precision::Fp32>>;

TEST_CASE("A sound's labels are scored as transformers' zero-shot pipeline scores them, drawn alike", "[task]") {
    for (const std::string name : {"unfused", "fused"}) {
        CAPTURE(name);
        const auto directory = test::golden("match_sounds", name);
        const auto match = Matcher::open(directory.string());
        const auto expected = Json::parse(test::read_file(directory / "expected.json"), "expected.json");
        for (const auto& wanted : expected.array()) {
            std::vector<std::string> labels;
            for (const auto& label : wanted.find("labels")->array()) labels.push_back(label.string());
            const auto texts = match.texts(labels, wanted.find("template")->string());
            audio::NumpyRandom random;
            for (const auto& [file, list] : wanted.find("files")->object()) {
                CAPTURE(file);
                const auto got = match(match.read(directory / file), texts, random);
                REQUIRE(got.size() == list.array().size());
                for (std::size_t i = 0; i < got.size(); ++i) {
                    CHECK(got[i].label == list.array()[i].array()[0].string());
                    CHECK(std::abs(got[i].score - list.array()[i].array()[1].number()) < 2e-3);
                }
            }
        }
    }
}

TEST_CASE("What cannot be matched is refused", "[task]") {
    const auto directory = test::golden("match_sounds", "unfused");
    const auto match = Matcher::open(directory.string());
    const auto texts = match.texts({"a dog", "rain"});
    refuses<InputError>([&] { static_cast<void>(match(audio::Samples(std::vector<float>(4000), 8000), texts)); },
                        {"8000", "4000"});
    refuses<InputError>([&] { static_cast<void>(match(directory / "config.json", texts)); }, {"config.json"});
    auto without = texts;
    without.embeds = Tensor();
    const audio::Samples sound(std::vector<float>(4000), match.extractor().rate());
    refuses<InputError>([&] { static_cast<void>(match(sound, without)); }, {"no vectors"});
    refuses<InputError>([&] { static_cast<void>(match.texts({"a"}, "no place")); }, {"{}"});
    refuses<InputError>([&] { static_cast<void>(match.texts({std::string(80, 'x')})); }, {"62"});
    const test::Directory empty;
    refuses<Error>([&] { static_cast<void>(Matcher::open(empty.path().string())); }, {empty.path().string()});
}

}  // namespace match_sounds_tests
