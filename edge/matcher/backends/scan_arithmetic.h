/* Scores of codes and exact similarities, as fast as this processor can; each the same numbers whatever it can. */
#ifndef FACEGATE_SCAN_ARITHMETIC
#define FACEGATE_SCAN_ARITHMETIC

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    MOST_DIM = 1040,  /* as in arena.py: 32 bits hold every dot product of codes */
    CODE_LIMIT = 127, /* as in arena.py: -128 never occurs, so two products fit 16 bits */
    PAIRWISE = 128    /* numpy adds more numbers than this in halves */
};

typedef void Kernel(const int8_t *rows, ptrdiff_t count, ptrdiff_t dim, const int8_t *probe, int32_t *scores);

static void scores_plain(const int8_t *rows, ptrdiff_t count, ptrdiff_t dim, const int8_t *probe, int32_t *scores)
{
    for (ptrdiff_t i = 0; i < count; i++, rows += dim) {
        int32_t sum = 0;
        for (ptrdiff_t d = 0; d < dim; d++)
            sum += rows[d] * probe[d];
        scores[i] = sum;
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Four rows read side by side look like no order to the processor, which then does not fetch ahead by itself: three
 * times slower from memory at 512 numbers. Fetching what is no memory any more does nothing. */
static inline void fetch_ahead(const int8_t *rows, ptrdiff_t at)
{
    uintptr_t ahead = (uintptr_t)rows + (uintptr_t)at + 2048;
    __builtin_prefetch((const void *)ahead);
    __builtin_prefetch((const void *)(ahead + 64));
}

/* |probe| * (row with the probe's signs): unsigned times signed, two products of at most 127 * 127 fit int16. */
__attribute__((target("avx2"), always_inline)) static inline __m256i four_products(__m256i sum, const int8_t *row,
                                                                                    __m256i probe, __m256i size)
{
    __m256i codes = _mm256_sign_epi8(_mm256_loadu_si256((const __m256i *)row), probe);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(size, codes), _mm256_set1_epi16(1)));
}

__attribute__((target("avx2"))) static void scores_avx2(const int8_t *rows, ptrdiff_t count, ptrdiff_t dim,
                                                        const int8_t *probe, int32_t *scores)
{
    ptrdiff_t i = 0, whole = dim & ~(ptrdiff_t)31;
    for (; i + 4 <= count; i += 4, rows += 4 * dim) {
        __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
        for (ptrdiff_t k = 0; k < whole; k += 32) {
            fetch_ahead(rows, 4 * k);
            __m256i part = _mm256_loadu_si256((const __m256i *)(probe + k)), size = _mm256_abs_epi8(part);
            a = four_products(a, rows + k, part, size);
            b = four_products(b, rows + dim + k, part, size);
            c = four_products(c, rows + 2 * dim + k, part, size);
            d = four_products(d, rows + 3 * dim + k, part, size);
        }
        __m256i sums = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
        _mm_storeu_si128((__m128i *)(scores + i), four);
        for (ptrdiff_t row = 0; row < 4 && whole < dim; row++)
            for (ptrdiff_t k = whole; k < dim; k++)
                scores[i + row] += rows[row * dim + k] * probe[k];
    }
    scores_plain(rows, count - i, dim, probe, scores + i);
}

#elif defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>
#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1 << 20)
#endif

static void scores_neon(const int8_t *rows, ptrdiff_t count, ptrdiff_t dim, const int8_t *probe, int32_t *scores)
{
    ptrdiff_t whole = dim & ~(ptrdiff_t)15;
    for (ptrdiff_t i = 0; i < count; i++, rows += dim) {
        int32x4_t sums = vdupq_n_s32(0);
        for (ptrdiff_t k = 0; k < whole; k += 16) {
            int8x16_t row = vld1q_s8(rows + k), part = vld1q_s8(probe + k);
            int16x8_t pairs = vmull_s8(vget_low_s8(row), vget_low_s8(part)); /* two products fit int16 */
            sums = vpadalq_s16(sums, vmlal_high_s8(pairs, row, part));
        }
        int32_t sum = vaddvq_s32(sums);
        for (ptrdiff_t k = whole; k < dim; k++)
            sum += rows[k] * probe[k];
        scores[i] = sum;
    }
}

__attribute__((target("arch=armv8.2-a+dotprod"))) static void scores_dotprod(const int8_t *rows, ptrdiff_t count,
                                                                             ptrdiff_t dim, const int8_t *probe,
                                                                             int32_t *scores)
{
    ptrdiff_t i = 0, whole = dim & ~(ptrdiff_t)15;
    for (; i + 4 <= count; i += 4, rows += 4 * dim) {
        int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
        for (ptrdiff_t k = 0; k < whole; k += 16) {
            int8x16_t part = vld1q_s8(probe + k);
            a = vdotq_s32(a, vld1q_s8(rows + k), part);
            b = vdotq_s32(b, vld1q_s8(rows + dim + k), part);
            c = vdotq_s32(c, vld1q_s8(rows + 2 * dim + k), part);
            d = vdotq_s32(d, vld1q_s8(rows + 3 * dim + k), part);
        }
        vst1q_s32(scores + i, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
        for (ptrdiff_t row = 0; row < 4 && whole < dim; row++)
            for (ptrdiff_t k = whole; k < dim; k++)
                scores[i + row] += rows[row * dim + k] * probe[k];
    }
    scores_neon(rows, count - i, dim, probe, scores + i);
}
#endif


typedef double Eight __attribute__((vector_size(64)));
typedef float EightFloats __attribute__((vector_size(32)));

/* The products of two float32 are exact in float64, so only the order of the additions matters, and whether a
 * multiplication is fused with one does not. This is the order of numpy's pairwise sum. */
__attribute__((always_inline)) static inline double sum_of_products(const float *row, const float *probe, ptrdiff_t n)
{
    double sum = 0.0;
    ptrdiff_t i = 0;
    if (n >= 8) {
        Eight sums = {0};
        for (; i + 8 <= n; i += 8) {
            EightFloats a, b;
            memcpy(&a, row + i, sizeof a);
            memcpy(&b, probe + i, sizeof b);
            sums += __builtin_convertvector(a, Eight) * __builtin_convertvector(b, Eight);
        }
        sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    }
    for (; i < n; i++)
        sum += (double)row[i] * (double)probe[i];
    return sum;
}

typedef double Similarity(const float *row, const float *probe, ptrdiff_t n);

static double similarity_plain(const float *row, const float *probe, ptrdiff_t n)
{
    if (n <= PAIRWISE)
        return sum_of_products(row, probe, n);
    ptrdiff_t half = n / 2 - n / 2 % 8;
    return similarity_plain(row, probe, half) + similarity_plain(row + half, probe + half, n - half);
}

static Kernel *scores_of = scores_plain;
static Similarity *similarity_of = similarity_plain;
static const char *instructions = "plain";

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static double similarity_avx2(const float *row, const float *probe, ptrdiff_t n)
{
    if (n <= PAIRWISE)
        return sum_of_products(row, probe, n);
    ptrdiff_t half = n / 2 - n / 2 % 8;
    return similarity_avx2(row, probe, half) + similarity_avx2(row + half, probe + half, n - half);
}
#endif

/* Take what this processor can do; `plain` for tests and for processors without any of it. */
static void pick_instructions(int plain)
{
    scores_of = scores_plain, similarity_of = similarity_plain, instructions = "plain";
    if (plain)
        return;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        scores_of = scores_avx2, similarity_of = similarity_avx2, instructions = "avx2";
#elif defined(__aarch64__)
    scores_of = scores_neon, instructions = "neon";
    if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP)
        scores_of = scores_dotprod, instructions = "neon dot product";
#endif
}

#endif
