// The Metal kernel of attention to a cache, run on the host from its own text, against float64: every head size, mask
// and length, and that changes of the text do not pass.
#include "support/catch.hpp"
#include "support/metal/buffers.hpp"

using namespace silica::test::metal;

namespace {

struct Constants {  // DecodeAttention of decode_attention.metal.hpp
    std::int64_t key_batch, key_head, key_slot, value_batch, value_head, value_slot, mask_batch, mask_head, mask_slot;
    std::uint32_t heads, shared;
    float scale;
    std::uint32_t capacity;
};

struct Case {
    Type type = Type::float32;
    unsigned d = 64, batch = 1, heads = 2, shared = 1, capacity = 40, filled = 33, threads = 128, split = 1;
    int mask = 0;         // MASK of the text
    unsigned window = 0;  // slots that the mask shows, before the last; 0: some at random
    double size = 1;      // of queries
};

double error_of(const Case& c, const std::string& mutation = "") {
    const unsigned kv_heads = c.heads / c.shared;
    // Slots lie apart by more than d, as in a cache of keys and values together.
    const std::int64_t slot = c.d + 3, head = slot * c.capacity, row = head * kv_heads;
    const auto q = normal(std::size_t{c.batch} * c.heads * c.d, 1, c.type, c.size);
    auto keys = normal(static_cast<std::size_t>(row) * c.batch, 2, c.type), values = normal(keys.size(), 3, c.type);
    for (unsigned b = 0; b < c.batch * kv_heads; ++b)  // what is not filled is no number
        for (auto i = b * head + c.filled * slot; i < (b + 1) * head; ++i)
            keys[static_cast<std::size_t>(i)] = values[static_cast<std::size_t>(i)] = NAN;
    std::vector<double> mask(std::size_t{c.batch} * c.capacity);
    std::mt19937 engine(4);
    for (unsigned b = 0; b < c.batch; ++b)
        for (unsigned i = 0; i < c.capacity; ++i) {
            const bool shown = c.window != 0 ? i + c.window >= c.filled : engine() % 3 != 0;
            mask[b * c.capacity + i] = c.mask == 1 ? shown : shown ? 0.25 * (i % 5) : i % 2 != 0 ? -INFINITY : -1e38;
            if (c.mask == 2 && c.type == Type::float16 && mask[b * c.capacity + i] == -1e38)
                mask[b * c.capacity + i] = -65504;
        }
    if (c.mask > 1)
        for (auto& m : mask) m = nearest(m, c.mask == 2 ? c.type : Type::float32);

    const double scale = 0.17, e = epsilon(c.type);
    std::vector<double> want, near;
    for (unsigned b = 0; b < c.batch; ++b)
        for (unsigned h = 0; h < c.heads; ++h) {
            std::vector<double> score(c.filled), y(c.d);
            double top = -INFINITY, total = 0;
            const std::int64_t of = b * row + h / c.shared * head;
            for (unsigned s = 0; s < c.filled; ++s) {
                double dot = 0;
                for (unsigned i = 0; i < c.d; ++i)
                    dot += q[(b * c.heads + h) * c.d + i] * keys[static_cast<std::size_t>(of + s * slot + i)];
                const double m = mask[b * c.capacity + s];
                score[s] = dot * scale + (c.mask == 1 ? (m != 0 ? 0 : -INFINITY) : c.mask > 1 ? m : 0);
                top = std::max(top, score[s]);
            }
            for (unsigned s = 0; s < c.filled; ++s) {
                const double p = top == -INFINITY ? 0 : std::exp(score[s] - top);
                total += p;
                for (unsigned i = 0; i < c.d; ++i) y[i] += p * values[static_cast<std::size_t>(of + s * slot + i)];
            }
            for (const double v : y) {
                want.push_back(total == 0 ? 0 : v / total);
                near.push_back(1.01 * e * std::fabs(want.back()) + 1e-5 * (1 + c.size));
            }
        }

    const bool masked = c.mask != 0;
    Constants constants{row,
                        head,
                        slot,
                        row,
                        head,
                        slot,
                        masked ? c.capacity : 0,
                        0,
                        masked ? 1 : 0,
                        c.heads,
                        c.shared,
                        static_cast<float>(scale),
                        c.capacity};
    const unsigned rows = c.batch * c.heads;
    Buffer bq = of(q, c.type), bk = of(keys, c.type), bv = of(values, c.type),
           bf = of(std::vector<std::int64_t>{c.filled});
    Buffer bm = c.mask == 1 ? of(std::vector<std::uint8_t>(mask.begin(), mask.end()))
                            : of(mask, c.mask == 2 ? c.type : Type::float32);
    Buffer by(want.size() * (c.type == Type::float32 ? 4 : 2)), bp(std::size_t{rows} * c.split * (c.d + 2) * 4);
    const int parts = c.split > 1 ? 1 : 0;
    const auto name = [&](const char* of) {
        return variant(
            of, {{"TYPE", static_cast<int>(c.type)}, {"D", static_cast<int>(c.d)}, {"MASK", c.mask}, {"PARTS", parts}});
    };
    launch(name("decode_attention"), mutation, {&bq, &bk, &bv, &bf, &bm, &by, &bp}, &constants, {rows, c.split, 1},
           c.threads);
    if (parts != 0) {
        std::uint32_t split = c.split;
        launch(name("join_parts"), mutation, {&bp, &by}, &split, {rows, 1, 1}, 64);
    }
    return worst(numbers(by, want.size(), c.type), want, near);
}

bool notices(const std::string& mutation, const Case& c) {
    try {
        return error_of(c, mutation) > 1;
    } catch (const std::exception&) {
        return true;
    }
}

}  // namespace

TEST_CASE("Attention to a cache on Metal: every head size and length") {
    for (const unsigned d : {4U, 8U, 16U, 20U, 24U, 32U, 40U, 48U, 64U, 72U, 80U, 96U, 112U, 128U, 160U, 192U, 256U})
        for (const unsigned filled : {1U, 2U, 5U, 31U, 40U}) {
            CAPTURE(d, filled);
            CHECK(error_of({.type = Type::float32, .d = d, .batch = 2, .filled = filled, .threads = 96}) <= 1);
            CHECK(error_of({.type = Type::float16, .d = d, .heads = 4, .shared = 2, .filled = filled, .split = 3}) <=
                  1);
            CHECK(error_of({.type = Type::bfloat16,
                            .d = d,
                            .heads = 6,
                            .shared = 3,
                            .filled = filled,
                            .threads = 32,
                            .mask = 1}) <= 1);
        }
}

TEST_CASE("Attention to a cache on Metal: masks, windows, parts, large scores") {
    for (const Type type : {Type::float32, Type::float16, Type::bfloat16})
        for (const int mask : {0, 1, 2, 3})
            for (const unsigned split : {1U, 2U, 7U})
                for (const unsigned d : {16U, 64U})
                    for (const unsigned window : {0U, 1U, 9U}) {
                        CAPTURE(static_cast<int>(type), mask, split, d, window);
                        const Case c{.type = type,
                                     .d = d,
                                     .batch = 3,
                                     .heads = 4,
                                     .shared = 4,
                                     .capacity = 70,
                                     .filled = 61,
                                     .threads = 128,
                                     .split = split,
                                     .mask = mask,
                                     .window = window};
                        CHECK(error_of(c) <= 1);
                    }
    CHECK(error_of({.capacity = 300, .filled = 300, .threads = 512, .size = 30}) <= 1);
}

TEST_CASE("Changes of attention's text are noticed") {
    const Case c{.d = 80, .batch = 2, .heads = 6, .shared = 2};
    CHECK_FALSE(notices("", c));
    for (const auto* mutation : {"no_barrier", "barrier_in_a_branch", "no_rescaling", "wrong_head", "all_slots"}) {
        CAPTURE(mutation);
        CHECK(notices(mutation, c));
    }
    struct Lanes {
        Lanes() { lanes = 16; }
        ~Lanes() { lanes = 32; }
    } fewer;
    CHECK(notices("", c));
}
