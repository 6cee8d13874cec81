// Valid files of every format, damaged at random: each opens and reads within the file, or throws CheckpointError.
// Meant for the sanitizers; the seeds are fixed. SILICA_FUZZ_ROUNDS multiplies the work.

#include "checkpoint/support.hpp"
#include "silica/arch/bert.hpp"
#include "silica/arch/llama.hpp"
#include "silica/arch/qwen2.hpp"
#include "silica/arch/t5.hpp"
#include "silica/checkpoint/config.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <random>

namespace fuzz_tests {

using namespace silica;
using namespace silica::test;

namespace {

int rounds(int n) {
    const char* more = std::getenv("SILICA_FUZZ_ROUNDS");
    return more == nullptr ? n : n * std::max(1, std::atoi(more));
}

/// One to eight changes: bits, bytes, numbers at the edges, pieces cut, repeated or moved.
std::string damaged(std::string data, std::mt19937_64& random) {
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % std::max<std::size_t>(n, 1)); };
    for (std::size_t changes = 1 + below(random() % 4 == 0 ? 8 : 2); changes > 0 && !data.empty(); --changes) {
        const std::size_t at = below(data.size()), n = std::min(data.size() - at, 1 + below(16));
        switch (random() % 8) {
            case 0:
                data[at] = static_cast<char>(data[at] ^ (1 << below(8)));
                break;
            case 1:
                data[at] = static_cast<char>(random());
                break;
            case 2: {
                const std::uint64_t edges[] = {0,          1,          0x7f,        0xff,        0x7fff, 0xffff,
                                               0x7fffffff, 0xffffffff, 1ULL << 62U, 1ULL << 63U, ~0ULL};
                const std::string edge = little(edges[below(11)], 1 << below(4));
                data.replace(at, std::min(edge.size(), data.size() - at), edge);
                break;
            }
            case 3:
                data.resize(at);
                break;
            case 4:
                data.erase(at, n);
                break;
            case 5:
                data.insert(at, data.substr(below(data.size()), n));
                break;
            case 6:
                data.replace(at, n, data.substr(below(data.size()), n));
                break;
            default: {  // another digit, bracket or quote: keeps JSON alive longer
                const char* letters = "0123456789[]{}\",:-.eE\\u";
                data[at] = letters[below(23)];
            }
        }
    }
    return data;
}

void survive(const std::string& name, const std::string& as, int times, std::uint64_t seed) {
    const auto whole = slurp(golden(name));
    const Directory directory;
    std::mt19937_64 random(seed);
    int opened = 0, refused = 0;
    for (int i = 0; i < times; ++i) {
        const auto path = directory.write(as, damaged(whole, random));
        try {
            const auto checkpoint = Checkpoint::open(path);
            ++opened;
            static_cast<void>(checkpoint.total_bytes());
            read_all(checkpoint);
        } catch (const CheckpointError& error) {
            ++refused;
            REQUIRE_FALSE(error.problem().empty());
            REQUIRE(std::string_view(error.what()).size() < 4000);
        }
    }
    INFO(name << ": opened " << opened << ", refused " << refused);
    CHECK(refused > times / 20);
    CHECK(opened > 0);
}

}  // namespace

TEST_CASE("damaged safetensors files are read within bounds or refused") {
    survive("plain.safetensors", "model.safetensors", rounds(1500), 1);
    survive("float32.safetensors", "model.safetensors", rounds(1500), 2);
}

TEST_CASE("damaged torch files are read within bounds or refused") {
    survive("zip.bin", "pytorch_model.bin", rounds(1500), 3);
    survive("wrapped4.bin", "pytorch_model.bin", rounds(1000), 4);
    survive("legacy.bin", "pytorch_model.bin", rounds(1500), 5);
}

TEST_CASE("a damaged index is refused, or names files of its own directory") {
    const Directory directory;
    fs::copy(golden("sharded"), directory.path());
    const auto whole = slurp(golden("sharded/model.safetensors.index.json"));
    std::mt19937_64 random(6);
    int opened = 0;
    for (int i = 0; i < rounds(1000); ++i) {
        const auto path = directory.write("model.safetensors.index.json", damaged(whole, random));
        try {
            read_all(Checkpoint::open(path));
            ++opened;
        } catch (const CheckpointError&) {
        }
    }
    CHECK(opened > 0);
}

TEMPLATE_TEST_CASE("a damaged config.json is read or refused, in no time", "", arch::Bert, arch::Llama, arch::Qwen2,
                   arch::T5) {
    const auto family = fs::path(SILICA_TESTS_DIR) / "golden" / std::string(TestType::family);
    const auto whole = slurp(family / (TestType::family == "qwen2" ? "tied" : "base") / "config.json");
    const Directory directory;
    std::mt19937_64 random(7);
    int opened = 0, refused = 0;
    const double start = processor_seconds();
    for (int i = 0; i < rounds(1500); ++i) {
        std::string text = damaged(whole, random);
        const auto digit = text.find_first_of("123456789", random() % (text.size() + 1));
        if (i % 3 == 0 && digit < text.size())
            text.replace(digit, 1, std::to_string(std::uint64_t{1} << random() % 63));
        directory.write("config.json", text);
        try {
            static_cast<void>(read_config<TestType>(directory.path()));
            ++opened;
        } catch (const ConfigError& error) {
            ++refused;
            REQUIRE_FALSE(error.problem().empty());
            REQUIRE(std::string_view(error.what()).size() < 4000);
        }
    }
    INFO("opened " << opened << ", refused " << refused);
    CHECK(refused > 100);
    CHECK(opened > 100);
    CHECK(processor_seconds() - start < rounds(10));
}

}  // namespace fuzz_tests
