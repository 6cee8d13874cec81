// Matrices as checkpoints hold them: joined by rows, tied to word vectors or not; and vectors of length 1.
#include "silica/nn/l2_norm.hpp"
#include "silica/nn/linear.hpp"
#include "silica/nn/recipe.hpp"
#include "silica/nn/vocabulary_projection.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"
#include "support/refuses.hpp"

using namespace silica;
using test::Checkpoint, test::exact;

TEMPLATE_LIST_TEST_CASE("Matrices are joined by rows; a part without its bias has zeros", "", test::Devices) {
    if (!test::present<TestType>()) return;
    test::in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const std::map<std::string, Tensor> t = {{"a.weight", test::random({3, 7}, 1)},
                                                 {"a.bias", test::random({3}, 2)},
                                                 {"b.weight", test::random({1, 7}, 3)},
                                                 {"c.weight", test::random({5, 7}, 4)},
                                                 {"c.bias", test::random({5}, 5)}};
        Checkpoint<TestType> file(t);
        const Weights a = file.root / "a", b = file.root / "b", c = file.root / "c";
        const auto joined = [&](const std::vector<nn::MatrixPart>& parts) {
            const auto plain = nn::joined_rows<op::Linear, E>(parts, 7);
            CHECK(plain.weight.scalar_type() == P::compute);
            CHECK(plain.weight.device() == nn::device_of<op::Linear, E>(file.root));
            return op::Plain{plain.weight.cpu(), plain.bias ? std::optional(plain.bias->cpu()) : std::nullopt};
        };
        const auto rounded = [](const std::vector<Tensor>& parts) { return at::cat(parts).to(P::compute); };
        const Tensor whole = rounded({t.at("a.weight"), t.at("b.weight"), t.at("c.weight")});
        const auto all = joined({{a, 3}, {b, 1}, {c, 5}});
        CHECK(all.weight.equal(whole));
        CHECK(all.bias->equal(rounded({t.at("a.bias"), at::zeros({1}), t.at("c.bias")})));
        const auto without = joined({{a, 3}, {b, 1}, {c, 5, false}});  // though the file has it
        CHECK(without.weight.equal(whole));
        CHECK(without.bias->equal(rounded({t.at("a.bias"), at::zeros({6})})));
        const auto turned = joined({{b, 1}, {a, 3, true}});
        CHECK(turned.weight.equal(rounded({t.at("b.weight"), t.at("a.weight")})));
        CHECK(turned.bias->equal(rounded({at::zeros({1}), t.at("a.bias")})));
        CHECK_FALSE(joined({{a, 3, false}, {b, 1}}).bias.has_value());
        CHECK_FALSE(joined({{b, 1}}).bias.has_value());
        CHECK_FALSE(joined({{a, 3, false}}).bias.has_value());
        CHECK(joined({{a, 3}}).bias->equal(rounded({t.at("a.bias")})));
        const auto refused = [&](const std::vector<nn::MatrixPart>& parts,
                                 std::initializer_list<std::string_view> words) {
            test::refuses<CheckpointError>([&] { nn::joined_rows<op::Linear, E>(parts, 7); }, words);
        };
        refused({{a, 3}, {b, 1, true}}, {"b.bias", "(1)"});
        refused({{b, 1, true}}, {"b.bias", "(1)"});
        refused({{a, 3}, {b, 2}}, {"b.weight", "(1, 7)", "(2, 7)"});
        refused({{a, 3}, {file.root / "d", 1}}, {"d.weight", "(1, 7)"});

        const Tensor x = test::random({2, 7}, 6, P::compute);
        const Tensor want = exact(x).matmul(exact(all.weight).t()) + exact(*all.bias);
        const nn::Linear<E> linear(std::vector<nn::MatrixPart>{{a, 3}, {b, 1}, {c, 5}}, 7);
        CHECK(test::differs(linear(x.to(test::place<TestType>())), want, 2 * test::tolerance<P>()) == "");
    });
}

TEMPLATE_LIST_TEST_CASE("Vectors get length 1, however long they were; of zeros there is none", "", test::Devices) {
    if (!test::present<TestType>()) return;
    test::in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const auto home = test::place<TestType>();
        for (const std::int64_t d : {1, 5, 77}) {
            CAPTURE(d);
            const nn::L2Norm<E> norm(d, home);
            for (const double size : {1e-3, 1.0, 300.0}) {  // squares of 300 are more than float16 holds
                CAPTURE(size);
                const Tensor x = (test::random({3, 2, d}, 1) * size).to(P::compute);
                const Tensor want = exact(x) / (exact(x) * exact(x)).sum({-1}, true).sqrt();
                const Tensor y = norm(x.to(home));
                CHECK(y.scalar_type() == P::compute);
                CHECK(test::differs(y, want, test::tolerance<P>()) == "");
            }
            const Tensor x = test::random({3, d}, 2, P::compute);
            x[1].fill_(0);
            const Tensor y = norm(x.to(home)).cpu();
            CHECK(y[1].isnan().all().template item<bool>());
            CHECK(y[0].isfinite().all().template item<bool>());
            CHECK(y[2].isfinite().all().template item<bool>());
        }
    });
}

TEMPLATE_LIST_TEST_CASE("The matrix to the vocabulary is the word vectors' where it is tied to them", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    test::in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const Tensor words = test::random({11, 6}, 1, P::compute), other = test::random({11, 6}, 2, P::compute);
        const Tensor b = test::random({11}, 3, P::compute), h = test::random({2, 6}, 4, P::compute);
        const auto home = test::place<TestType>();
        const auto scores = [&](const std::optional<Tensor>& own, bool tie, const std::optional<Tensor>& bias) {
            std::map<std::string, Tensor> t = {{"words.weight", words}};
            if (own) t.emplace("head.weight", *own);
            Checkpoint<TestType> file(t);
            const nn::Embedding<E> table(file.root / "words", 11, 6);
            const auto there = bias ? std::optional(bias->to(home)) : std::nullopt;
            const auto head =
                nn::vocabulary_projection(file.root / "head", file.root / "words", table, tie, 11, 6, there);
            return head(h.to(home));
        };
        const auto check = [&](const Tensor& got, const Tensor& matrix, const std::optional<Tensor>& bias) {
            const Tensor y = exact(h).matmul(exact(matrix).t());
            CHECK(test::differs(got, bias ? y + exact(*bias) : y, 2 * test::tolerance<P>()) == "");
        };
        for (const std::optional<Tensor>& bias : {std::optional<Tensor>(), std::optional(b)}) {
            CAPTURE(bias.has_value());
            check(scores({}, true, bias), words, bias);
            check(scores(words.clone(), true, bias), words, bias);
            check(scores(words, false, bias), words, bias);
            check(scores(other, true, bias), other, bias);
            check(scores(other, false, bias), other, bias);
        }
        test::refuses<CheckpointError>([&] { scores({}, false, {}); }, {"head.weight", "(11, 6)"});
        test::refuses<CheckpointError>([&] { scores(other.narrow(0, 0, 10), true, {}); },
                                       {"head.weight", "(10, 6)", "(11, 6)"});
    });
}

TEST_CASE("A tied matrix is the word vectors themselves, one that differs is not") {
    using E = Exec<device::Cpu, precision::Fp32>;
    const auto shared = [](const std::optional<Tensor>& own, bool tie) {
        const Tensor words = test::random({11, 6}, 1);
        std::map<std::string, Tensor> t = {{"words.weight", words}};
        if (own) t.emplace("head.weight", own->defined() ? *own : words);
        Checkpoint<device::Cpu> file(t);
        const nn::Embedding<E> table(file.root / "words", 11, 6);
        const auto head = nn::vocabulary_projection(file.root / "head", file.root / "words", table, tie, 11, 6);
        const Tensor h = at::ones({1, 6}), before = head(h);
        words.fill_(0);
        const Tensor after = head(h);
        CHECK((after.equal(before) || (after == 0).all().item<bool>()));
        return !after.equal(before);
    };
    CHECK(shared({}, true));
    CHECK(shared(test::random({11, 6}, 1), true));  // repeated
    CHECK(shared(Tensor(), false));                 // the same bytes
    CHECK_FALSE(shared(test::random({11, 6}, 1), false));
    CHECK_FALSE(shared(test::random({11, 6}, 2), true));
}
