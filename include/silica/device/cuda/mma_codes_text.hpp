#pragma once
/// The text of the kernel of mma_codes.hpp.

#include <string_view>

namespace silica::device::cuda::detail {

inline constexpr std::string_view mma_codes_text = R"cuda(
constexpr int THREADS = WARPS * 32, PER_BLOCK = WARPS / SPLIT;  // tiles of W of a block
constexpr int CHUNKS = K / VEC;                                 // loads of x
constexpr int LINE = 512 / BITS;                                // codes of 64 bytes of a row: four lanes load them
constexpr int LINES = K % (2 * LINE) == 0 ? 2 : 1;              // that a lane takes at once
constexpr int PIECE = LINES * LINE, PIECES = K / PIECE, TURNS = (PIECES + SPLIT - 1) / SPLIT;
constexpr int SPAN = GROUP < LINE ? GROUP : LINE;               // codes with one scale that are summed at once
constexpr int SPANS = PIECE / SPAN, WORDS_OF_SPAN = SPAN / (LINE / 4);
constexpr int TERMS = GROUP < PIECE ? PIECE / GROUP : 1;        // scales of a piece of a row
constexpr int GATED = EPILOGUE == 2, OUTS = GATED ? 8 : 16;     // outputs of a tile, which is 16 rows of W
constexpr int COLUMNS = ROWS > 1 ? 2 : 1;                       // rows of x whose results a lane has
constexpr bool EVEN = PIECES % SPLIT == 0;
)cuda";

inline constexpr std::string_view mma_codes_loop_text = R"cuda(
// Four bits c in each half of a word as 128 + c (bfloat16) or 1024 + c (float16).
template <class H> struct Magic;
template <> struct Magic<bf16> { static constexpr unsigned bits = 0x43004300u; static constexpr float offset = 128; };
template <> struct Magic<f16> { static constexpr unsigned bits = 0x64006400u; static constexpr float offset = 1024; };
template <int which>  // bits 4 which of both halves
__device__ __forceinline__ unsigned nibbles(unsigned word, unsigned magic) {
    unsigned both;
    asm("lop3.b32 %0, %1, 0x000f000f, %2, 0xea;" : "=r"(both) : "r"(word >> (4 * which)), "r"(magic));  // w & m | magic
    return both;
}

// c (16, 8) += a (16, 16) b (16, 8)
__device__ __forceinline__ void mma(float (&c)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0,
                                    unsigned b1, bf16) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
__device__ __forceinline__ void mma(float (&c)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0,
                                    unsigned b1, f16) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

__device__ __forceinline__ float2 terms_of(const float* at) { return *(const float2*)at; }
__device__ __forceinline__ float2 terms_of(const bf16* at) {
    const unsigned both = *(const unsigned*)at;
    return float2{__uint_as_float(both << 16), __uint_as_float(both & 0xffff0000u)};
}

// Where a lane reads next: rows `quad` and `quad` + 8 of a tile.
struct At {
    const uint4* codes[2];
    const S* terms[2];
};
struct Load {
    uint4 codes[2][LINES];
    alignas(16) S terms[2][2 * TERMS];
};

__device__ __forceinline__ At start(const unsigned* w, const S* scales, int tile, int piece, int n) {
    const int lane = threadIdx.x & 31, out = tile * OUTS + (lane >> 2);
    const int row[2] = {out < n ? out : n - 1, GATED ? (out < n ? out : n - 1) + n : out + 8 < n ? out + 8 : n - 1};
    At at;
    #pragma unroll
    for (int m = 0; m < 2; ++m) {
        at.codes[m] = (const uint4*)w + (i64)row[m] * (K * BITS / 128) + piece * (LINES * 4) + (lane & 3);
        at.terms[m] = scales + (i64)row[m] * (2 * GROUPS);
    }
    return at;
}

__device__ __forceinline__ void load(Load& to, const At& at, int turn, int piece) {
    #pragma unroll
    for (int m = 0; m < 2; ++m) {
        #pragma unroll
        for (int l = 0; l < LINES; ++l) to.codes[m][l] = stream(at.codes[m] + turn * (SPLIT * LINES * 4) + l * 4);
        const S* terms = at.terms[m] + piece * PIECE / GROUP * 2;
        constexpr int PAIR = 2 * (int)sizeof(S), BYTES = TERMS * PAIR, ROW = GROUPS * PAIR;
        #pragma unroll
        for (int i = 0; i < BYTES; i += 16) {
            char* into = (char*)to.terms[m] + i;
            const char* from = (const char*)terms + i;
            if (BYTES % 16 == 0 && ROW % 16 == 0) *(uint4*)into = __ldg((const uint4*)from);
            else
                for (int j = 0; j < BYTES - i && j < 16; j += PAIR)
                    for (int b = j; b < j + PAIR; b += 4) *(unsigned*)(into + b) = __ldg((const unsigned*)(from + b));
        }
    }
}

__device__ __forceinline__ unsigned word_of(const uint4& v, int i) {
    return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

// Bits 4 i and 4 j of words of both rows with the four values of x that belong to them.
template <int i, int j>
__device__ __forceinline__ void meet_words(float (&c)[4], unsigned p, unsigned q, unsigned magic, unsigned b0,
                                           unsigned b1) {
    mma(c, nibbles<i>(p, magic), nibbles<i>(q, magic), nibbles<j>(p, magic), nibbles<j>(q, magic), b0, b1, T{});
}

__device__ __forceinline__ void meet(float (&sum)[2][COLUMNS], const Load& a, const uint4 (*xs)[CHUNKS],
                                     const float (*sums)[K / SPAN], int piece) {
    constexpr float offset = Magic<T>::offset * (BITS == 4 ? 1 : 17);
    const int lane = threadIdx.x & 31, quad = lane >> 2, t = lane & 3;
    const int column = quad < ROWS ? quad : 0;  // nobody reads the columns of results that are no row of x
    unsigned magic;  // in a register: an instruction has one constant
    asm volatile("mov.b32 %0, %1;" : "=r"(magic) : "n"(Magic<T>::bits));
    #pragma unroll
    for (int s = 0; s < SPANS; ++s) {
        float c[4] = {}, high[4] = {};
        #pragma unroll
        for (int i = s * WORDS_OF_SPAN; i < (s + 1) * WORDS_OF_SPAN; ++i) {
            const unsigned p = word_of(a.codes[0][i / 4], i % 4), q = word_of(a.codes[1][i / 4], i % 4);
            const int at = (piece * LINES * 4 + i) * 4 + t;
            if (BITS == 4) {
                const uint4 b = xs[column][at];
                meet_words<0, 1>(c, p, q, magic, b.x, b.y);
                meet_words<2, 3>(c, p, q, magic, b.z, b.w);
            } else {  // the low and the high halves of codes apart
                const uint2 b = ((const uint2*)xs[column])[at];
                meet_words<0, 2>(c, p, q, magic, b.x, b.y);
                meet_words<1, 3>(high, p, q, magic, b.x, b.y);
            }
        }
        #pragma unroll
        for (int r = 0; r < COLUMNS; ++r) {
            const float x = sums[COLUMNS == 1 ? 0 : (2 * t + r) % ROWS][piece * SPANS + s];
            #pragma unroll
            for (int m = 0; m < 2; ++m) {
                const int term = s * TERMS / SPANS * 2;
                const float2 by = terms_of(a.terms[m] + term);
                const float low = c[2 * m + r] - offset * x;
                sum[m][r] += by.x * (BITS == 4 ? low : low + 16 * high[2 * m + r]) + by.y * x;
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
mma_codes(const T* x, const unsigned* __restrict__ w, const S* __restrict__ scales, const T* __restrict__ bias,
          const T* residual, const T* __restrict__ scale, T* y, int n, double eps) {
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, quad = lane >> 2, t = lane & 3, part = warp % SPLIT;
    const int tiles = (n + OUTS - 1) / OUTS, stride = gridDim.x * PER_BLOCK;
    const int rounds = (tiles - (int)blockIdx.x * PER_BLOCK + stride - 1) / stride, items = rounds * TURNS;
    int tile = blockIdx.x * PER_BLOCK + warp / SPLIT, ahead = tile, turn = 0;  // `turn` of tile `ahead` is loaded next
    At at = start(w, scales, ahead, part, n);
    const auto load_next = [&](Load& to) {
        if (EVEN || part + turn * SPLIT < PIECES) load(to, at, turn, part + turn * SPLIT);
        if (++turn == TURNS) {
            turn = 0;
            at = start(w, scales, ahead += stride, part, n);
        }
    };

    let_next_start();
    if (!AHEAD) wait_for_previous();
    Load next;
    if (items > 0) load_next(next);
    if (AHEAD) wait_for_previous();

    __shared__ uint4 xs[ROWS][CHUNKS];
    __shared__ float sums[ROWS][K / SPAN], parts[WARPS][16][ROWS];
    const int first = part * 32 + lane;  // of the results of a tile, the one that this thread stores before others
    const auto residual_of = [&](int j) {
        const int out = tile * OUTS + j % OUTS;
        return EPILOGUE == 1 && j < OUTS * ROWS && out < n ? to_float(residual[(i64)(j / OUTS) * n + out]) : 0;
    };
    float added = residual_of(first);
    fetch(xs, sums, (const uint4*)x, scale, eps);

    float sum[2][COLUMNS] = {};
    int piece = part;
    for (int item = 0; item < items; ++item) {
        const Load a = next;
        if (item + 1 < items) load_next(next);
        if (EVEN || piece < PIECES) meet(sum, a, xs, sums, piece);
        piece += SPLIT;
        if (piece < TURNS * SPLIT) continue;
        piece = part;

        if (SPLIT > 1) __syncthreads();  // parts of the tile before have been read
        #pragma unroll
        for (int m = 0; m < 2; ++m)
            #pragma unroll
            for (int r = 0; r < COLUMNS; ++r) {
                if (2 * t + r < ROWS) parts[warp][quad + m * 8][2 * t + r] = sum[m][r];
                sum[m][r] = 0;
            }
        if (SPLIT > 1) __syncthreads(); else __syncwarp();
        for (int j = first; j < OUTS * ROWS; j += SPLIT * 32) {  // y[r][out]
            const int r = j / OUTS, mine = j % OUTS, out = tile * OUTS + mine;
            if (out >= n) continue;
            float s = BIAS ? to_float(bias[out]) : 0, up = BIAS && GATED ? to_float(bias[out + n]) : 0;
            s += j == first ? added : residual_of(j);
            for (int p = 0; p < SPLIT; ++p) {
                s += parts[warp - part + p][mine][r];
                if (GATED) up += parts[warp - part + p][mine + 8][r];
            }
            if (EPILOGUE == 2) s = activate<ACT>(s) * up;
            if (EPILOGUE == 3) s = activate<ACT>(s);
            y[(i64)r * n + out] = from_float<T>(s);
        }
        if (SPLIT == 1) __syncwarp();
        tile += stride;
        added = residual_of(first);
    }
}
)cuda";

struct MmaCodes;

}  // namespace silica::device::cuda::detail
