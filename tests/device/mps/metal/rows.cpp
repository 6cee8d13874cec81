// The Metal kernel of products with few rows, run on the host from its own text, against float64: every weight form at
// awkward sizes, and that changes of the text do not pass.
#include "support/catch.hpp"
#include "support/metal/buffers.hpp"

using namespace silica::test::metal;

namespace {

struct Constants {  // Rows of rows.metal.hpp
    std::uint32_t k, n, rows, group, terms, words, epilogue, act, biased;
    float eps;
};

struct Case {
    Type type = Type::float32;
    int bits = 0, scales = 0, at_once = 1;
    bool norm = false, biased = false;
    unsigned k = 64, n = 8, rows = 1, group = 32, epilogue = 0, act = 9, threads = 64;
};

double activated(unsigned act, double x) {
    switch (act) {
        case 1:
            return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
        case 2:
            return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
        case 3:
            return std::clamp(0.5 * x * (1 + std::erf(x / std::sqrt(2.0))), -10.0, 10.0);
        case 4:
            return x / (1 + std::exp(-1.702 * x));
        case 5:
            return std::max(x, 0.0);
        case 6:
            return x > 0 ? x * x : 0;
        case 7:
            return std::clamp(x, 0.0, 6.0);
        case 8:
            return x > 0 ? x : 0.01 * x;
        case 9:
            return x / (1 + std::exp(-x));
        case 10:
            return 1 / (1 + std::exp(-x));
        case 11:
            return std::tanh(x);
        case 12:
            return x * std::tanh(std::log1p(std::exp(x)));
        case 13:
            return 0.5 * (1 + std::erf((x - 0.707107) / (0.282095 * std::sqrt(2.0))));
        default:
            return x;
    }
}

/// How far the kernel is from the product in float64, in units of what is allowed.
double error_of(const Case& c, const std::string& mutation = "") {
    const bool gated = c.epilogue == 2;
    const unsigned of_w = gated ? 2 * c.n : c.n, per_word = c.bits == 0 ? 1 : 32U / static_cast<unsigned>(c.bits);
    const unsigned words = (c.k + per_word - 1) / per_word, groups = (c.k + c.group - 1) / c.group;
    const auto x = normal(std::size_t{c.rows} * c.k, 1, c.type), scale = normal(c.k, 2, c.type);
    const auto bias = normal(of_w, 3, c.type), residual = normal(std::size_t{c.rows} * c.n, 4, c.type);
    std::vector<double> w(std::size_t{of_w} * c.k), terms(std::size_t{of_w} * groups * 2);
    std::vector<std::uint32_t> codes(std::size_t{of_w} * words);
    if (c.bits == 0) {
        w = normal(w.size(), 5, c.type, 0.3);
    } else {
        const Type type = c.scales == 0 ? Type::float32 : Type::bfloat16;
        const double top = (1U << c.bits) - 1U;
        const auto steps = normal(terms.size() / 2, 6, type, 0.5 / top), bases = normal(terms.size() / 2, 7, type, 0.3);
        for (std::size_t i = 0; i < steps.size(); ++i) terms[2 * i] = steps[i], terms[2 * i + 1] = bases[i];
        std::mt19937 engine(8);
        for (unsigned r = 0; r < of_w; ++r)
            for (unsigned i = 0; i < c.k; ++i) {
                const std::uint32_t code = static_cast<std::uint32_t>(engine()) & ((1U << c.bits) - 1U);
                codes[r * words + i / per_word] |= code << (static_cast<unsigned>(c.bits) * (i % per_word));
                const std::size_t g = std::size_t{r} * groups + i / c.group;
                w[std::size_t{r} * c.k + i] = code * steps[g] + bases[g];
            }
    }

    const double e = epsilon(c.type), eps = 1e-5;
    std::vector<double> want, near;
    for (unsigned r = 0; r < c.rows; ++r) {
        std::vector<double> in(x.begin() + r * c.k, x.begin() + (r + 1) * c.k);
        if (c.norm) {
            double squares = 0;
            for (const double v : in) squares += v * v;
            const double by = 1 / std::sqrt(squares / c.k + static_cast<double>(static_cast<float>(eps)));
            for (unsigned i = 0; i < c.k; ++i) in[i] = nearest(nearest(in[i] * by, c.type) * scale[i], c.type);
        }
        const auto sum = [&](unsigned of, double& allowed) {
            double s = c.biased ? bias[of] : 0, all = 0, squares = 0;
            for (unsigned i = 0; i < c.k; ++i) {
                const double term = w[std::size_t{of} * c.k + i] * in[i];
                s += term, all += std::fabs(term), squares += term * term;
            }
            if (c.bits != 0) all += 8 * std::sqrt(c.k);  // code * step and base are added up apart
            allowed = 1e-6 * all + 1e-6 + (c.norm ? 2 * e * std::sqrt(squares) : 0);
            return s;
        };
        for (unsigned o = 0; o < c.n; ++o) {
            double allowed = 0, more = 0;
            double y = sum(o, allowed);
            if (c.epilogue == 1) y += residual[r * c.n + o];
            if (c.epilogue == 2) {
                const double up = sum(o + c.n, more), g = activated(c.act, y);
                allowed = 1.5 * allowed * std::fabs(up) + more * std::fabs(g) + 1e-6;
                y = g * up;
            }
            if (c.epilogue == 3) y = activated(c.act, y), allowed = 1.5 * allowed * (c.act == 6 ? 10 : 1) + 1e-6;
            want.push_back(y);
            near.push_back(allowed + 1.01 * e * std::fabs(y));
        }
    }

    Constants constants{
        c.k, c.n, c.rows, c.group, groups, words, c.epilogue, c.act, c.biased ? 1U : 0U, static_cast<float>(eps)};
    Buffer bx = of(x, c.type), bw = c.bits == 0 ? of(w, c.type) : of(codes);
    Buffer bt = of(terms, c.scales == 0 ? Type::float32 : Type::bfloat16), bb = of(bias, c.type),
           br = of(residual, c.type);
    Buffer bs = of(scale, c.type), by(want.size() * (c.type == Type::float32 ? 4 : 2));
    const auto at_once = static_cast<unsigned>(c.at_once);
    const unsigned a_group = c.threads / lanes * (gated ? 2 : 4);
    launch(variant("rows", {{"TYPE", static_cast<int>(c.type)},
                            {"BITS", c.bits},
                            {"SCALES", c.scales},
                            {"ROWS", c.at_once},
                            {"NORM", c.norm}}),
           mutation, {&bx, &bw, &bt, &bb, &br, &bs, &by}, &constants,
           {(c.n + a_group - 1) / a_group, (c.rows + at_once - 1) / at_once, 1}, c.threads);
    return worst(numbers(by, want.size(), c.type), want, near);
}

const Type types[] = {Type::float32, Type::float16, Type::bfloat16};

/// As a mutation test asks: whether anything is wrong.
bool notices(const std::string& mutation, std::vector<Case> cases) {
    for (const Case& c : cases) {
        try {
            if (error_of(c, mutation) > 1) return true;
        } catch (const std::exception& e) {
            INFO(e.what());
            return true;
        }
    }
    return false;
}

}  // namespace

TEST_CASE("Rows of a product on Metal: every form of weights at awkward sizes") {
    unsigned turn = 0;
    for (const Type type : types)
        for (const int bits : {0, 4, 8})
            for (const int scales : {0, 1}) {
                if (bits == 0 && scales == 1) continue;
                for (const unsigned k : {1U, 7U, 33U, 100U, 256U, 513U})
                    for (const unsigned group : {32U, 64U, 128U, 0U}) {
                        if (bits == 0 && group != 32) continue;
                        for (const unsigned rows : {1U, 3U, 7U}) {
                            ++turn;
                            const Case c{.type = type,
                                         .bits = bits,
                                         .scales = scales,
                                         .at_once = rows == 1 ? 1 : 4,
                                         .norm = turn % 3 == 0,
                                         .biased = turn % 2 == 0,
                                         .k = k,
                                         .n = std::array{1U, 5U, 8U, 37U, 3U}[turn % 5],
                                         .rows = rows,
                                         .group = group == 0 ? k : group,
                                         .epilogue = turn / 5 % 4,
                                         .act = std::array{9U, 1U, 5U, 2U}[turn / 7 % 4],
                                         .threads = std::array{64U, 32U, 96U, 256U}[turn % 4]};
                            CAPTURE(static_cast<int>(type), bits, scales, k, c.group, rows, c.n, c.norm, c.epilogue,
                                    c.act, c.threads);
                            CHECK(error_of(c) <= 1);
                        }
                    }
            }
}

TEST_CASE("All activations on Metal") {
    for (unsigned act = 0; act <= 13; ++act) {
        CAPTURE(act);
        CHECK(error_of({.k = 40, .n = 200, .epilogue = 3, .act = act}) <= 1);
        CHECK(error_of({.type = Type::float16, .k = 400, .n = 40, .epilogue = 2, .act = act}) <= 1);
    }
}

TEST_CASE("Changes of the product's text are noticed") {
    const std::vector<Case> both{
        {.bits = 4, .at_once = 4, .norm = true, .biased = true, .k = 200, .n = 37, .rows = 3, .threads = 96},
        {.k = 131, .n = 11, .threads = 64}};
    CHECK_FALSE(notices("", both));
    for (const auto* mutation : {"no_barrier", "barrier_in_a_branch", "sum_in_a_branch", "wrong_group", "wrong_row",
                                 "wrong_tail", "wrong_nibble", "wrong_output"}) {
        CAPTURE(mutation);
        CHECK(notices(mutation, both));
    }
    struct Lanes {
        Lanes() { lanes = 16; }
        ~Lanes() { lanes = 32; }
    } fewer;
    CHECK(notices("", {{.k = 131, .n = 11, .threads = 64}}));
}
