/* From codes to the exact answer. What is proven in search.py and codes.py is not repeated here, only computed:
 * for every row |similarity - score / unit| <= width. No Python object is touched. */
#ifndef FACEGATE_SCAN_SEARCH
#define FACEGATE_SCAN_SEARCH

#include "scan_arithmetic.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

enum {
    BLOCK = 64,           /* rows scored before they are looked at */
    TOGETHER = 4,         /* probes that read a block while it is in the cache */
    FIRST_CANDIDATES = 96
};

typedef struct {
    const float *originals;   /* (capacity, dim) */
    int8_t *codes;            /* (capacity, dim) */
    const int32_t *owner;     /* (capacity) */
    const int64_t *died;      /* (generations): the version at which an owner died */
    ptrdiff_t dim, capacity, generations;
    double scale;
} Block;

typedef struct {
    const Block *block;
    ptrdiff_t rows;
    int64_t version;
    double residual, threshold, margin; /* the last two only where `deciding` */
    int deciding, several;              /* (Q, D) probes instead of one (D,) */
} View;

/* A row that may matter. Its similarity is known when `compared`. */
typedef struct {
    ptrdiff_t row;
    int32_t owner, score, compared;
    double similarity;
} Candidate;

typedef struct {
    int8_t codes[MOST_DIM];
    float probe[MOST_DIM];
    double unit, width;
    int32_t cut, reach;        /* rows below `cut` are no candidates; it trails `second` by `reach` */
    int32_t first, second;     /* best scores of two different living residents so far */
    int32_t first_owner;
    int32_t passed_over;       /* best score of all rows that are no candidates */
    Candidate *candidates, few[FIRST_CANDIDATES];
    ptrdiff_t count, room, compared;
} Probe;

/* The score below which no row reaches `similarity`; two less, so that rounding hides none. */
static int32_t cut_at(const Probe *p, double similarity)
{
    double score = (similarity - p->width) * p->unit - 3.0;
    if (!(score > INT32_MIN / 2))
        return INT32_MIN / 2;
    return score < INT32_MAX / 2 ? (int32_t)score : INT32_MAX / 2;
}

/* Copy one probe of the caller's, so that nobody changes it meanwhile; 0 unless its norm is near 1. */
static int admit(Probe *p, const char *data, ptrdiff_t step, ptrdiff_t dim)
{
    if (step == sizeof(float))
        memcpy(p->probe, data, (size_t)dim * sizeof(float));
    else
        for (ptrdiff_t d = 0; d < dim; d++, data += step)
            memcpy(&p->probe[d], data, sizeof(float));
    double square = similarity_of(p->probe, p->probe, dim);
    return square >= 0.98 * 0.98 && square <= 1.02 * 1.02; /* NaN is neither; as in admission.py */
}

/* Write the codes of `row` at `scale` and return |row - codes / scale|, measured on them. */
static double coded(const float *row, int8_t *codes, ptrdiff_t dim, float scale)
{
    float rests[MOST_DIM];
    EightFloats squares = {0};
    for (ptrdiff_t d = 0; d < dim; d++) {
        float scaled = row[d] * scale, code = scaled;
        code = code > CODE_LIMIT ? CODE_LIMIT : code;
        code = code < -CODE_LIMIT ? -CODE_LIMIT : code;
        code = code + 12582912.0f - 12582912.0f; /* 1.5 * 2**23: rounded to a whole number */
        rests[d] = scaled - code;
        codes[d] = (int8_t)code;
    }
    for (ptrdiff_t d = dim; d % 8; d++)
        rests[d] = 0.0f;
    for (ptrdiff_t d = 0; d < dim; d += 8) {
        EightFloats rest;
        memcpy(&rest, rests + d, sizeof rest);
        squares += rest * rest;
    }
    double sum = 0.0;
    for (int lane = 0; lane < 8; lane++)
        sum += squares[lane];
    return sqrt(sum) / scale;
}

/* Encode the probe as codes.py does; the numbers below are explained there. */
static void encode(Probe *p, const View *view)
{
    ptrdiff_t dim = view->block->dim;
    float scale = (float)view->block->scale;
    double rest = coded(p->probe, p->codes, dim, scale), error = view->residual;
    if (rest > 0.05) {
        float peak = 0.0f;
        for (ptrdiff_t d = 0; d < dim; d++)
            peak = fmaxf(peak, fabsf(p->probe[d]));
        scale = CODE_LIMIT / peak;
        rest = coded(p->probe, p->codes, dim, scale);
    }
    p->unit = (double)scale * view->block->scale;
    p->width = 1.02 * error + 2e-6 + rest * (1.000002 + error);
    p->reach = (int32_t)fmin(2 * p->width * p->unit + 3.0, INT32_MAX / 4);
    p->first = p->second = p->passed_over = INT32_MIN / 2;
    p->first_owner = -1;
    p->cut = view->deciding ? cut_at(p, view->threshold - view->margin) : INT32_MIN / 2;
    p->candidates = p->few, p->room = FIRST_CANDIDATES, p->count = p->compared = 0;
}

static int is_live(const View *view, int32_t owner)
{
    if (owner < 0 || owner >= view->block->generations)
        return 0;
    /* The writer may be burying somebody: what it writes is a later version than ours. */
    return __atomic_load_n(view->block->died + owner, __ATOMIC_RELAXED) > view->version;
}

/* Drop the candidates below the cut, which has risen meanwhile. */
static void sift(Probe *p)
{
    ptrdiff_t kept = 0;
    for (ptrdiff_t i = 0; i < p->count; i++) {
        if (p->candidates[i].score >= p->cut)
            p->candidates[kept++] = p->candidates[i];
        else if (p->candidates[i].score > p->passed_over)
            p->passed_over = p->candidates[i].score;
    }
    p->count = kept;
}

/* Make room for one more candidate; returns 0 when there is no memory. */
static int has_room(Probe *p)
{
    if (p->count < p->room)
        return 1;
    sift(p);
    if (p->count <= p->room / 2)
        return 1;
    size_t bytes = (size_t)p->room * 2 * sizeof(Candidate);
    Candidate *wider = p->candidates == p->few ? malloc(bytes) : realloc(p->candidates, bytes);
    if (!wider)
        return 0;
    if (p->candidates == p->few)
        memcpy(wider, p->few, sizeof p->few);
    p->candidates = wider;
    p->room *= 2;
    return 1;
}

/* For full answers: two residents reach `second` at least, so rows further below than `reach` are neither. */
static void raise_cut(Probe *p, int32_t owner, int32_t score)
{
    if (owner == p->first_owner) {
        p->first = score > p->first ? score : p->first;
        return;
    }
    if (score > p->first) {
        p->second = p->first, p->first = score, p->first_owner = owner;
    } else if (score > p->second) {
        p->second = score;
    } else {
        return;
    }
    if (p->second > INT32_MIN / 2)
        p->cut = p->second - p->reach;
}

/* Look at the scores of a block of rows, the first of which is `start`. */
static int take(Probe *p, const View *view, ptrdiff_t start, ptrdiff_t count, const int32_t *scores)
{
    int32_t top = scores[0];
    for (ptrdiff_t i = 1; i < count; i++)
        top = scores[i] > top ? scores[i] : top;
    if (top < p->cut) {
        p->passed_over = top > p->passed_over ? top : p->passed_over;
        return 1;
    }
    const int32_t *owners = view->block->owner + start;
    for (ptrdiff_t i = 0; i < count; i++) {
        if (scores[i] < p->cut) {
            p->passed_over = scores[i] > p->passed_over ? scores[i] : p->passed_over;
        } else if (is_live(view, owners[i])) {
            if (!has_room(p))
                return 0;
            p->candidates[p->count++] = (Candidate){start + i, owners[i], scores[i], 0, 0.0};
            if (!view->deciding)
                raise_cut(p, owners[i], scores[i]);
        }
    }
    return 1;
}

static double compared(Probe *p, const View *view, Candidate *one)
{
    if (!one->compared) {
        const float *row = view->block->originals + one->row * view->block->dim;
        one->similarity = similarity_of(row, p->probe, view->block->dim);
        one->compared = 1;
        p->compared++;
    }
    return one->similarity;
}

/* The candidate with the best score whose owner is not `except`; NULL when there is none. */
static Candidate *best_but(const Probe *p, int32_t except)
{
    Candidate *best = NULL;
    for (Candidate *one = p->candidates; one < p->candidates + p->count; one++)
        if (one->owner != except && (!best || one->score > best->score))
            best = one;
    return best;
}

/* Compare what can matter once `top` is known: its own resident's rows above it, others' down to `lowest`. */
static void compare(Probe *p, const View *view, Candidate *top, double lowest)
{
    int32_t own = cut_at(p, compared(p, view, top)), others = cut_at(p, lowest), owner = top->owner;
    for (Candidate *one = p->candidates; one < p->candidates + p->count; one++)
        if (one->score >= (one->owner == owner ? own : others))
            compared(p, view, one);
}

/* What is left of the two questions when the interpreter is needed again: see `finding` and `match`. */
typedef struct {
    int settled;               /* the intervals alone prove it */
    const Candidate *top;      /* NULL: a stranger */
    double at_least, at_most, others_at_most;
} Outcome;

static Outcome decide(Probe *p, const View *view)
{
    sift(p);
    Candidate *top = best_but(p, -1), *other = top ? best_but(p, top->owner) : NULL;
    double unseen = fmax(-1.0, p->passed_over / p->unit + p->width);
    Outcome o = {1, NULL, -1.0, unseen, unseen};
    if (!top)
        return o;
    o.at_most = fmax(top->score / p->unit + p->width, unseen), o.others_at_most = o.at_most;
    if (o.at_most < view->threshold)
        return o;
    double others = other ? fmax(unseen, other->score / p->unit + p->width) : unseen;
    double at_least = top->score / p->unit - p->width;
    if (at_least >= view->threshold && at_least - others > view->margin)
        return (Outcome){1, top, at_least, top->score / p->unit + p->width, others};
    double reached = compared(p, view, top);
    compare(p, view, top, fmax(reached, view->threshold) - view->margin);
    o.settled = 0, o.top = top;
    return o;
}

static Outcome best_two(Probe *p, const View *view)
{
    sift(p);
    Candidate *top = best_but(p, -1), *other = top ? best_but(p, top->owner) : NULL;
    if (other)
        compare(p, view, top, fmin(compared(p, view, top), compared(p, view, other)));
    else if (top)
        compare(p, view, top, 2.0);
    return (Outcome){0, top, 0, 0, 0};
}

static int search(Probe *probes, ptrdiff_t count, const View *view, Outcome *outcomes)
{
    int32_t scores[BLOCK];
    const int8_t *codes = view->block->codes;
    ptrdiff_t dim = view->block->dim;
    for (ptrdiff_t start = 0; start < view->rows; start += BLOCK) {
        ptrdiff_t some = view->rows - start < BLOCK ? view->rows - start : BLOCK;
        for (ptrdiff_t i = 0; i < count; i++) {
            scores_of(codes + start * dim, some, dim, probes[i].codes, scores);
            if (!take(&probes[i], view, start, some, scores))
                return 0;
        }
    }
    for (ptrdiff_t i = 0; i < count; i++)
        outcomes[i] = view->deciding ? decide(&probes[i], view) : best_two(&probes[i], view);
    return 1;
}

#endif
