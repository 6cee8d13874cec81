// The Metal kernels of rotary embedding with the cache write, of the largest score and of drawing, run on the host from
// their own text, against float64, and that changes of the text do not pass.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "support/catch.hpp"
#include "support/metal/buffers.hpp"

using namespace silica::test::metal;

namespace {

struct Store {  // RotaryStore of rotary_store.metal.hpp
    std::int64_t key_batch, key_head, key_slot, value_batch, value_head, value_slot;
    std::uint32_t heads, kv_heads, d, capacity, angles;
};

struct Scores {  // Choose of choose.metal.hpp
    std::uint32_t n, share, parts;
    float factor;
};

/// How far rotary_store is from the equation, the rest of the caches included.
double error_of_store(Type type, unsigned d, unsigned heads, unsigned kv_heads, unsigned batch, std::int64_t slot,
                      const std::string& mutation = "") {
    const unsigned capacity = 5, all = heads + 2 * kv_heads;
    const std::int64_t per_slot = d + 1, per_head = per_slot * capacity, per_row = per_head * kv_heads;
    const auto qkv = normal(std::size_t{batch} * all * d, 1, type);
    const auto cosine = normal(std::size_t{batch} * d / 2, 2, type), sine = normal(cosine.size(), 3, type);
    auto keys = normal(static_cast<std::size_t>(per_row) * batch, 4, type), values = normal(keys.size(), 5, type);
    Buffer bi = of(qkv, type), bc = of(cosine, type), bs = of(sine, type), bk = of(keys, type), bv = of(values, type);
    Buffer bq(std::size_t{batch} * heads * d * (type == Type::float32 ? 4 : 2)),
        bslot = of(std::vector<std::int64_t>{slot});
    Store constants{per_row, per_head, per_slot, per_row, per_head, per_slot, heads, kv_heads, d, capacity, d / 2};
    launch(variant("rotary_store", {{"TYPE", static_cast<int>(type)}}), mutation,
           {&bi, &bc, &bs, &bq, &bk, &bv, &bslot}, &constants, {all, batch, 1}, d > 64 ? 64 : 32);
    std::vector<double> q(std::size_t{batch} * heads * d);
    const bool stored = slot >= 0 && slot < capacity;
    for (unsigned b = 0; b < batch; ++b)
        for (unsigned h = 0; h < all; ++h)
            for (unsigned i = 0; i < d; ++i) {
                const double* in = qkv.data() + (std::size_t{b} * all + h) * d;
                const unsigned j = i % (d / 2);
                const double c = cosine[b * d / 2 + j], s = sine[b * d / 2 + j];
                const double turned = i < d / 2 ? in[i] * c - in[i + d / 2] * s : in[i] * c + in[i - d / 2] * s;
                if (h < heads) q[(std::size_t{b} * heads + h) * d + i] = turned;
                if (h < heads || !stored) continue;
                const bool is_key = h < heads + kv_heads;
                const auto at = b * per_row + (h - heads - (is_key ? 0 : kv_heads)) * per_head + slot * per_slot + i;
                (is_key ? keys : values)[static_cast<std::size_t>(at)] = is_key ? turned : in[i];
            }
    const auto far = [&](Buffer& got, const std::vector<double>& want) {
        std::vector<double> near;
        for (const double v : want) near.push_back(1.01 * epsilon(type) * std::fabs(v) + 1e-6);
        return worst(numbers(got, want.size(), type), want, near);
    };
    return std::max({far(bq, q), far(bk, keys), far(bv, values)});
}

/// The places that argmax_part and argmax_join find.
std::vector<std::int64_t> largest(const std::vector<double>& x, unsigned rows, Type type, unsigned share,
                                  unsigned threads, const std::string& mutation = "") {
    const auto n = static_cast<unsigned>(x.size()) / rows, parts = (n + share - 1) / share;
    Buffer bx = of(x, type), bv(std::size_t{rows} * parts * 4), bp(std::size_t{rows} * parts * 4),
           by(std::size_t{rows} * 8);
    Scores constants{n, share, parts, 1};
    launch(variant("argmax_part", {{"TYPE", static_cast<int>(type)}}), mutation, {&bx, &bv, &bp}, &constants,
           {parts, rows, 1}, threads);
    launch(variant("argmax_join", {{"TYPE", static_cast<int>(type)}}), mutation, {&bv, &bp, &by}, &constants,
           {rows, 1, 1}, 32);
    const auto* y = static_cast<const std::int64_t*>(by.data());
    return {y, y + rows};
}

std::int64_t first_largest(const double* x, std::size_t n) {
    std::size_t best = 0;
    for (std::size_t i = 0; i < n; ++i)
        if (!std::isnan(x[best]) && (std::isnan(x[i]) || x[i] > x[best])) best = i;
    return static_cast<std::int64_t>(best);
}

/// The places that weigh_part and draw_join find.
std::vector<std::int64_t> drawn(const std::vector<double>& x, Type type, unsigned share, double temperature,
                                const std::vector<float>& uniform, const std::string& mutation = "") {
    const auto rows = static_cast<unsigned>(uniform.size()), n = static_cast<unsigned>(x.size()) / rows;
    const unsigned parts = (n + share - 1) / share;
    std::vector<std::int64_t> most;
    for (unsigned r = 0; r < rows; ++r) most.push_back(first_largest(x.data() + r * n, n));
    Buffer bx = of(x, type), bm = of(most), bw(std::size_t{rows} * parts * 4), bu = of(uniform),
           by(std::size_t{rows} * 8);
    Scores constants{n, share, parts, static_cast<float>(1 / temperature)};
    launch(variant("weigh_part", {{"TYPE", static_cast<int>(type)}}), mutation, {&bx, &bm, &bw}, &constants,
           {parts, rows, 1}, 96);
    launch(variant("draw_join", {{"TYPE", static_cast<int>(type)}}), mutation, {&bx, &bm, &bw, &bu, &by}, &constants,
           {rows, 1, 1}, 32);
    const auto* y = static_cast<const std::int64_t*>(by.data());
    return {y, y + rows};
}

/// The running sums of softmax(x / temperature).
std::vector<double> upto(const double* x, unsigned n, double temperature) {
    std::vector<double> sums(n);
    const double top = *std::max_element(x, x + n);
    for (unsigned i = 0; i < n; ++i) sums[i] = std::exp((x[i] - top) / temperature);
    std::partial_sum(sums.begin(), sums.end(), sums.begin());
    for (double& s : sums) s /= sums.back();
    return sums;
}

/// The place where the sums pass `uniform`, or -1 where that is close to one of them.
void check_drawn(const double* x, unsigned n, double temperature, double uniform, std::int64_t got) {
    const auto sums = upto(x, n, temperature);
    const auto at = std::upper_bound(sums.begin(), sums.end(), uniform);
    REQUIRE(at != sums.end());
    const double before = at == sums.begin() ? 0 : *(at - 1), edge = std::min(uniform - before, *at - uniform);
    CAPTURE(uniform, before, *at, at - sums.begin(), got);
    if (edge > 2e-4) CHECK(got == at - sums.begin());
    if (edge < 1e-4) CHECK(got == -1);
    CHECK((got == -1 || got == at - sums.begin()));
}

bool notices(const std::string& mutation) {
    for (const unsigned n : {300U, 77U}) {
        auto x = normal(n, 7, Type::float32);
        x[n / 3] = x[n / 2] = x[n - 1] = 9;
        try {
            if (largest(x, 1, Type::float32, n, 96, mutation)[0] != n / 3) return true;
        } catch (const std::exception&) {
            return true;
        }
    }
    return false;
}

}  // namespace

TEST_CASE("Rotary embedding with the cache write on Metal") {
    for (const Type type : {Type::float32, Type::float16, Type::bfloat16})
        for (const unsigned d : {2U, 8U, 20U, 48U, 64U, 80U, 128U, 256U})
            for (const std::int64_t slot : {0, 3, 4}) {
                CAPTURE(static_cast<int>(type), d, slot);
                CHECK(error_of_store(type, d, 3, 1, 2, slot) <= 1);
                CHECK(error_of_store(type, d, 4, 2, 1, slot) <= 1);
            }
    for (const std::int64_t slot : {-1, 5, 1000})
        CHECK(error_of_store(Type::float32, 16, 2, 2, 1, slot) <= 1);  // no slot
    CHECK(error_of_store(Type::float32, 16, 2, 2, 1, 1, "wrong_half") > 1);
    bool noticed = false;  // the last head's slot 5 is beside the buffer
    try {
        noticed = error_of_store(Type::float32, 16, 2, 2, 1, 5, "beside_the_cache") > 1;
    } catch (const std::exception&) {
        noticed = true;
    }
    CHECK(noticed);
}

TEST_CASE("The largest score on Metal") {
    for (const Type type : {Type::float32, Type::float16, Type::bfloat16})
        for (const unsigned n : {1U, 2U, 31U, 33U, 300U, 1000U})
            for (const unsigned share : {64U, 1000U})
                for (const unsigned threads : {32U, 96U, 256U}) {
                    auto x = normal(std::size_t{3} * n, n, type);
                    x[n + n / 2] = x[2 * n - 1] = 20;  // the first of equals
                    for (unsigned i = 0; i < n; ++i) x[2 * n + i] = -INFINITY;
                    if (n > 5) x[4] = NAN;
                    CAPTURE(static_cast<int>(type), n, share, threads);
                    const auto got = largest(x, 3, type, share, threads);
                    for (unsigned r = 0; r < 3; ++r) CHECK(got[r] == first_largest(x.data() + r * n, n));
                }
    for (const bool order : {false, true}) {
        ascending = order;
        CHECK_FALSE(notices(""));
        CHECK(notices("last_of_equals"));
        if (order) CHECK(notices("no_barrier"));  // the first simdgroup reads what the others found
    }
    ascending = false;
}

TEST_CASE("Drawing on Metal: the first score up to which the weights add up to more than a share of all") {
    for (const Type type : {Type::float32, Type::float16, Type::bfloat16})
        for (const unsigned n : {1U, 5U, 33U, 500U})
            for (const unsigned share : {64U, 512U})
                for (const double temperature : {0.3, 1.0, 2.5}) {
                    auto x = normal(std::size_t{2} * n, 11, type, 2);
                    if (n > 4) x[n / 2] = x[n] = -INFINITY;  // forbidden
                    for (unsigned turn = 0; turn < 12; ++turn) {
                        const std::vector<float> uniform{static_cast<float>(turn) / 12,
                                                         0.999F - static_cast<float>(turn) / 13};
                        const auto got = drawn(x, type, share, temperature, uniform);
                        for (unsigned r = 0; r < 2; ++r) {
                            CAPTURE(static_cast<int>(type), n, share, temperature, turn, r);
                            check_drawn(x.data() + r * n, n, temperature, static_cast<double>(uniform[r]), got[r]);
                        }
                    }
                }
}

TEST_CASE("Drawing on Metal where rounding could decide, and from no numbers: it is not sure") {
    const unsigned n = 90;
    const auto x = normal(n, 3, Type::float32, 2);
    const auto edges = upto(x.data(), n, 0.8);
    unsigned mistaken = 0;
    for (unsigned i = 10; i < n - 1; i += 7)
        for (const double beside : {-5e-5, -1e-7, 0.0, 1e-7, 5e-5}) {
            const std::vector<float> uniform{static_cast<float>(edges[i] + beside)};
            CHECK(drawn(x, Type::float32, 64, 0.8, uniform)[0] == -1);
            mistaken += drawn(x, Type::float32, 64, 0.8, uniform, "always_sure")[0] != -1;
        }
    CHECK(mistaken > 0);
    // Scores divided by a small temperature are rounded more.
    CHECK(drawn({30, 29.99}, Type::float32, 64, 0.001, {0.003F})[0] == -1);
    CHECK(drawn({30, 29.99}, Type::float32, 64, 0.001, {0.5F})[0] == 0);
    for (const double none : {std::nan(""), HUGE_VAL, -HUGE_VAL})
        CHECK(drawn({none, none, none}, Type::float32, 64, 1, {0.5F})[0] == -1);
    CHECK(drawn({0, 1, std::nan("")}, Type::float32, 64, 1, {0.5F})[0] == -1);
    CHECK(drawn({0, 1, 2}, Type::float32, 64, 1, {1.0F})[0] == -1);
}
