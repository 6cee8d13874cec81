/// The arithmetic of memory, against numbers worked out by hand.

#include "silica/core/activations.hpp"
#include "silica/core/budget.hpp"
#include "silica/core/error.hpp"

#include <array>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace silica;

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20U;

/// Words (1000, 64) that the projection to the vocabulary shares, a matrix (256, 64), its bias (256).
std::vector<KeptWeight> tied_in_float32() {
    return {{.tensor = 0, .elements = 64000, .bytes = 256000, .as_read = true},
            {.tensor = 0, .elements = 64000, .rows = 1000, .columns = 64, .bytes = 256000, .as_read = true},
            {.tensor = 1, .elements = 16384, .rows = 256, .columns = 64, .bytes = 65536},
            {.tensor = 2, .elements = 256, .bytes = 1024, .as_read = true}};
}

Budget of(std::vector<KeptWeight> kept, WeightFiles files = {}) {
    return {.model = "a model", .kept = std::move(kept), .files = files};
}

/// One matrix (1024, n Mi / 4 Ki) of n MiB in float32.
Budget large(std::int64_t mebibytes, bool files = true) {
    const auto n = static_cast<std::uint64_t>(mebibytes) * mebibyte;
    const std::int64_t columns = mebibytes * 256;
    return of({{.tensor = 0, .elements = 1024 * columns, .rows = 1024, .columns = columns, .bytes = n}},
              files ? WeightFiles{.bytes = n / 2, .largest = n / 2, .item = 2} : WeightFiles{});
}

/// That much is free.
Room having(std::uint64_t bytes) { return {.device = "cpu", .free = bytes, .total = 64 * 1024 * mebibyte}; }

}  // namespace

TEST_CASE("Codes take their words, and a scale and a bias for each group") {
    // 64 columns of 4 bits are 8 words of 4 bytes; one group, 2 x 4 bytes.
    CHECK(code_bytes(1000, 64, {.bits = 4, .group = 64}) == 1000 * (32 + 8));
    // of 8 bits by groups of 32: 16 words, two groups; scales of 2 bytes.
    CHECK(code_bytes(10, 64, {.bits = 8, .group = 32, .scale = 2}) == 10 * (64 + 8));
    // 100 columns: 12 words for 96, one for four more; two groups.
    CHECK(code_bytes(1, 100, {.bits = 4, .group = 64}) == 13 * 4 + 2 * 8);
    // the whole row.
    CHECK(code_bytes(3, 100, {.bits = 8, .group = 0}) == 3 * (25 * 4 + 8));
    CHECK(code_bytes(0, 64, {.bits = 4}) == 0);
}

TEST_CASE("A tensor that two layers share counts once, and twice where one of them keeps codes of it") {
    const auto kept = tied_in_float32();
    CHECK(parameters_of(kept) == 64000 + 16384 + 256);
    const auto own = weight_bytes(kept);
    CHECK(own.device == 256000 + 65536 + 1024);
    CHECK(own.host == 0);
    CHECK(own.largest == 256000);
    CHECK(own.in_place == 256000 + 1024);
    CHECK(weight_bytes(kept, {.item = 2}).device == (256000 + 65536 + 1024) / 2);
    // The words in bfloat16, the projection's codes beside them.
    const auto coded = weight_bytes(kept, {.item = 2, .bits = 4, .group = 64});
    CHECK(coded.device == 128000 + 1000 * 40 + 256 * 40 + 512);
    CHECK(coded.largest == 128000);
    CHECK(coded.largest_matrix == 40000);
}

TEST_CASE("What an op without a kernel on the device keeps is the host's") {
    auto kept = tied_in_float32();
    kept[2].host = true;
    const auto bytes = weight_bytes(kept);
    CHECK(bytes.device == 256000 + 1024);
    CHECK(bytes.host == 65536);
}

TEST_CASE("The peak of a load, by loader") {
    const WeightBytes weights{.device = 1000 * mebibyte,
                              .largest = 100 * mebibyte,
                              .largest_matrix = 80 * mebibyte,
                              .largest_elements = 25 * 1048576};
    const WeightFiles files{.bytes = 500 * mebibyte, .largest = 50 * mebibyte, .item = 2};
    const WeightForm float32{.item = 4};
    // Of float16 files, in float32 on the host: a kernel packs the largest matrix from a copy.
    auto peak = loading_bytes("mapped", weights, files, float32, true);
    CHECK(peak.host == 1080 * mebibyte);
    CHECK(peak.mapped == 50 * mebibyte);
    CHECK(peak.in_place == 0);
    CHECK(loading_bytes("streamed", weights, files, float32, true).host == 1096 * mebibyte);   // 16 MiB of staging
    CHECK(loading_bytes("cpu-first", weights, files, float32, true).host == 1100 * mebibyte);  // as it drops the files
    CHECK(loading_bytes("random", weights, {}, float32, true).host == 1180 * mebibyte);        // 25 Mi in float32
    // Files that are larger than what is made of them.
    CHECK(loading_bytes("cpu-first", weights, {.bytes = 2000 * mebibyte, .largest = 200 * mebibyte, .item = 8}, float32,
                        true)
              .host == 2100 * mebibyte);
    // On a device: joined from parts there, and nothing but the reader's own on the host.
    peak = loading_bytes("streamed", weights, files, float32, false);
    CHECK(peak.device == 1100 * mebibyte);
    CHECK(peak.host == 16 * mebibyte);
    CHECK(loading_bytes("mapped", weights, files, float32, false).host == 0);
    CHECK(loading_bytes("cpu-first", weights, files, float32, false).host == 550 * mebibyte);
}

TEST_CASE("Codes are made of some rows of a matrix at a time, by every loader") {
    const WeightBytes weights{.device = 300 * mebibyte,
                              .largest = 60 * mebibyte,
                              .largest_matrix = 20 * mebibyte,
                              .largest_elements = 25 * 1048576};
    const WeightFiles files{.bytes = 1000 * mebibyte, .largest = 50 * mebibyte, .item = 2};
    const WeightForm int4{.item = 4, .bits = 4};
    CHECK(loading_bytes("mapped", weights, files, int4, true).host == 340 * mebibyte);
    CHECK(loading_bytes("mapped", weights, files, int4, true).mapped == 32 * mebibyte);
    CHECK(loading_bytes("streamed", weights, files, int4, true).host == 372 * mebibyte);
    CHECK(loading_bytes("cpu-first", weights, files, int4, true).host == 372 * mebibyte);
    CHECK(loading_bytes("streamed", weights, files, int4, false).host == 72 * mebibyte);
}

TEST_CASE("Mapped weights of the file's own type are its pages") {
    const WeightBytes weights{.device = 500 * mebibyte,
                              .largest = 50 * mebibyte,
                              .largest_matrix = 50 * mebibyte,
                              .in_place = 400 * mebibyte,
                              .largest_elements = 25 * 1048576};
    const WeightFiles files{.bytes = 500 * mebibyte, .largest = 50 * mebibyte, .item = 2};
    const auto peak = loading_bytes("mapped", weights, files, {.item = 2}, true);
    CHECK(peak.host == 150 * mebibyte);  // what is joined, and a copy of the largest
    CHECK(peak.in_place == 400 * mebibyte);
    CHECK(peak.mapped == 400 * mebibyte);
}

TEST_CASE("Whatever runs counts, and what is not known to be free fits") {
    auto budget = large(100, false);
    budget.batch = 2, budget.tokens = 10;
    budget.caches = 300 * mebibyte, budget.activations = 50 * mebibyte;
    const auto needs = budget.needs("random");
    CHECK(needs.weights == 100 * mebibyte);
    CHECK(needs.loading.host == 300 * mebibyte);  // with one in float32, and one packed
    CHECK(needs.peak(true) == 450 * mebibyte);
    CHECK(fits(needs, true, {}, having(450 * mebibyte)));
    CHECK_FALSE(fits(needs, true, {}, having(450 * mebibyte - 1)));
    CHECK(fits(needs, true, {}, {}));
    const auto half = budget.needs("random", {.item = 2});
    CHECK(half.weights == 50 * mebibyte);
    CHECK(half.caches == 150 * mebibyte);
    CHECK(half.activations == 25 * mebibyte);
}

TEST_CASE("A device and the host beside it both have to hold their part") {
    auto budget = large(1000);
    budget.on_host = false;
    const auto needs = budget.needs("cpu-first");
    CHECK(needs.peak(false) == 2000 * mebibyte);
    CHECK(needs.loading.host == 1000 * mebibyte);
    CHECK(fits(needs, false, having(2000 * mebibyte), having(1000 * mebibyte)));
    CHECK_FALSE(fits(needs, false, having(1999 * mebibyte), having(1000 * mebibyte)));
    CHECK_FALSE(fits(needs, false, having(2000 * mebibyte), having(999 * mebibyte)));
}

TEST_CASE("What would fit is worked out: precisions, loaders, context and batch") {
    constexpr std::array<NamedForm, 3> forms{
        {{"float32", {.item = 4}}, {"bfloat16", {.item = 2}}, {"int4", {.item = 4, .bits = 4}}}};
    constexpr std::array<std::string_view, 2> loaders{"mapped", "streamed"};
    const auto texts = [&](const Budget& b, std::string_view loader, std::uint64_t free) {
        std::vector<std::string> all;
        for (const auto& c : choices(b, "float32", loader, forms, loaders, {}, having(free))) {
            CHECK(c.needs.peak(true) <= free);
            all.push_back(c.text());
        }
        return all;
    };
    // 1000 MiB of float32 peak at 2000; in bfloat16 at 1000, in codes at 156 and twice that.
    auto budget = large(1000);
    CHECK(texts(budget, "mapped", 1999 * mebibyte) ==
          std::vector<std::string>{"bfloat16 with the loader mapped", "int4 with the loader mapped"});
    CHECK(texts(budget, "mapped", 999 * mebibyte) == std::vector<std::string>{"int4 with the loader mapped"});
    CHECK(texts(budget, "mapped", 400 * mebibyte).empty());
    // All files at once are too much, and the same numbers one after another are not.
    budget.files = {.bytes = 9000 * mebibyte, .largest = 10 * mebibyte, .item = 4};
    CHECK(texts(budget, "cpu-first", 2010 * mebibyte).front() == "float32 with the loader mapped");
    // Caches: 1 MiB for each of 1000 tokens of 4 rows, beside 100 MiB.
    budget = large(100);
    budget.batch = 4, budget.tokens = 1000, budget.caches = 1000 * mebibyte;
    const auto found = texts(budget, "mapped", 600 * mebibyte);
    REQUIRE(found.size() >= 2);
    CHECK(found[found.size() - 2] == "a context of 499 tokens");
    CHECK(found.back() == "a batch of 1");
    // Codes of a file are not made anything else.
    budget = large(1000);
    budget.codes = true;
    CHECK(texts(budget, "mapped", 999 * mebibyte).empty());
}

TEST_CASE("What does not fit is one sentence with the numbers and what would") {
    constexpr std::array<NamedForm, 2> forms{{{"float32", {.item = 4}}, {"bfloat16", {.item = 2}}}};
    constexpr std::array<std::string_view, 2> loaders{"mapped", "streamed"};
    auto budget = large(1000);
    budget.tokens = 100, budget.caches = 10 * mebibyte;
    const Room room{.device = "cpu", .free = 1500 * mebibyte, .total = 4096 * mebibyte};
    CHECK_NOTHROW(require_room(budget, "float32", "mapped", forms, loaders, room, {.device = "cpu"}));
    try {
        require_room(budget, "float32", "mapped", forms, loaders, room, room);
        FAIL("it does not fit");
    } catch (const DeviceError& e) {
        CHECK(e.problem() ==
              "cpu has not enough memory for a model and 1 x 100 tokens: 1000 MiB of weights in float32, 10 MiB of "
              "caches, by the loader mapped 2.0 GiB at the peak, and 1.5 GiB are free of 4.0 GiB.");
        CHECK(e.remedy() == "what would fit: bfloat16 with the loader mapped (1000 MiB).");
    }
    try {
        require_room(budget, "float32", "mapped", forms, loaders, room, having(mebibyte));
        FAIL("it does not fit");
    } catch (const DeviceError& e) {
        CHECK(e.remedy() == "nothing of this model fits here: use a smaller one, or free memory.");
    }
}

TEST_CASE("Bytes are written in the unit that suits them") {
    CHECK(bytes_text(0) == "0 MiB");
    CHECK(bytes_text(870 * mebibyte) == "870 MiB");
    CHECK(bytes_text(1024 * mebibyte) == "1.0 GiB");
    CHECK(bytes_text(13517 * mebibyte) == "13.2 GiB");
}

TEST_CASE("A layer's numbers: residual and norm, beside attention or the feed-forward network") {
    // Attention holds 2 x (768 + 2 x 768) + 2 x 768 + 768 = 6912, feed-forward 3072 + 3 x 768.
    CHECK(TransformerSize{.rows = 1, .hidden = 768, .inner = 3072}.numbers() == 3 * 768 + 6912);
    // Eight heads of keys for 32 of queries, and a gate: 3 x 14336 + 3 x 4096; attention holds less.
    CHECK(TransformerSize{.rows = 2, .hidden = 4096, .inner = 14336, .queries = 4096, .keys = 1024, .gated = true}
              .numbers() == 2 * (3 * 4096 + 3 * 14336 + 3 * 4096));
    // A narrow gate: attention's 2 x (512 + 2 x 256) + 2 x 512 + 512 are more than 3 x 300 + 3 x 512.
    CHECK(TransformerSize{.rows = 1, .hidden = 512, .inner = 300, .keys = 256, .gated = true}.numbers() ==
          3 * 512 + 3584);
    CHECK(convolution_numbers(100, 8, 50) == 100 + 800);
    CHECK(places_of(160000, 10, 5) == 31999);
    CHECK(places_of(3, 10, 5) == 0);
}
