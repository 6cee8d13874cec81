// Images as tokens, against plain formulas in float64: patches cut out and multiplied, learned positions by LibTorch's
// own bicubic interpolation, tokens put together; which images a model can look at.
#include <ATen/ops/upsample_bicubic2d.h>

#include "silica/nn/image_positions.hpp"
#include "silica/nn/patch_embedding.hpp"
#include "silica/nn/vision_transformer.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"
#include "support/refuses.hpp"

using namespace silica;
using nn::ImageSize, nn::PatchShape;
using test::Checkpoint, test::exact;

namespace {

/// W patch + b for each patch of whole pixels, row by row.
Tensor patch_equation(const Tensor& pixels, const PatchShape& s, const Tensor& w, const std::optional<Tensor>& b) {
    const auto cells = s.grid({pixels.size(2), pixels.size(3)});
    const Tensor patches = exact(pixels)
                               .unfold(2, s.patch.height, s.patch.height)
                               .unfold(3, s.patch.width, s.patch.width)  // (batch, channels, rows, columns, h, w)
                               .permute({0, 2, 3, 1, 4, 5})
                               .reshape({pixels.size(0), cells.height * cells.width, -1});
    const Tensor y = patches.matmul(exact(w).view({w.size(0), -1}).t());
    return b ? y + exact(*b) : y;
}

/// (1, special + patches, hidden) for a grid of `cells`, of a table whose patches lie in a square of `side`.
Tensor position_equation(const Tensor& table, std::int64_t special, std::int64_t side, const ImageSize& cells) {
    const Tensor learned = exact(table).slice(0, special).view({1, side, side, -1}).permute({0, 3, 1, 2});
    const Tensor placed = at::upsample_bicubic2d(learned, {cells.height, cells.width}, false);
    return at::cat({exact(table).slice(0, 0, special).unsqueeze(0), placed.flatten(2).transpose(1, 2)}, 1);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("Patches are multiplied row by row, and pixels that fill none are left out", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    test::in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const PatchShape shape{.channels = 3, .hidden = 7, .image = {9, 10}, .patch = {3, 5}};
        const Tensor w = test::random({7, 3, 3, 5}, 1, P::compute), b = test::random({7}, 2, P::compute);
        const Tensor small = w / 128;  // for bytes, so that sums are no larger than the others, nor is what they round
        Checkpoint<TestType> biased({{"p.weight", w}, {"p.bias", b}, {"bytes.weight", small}, {"bytes.bias", b}}),
            bare({{"p.weight", w}});
        const nn::PatchEmbedding<E> embed(biased.root / "p", shape), without(bare.root / "p", shape),
            embed_bytes(biased.root / "bytes", shape);
        for (const auto& size : {ImageSize{9, 10}, ImageSize{3, 5}, ImageSize{11, 14}, ImageSize{4, 19}}) {
            CAPTURE(size.text());
            const Tensor pixels = test::random({2, 3, size.height, size.width}, 3, P::compute);
            const Tensor there = pixels.to(test::place<TestType>());
            const double tolerance = 2 * test::tolerance<P>();
            CHECK(embed(there).scalar_type() == P::compute);
            CHECK(test::differs(embed(there), patch_equation(pixels, shape, w, b), tolerance) == "");
            CHECK(test::differs(without(there), patch_equation(pixels, shape, w, {}), tolerance) == "");
            const Tensor bytes = test::random_ids({1, 3, size.height, size.width}, 256, 4).to(at::kByte);
            CHECK(test::differs(embed_bytes(bytes.to(there.device())), patch_equation(bytes, shape, small, b),
                                tolerance) == "");
        }
        CHECK_NOTHROW(nn::PatchEmbedding<E>(biased.root / "p", shape, true));
        test::refuses<CheckpointError>([&] { nn::PatchEmbedding<E>(bare.root / "p", shape, true); }, {"p.bias", "(7)"});
        auto turned = shape;
        turned.patch = {5, 3};
        test::refuses<CheckpointError>([&] { nn::PatchEmbedding<E>(bare.root / "p", turned); },
                                       {"p.weight", "(7, 3, 3, 5)", "(7, 3, 5, 3)"});
    });
}

TEMPLATE_LIST_TEST_CASE("Positions of other sizes lie between the learned ones; special tokens keep theirs", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    test::in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        for (const std::int64_t special : {0, 1, 2}) {
            CAPTURE(special);
            const PatchShape square{1, 6, {15, 17}, {3, 3}};  // 5 x 5 places
            const Tensor table = test::random({special + 25, 6}, 1, P::compute);
            const Tensor all = table.unsqueeze(0);
            const nn::ImagePositions<E> positions(table.to(test::place<TestType>()), square, special);
            for (const auto& size : {ImageSize{9, 33}, ImageSize{3, 4}, ImageSize{40, 23}, ImageSize{16, 17}}) {
                CAPTURE(size.text());
                const Tensor got = positions(size, true).cpu();
                const Tensor want = position_equation(table, special, 5, square.grid(size));
                CHECK(test::differs(got, want, test::tolerance<P>()) == "");
                CHECK(got.slice(1, 0, special).equal(all.slice(1, 0, special)));
            }
            CHECK(positions({15, 17}, false).cpu().equal(all));
            CHECK(positions({17, 17}, true).cpu().equal(all));  // a square of as many patches: none lies between
        }
        // As many places as a square has, in a row: they are taken as the square.
        const PatchShape row{1, 6, {4, 16}, {4, 4}};
        const Tensor table = test::random({5, 6}, 2, P::compute);
        const nn::ImagePositions<E> positions(table.to(test::place<TestType>()), row, 1);
        CHECK(test::differs(positions({4, 16}, true), position_equation(table, 1, 2, {1, 4}), test::tolerance<P>()) ==
              "");
        CHECK(positions({8, 8}, true).cpu().equal(table.unsqueeze(0)));
    });
}

TEST_CASE("Which images a model with learned positions can look at") {
    const PatchShape square{3, 4, {12, 12}, {4, 4}}, row{3, 4, {4, 16}, {4, 4}}, six{3, 4, {8, 12}, {4, 4}},
        oblong{3, 4, {12, 20}, {3, 5}};
    CHECK(square.learned_side() == 3);
    CHECK(row.learned_side() == 2);
    CHECK(oblong.learned_side() == 4);
    CHECK_FALSE(six.learned_side().has_value());
    CHECK(square.keeps_positions({15, 15}));
    CHECK_FALSE(square.keeps_positions({12, 13}));
    CHECK_FALSE(square.keeps_positions({16, 16}));
    CHECK(row.keeps_positions({8, 8}));
    CHECK_FALSE(row.keeps_positions({4, 16}));

    const auto refused = [](const PatchShape& s, const ImageSize& size, bool interpolate,
                            std::initializer_list<std::string_view> words) {
        CAPTURE(size.text());
        test::refuses<InputError>([&] { nn::require_image_size("pixels", size, s, interpolate); }, words);
    };
    CHECK_NOTHROW(nn::require_image_size("pixels", {8, 12}, six, false));
    CHECK_NOTHROW(nn::require_image_size("pixels", {4, 29}, square, true));
    refused(square, {12, 13}, false, {"pixels", "12 x 13", "12 x 12", "interpolate_pos_encoding"});
    refused(square, {3, 40}, true, {"3 x 40", "smaller than a patch of 4 x 4"});
    refused(square, {40, 3}, true, {"40 x 3", "smaller than a patch of 4 x 4"});
    refused(six, {16, 16}, true, {"8 x 12", "4 x 4", "square"});
    refused(oblong, {12, 20}, true, {"12 x 20", "3 x 5", "square"});

    const Tensor pixels = test::random({2, 3, 12, 12}, 1);
    CHECK(nn::checked_pixels("pixels", pixels, square, false).is_same(pixels));
    CHECK(nn::checked_pixels("pixels", pixels.to(at::kDouble), square, false).equal(pixels));
    CHECK(nn::checked_pixels("pixels", pixels.to(at::kByte), square, false).scalar_type() == at::kByte);
    const auto wrong = [&](const Tensor& t, std::string_view word) {
        test::refuses<InputError>([&] { static_cast<void>(nn::checked_pixels("pixels", t, square, false)); },
                                  {"pixels", word});
    };
    wrong(pixels[0], "rank 4");
    wrong(pixels.to(at::kLong), "Long");
    wrong(pixels.slice(1, 1), "3 channels");
    test::refuses<ConfigError>([&] { nn::check_patches("config.json", {3, 4, {12, 12}, {4, 13}}); },
                               {"config.json", "12 x 12", "4 x 13"});
    test::refuses<ConfigError>([&] { nn::check_patches("config.json", {3, 4, {12, 12}, {4, 0}}); },
                               {"patch_size is 0"});
}

TEMPLATE_LIST_TEST_CASE("Special tokens stand before the patches, a mask token in the place of some", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    using E = Exec<TestType, precision::Fp32>;
    nn::VisionTransformerConfig c;
    c.hidden_size = 6, c.num_channels = 2, c.image_size = {8, 8}, c.patch_size = {4, 4};
    std::map<std::string, Tensor> t = {{"patch_embeddings.projection.weight", test::random({6, 2, 4, 4}, 1)},
                                       {"patch_embeddings.projection.bias", test::random({6}, 2)},
                                       {"cls_token", test::random({1, 1, 6}, 3)},
                                       {"distillation_token", test::random({1, 1, 6}, 4)},
                                       {"position_embeddings", test::random({1, 6, 6}, 5)}};
    const Checkpoint<TestType> plain(t);
    t.emplace("mask_token", test::random({1, 1, 6}, 6));
    const Checkpoint<TestType> masking(t);
    const auto home = test::place<TestType>();
    const Tensor pixels = test::random({3, 2, 8, 13}, 7), hidden = test::random({3, 6}, 8) > 0;  // 2 x 3 patches
    const auto want = [&](const Tensor& patches) {
        const Tensor special = at::cat({exact(t["cls_token"]), exact(t["distillation_token"])}, 1).expand({3, 2, 6});
        return at::cat({special, patches}, 1) + position_equation(t["position_embeddings"][0], 2, 2, {2, 3});
    };
    const Tensor patches = patch_equation(pixels, c.patches(), t["patch_embeddings.projection.weight"],
                                          t["patch_embeddings.projection.bias"]);
    const nn::ImageTokens<E> without(c, plain.root, {"cls_token", "distillation_token"}),
        tokens(c, masking.root, {"cls_token", "distillation_token"});
    nn::VisionTransformerInputs in{.pixel_values = pixels.to(home), .interpolate_pos_encoding = true};
    CHECK(test::differs(tokens(in), want(patches), 1e-5) == "");
    in.bool_masked_pos = hidden.to(home);
    CHECK(test::differs(tokens(in), want(at::where(hidden.unsqueeze(-1), exact(t["mask_token"]), patches)), 1e-5) ==
          "");
    test::refuses<InputError>([&] { without(in); }, {"bool_masked_pos", "mask_token"});
}

TEMPLATE_LIST_TEST_CASE("The first tokens alone are those of all", "", test::Devices) {
    if (!test::present<TestType>()) return;
    using E = Exec<TestType, precision::Fp32>;
    nn::VisionTransformerConfig c;
    c.hidden_size = 12, c.num_attention_heads = 3, c.intermediate_size = 7, c.num_channels = 1;
    c.image_size = {6, 9}, c.patch_size = {3, 3};
    loader::Random random;
    const Weights w(random, {}, test::place<TestType>());
    const nn::VisionTransformerInputs in{.pixel_values = test::random({2, 1, 6, 9}, 1).to(test::place<TestType>())};
    for (const std::int64_t layers : {0, 1, 3}) {
        CAPTURE(layers);
        c.num_hidden_layers = layers;
        const nn::VisionTransformer<E> network(c, w / "vit", {"cls_token"});
        const Tensor all = network(in);
        CHECK(all.sizes() == c10::IntArrayRef({2, 7, 12}));
        for (const std::int64_t n : {1, 4}) CHECK(test::differs(network.first(in, n), all.narrow(1, 0, n), 1e-5) == "");
    }
}
