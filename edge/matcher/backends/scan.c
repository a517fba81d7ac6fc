/* The search of `edge.matcher.search` in one call: int8 codes first, float64 where they leave it open.
 *
 * Three rules keep it exact:
 *   - a similarity that is told or compared with a threshold always comes from `similarity_of`, which
 *     adds in the order in which numpy adds (the Python side compares both before this is used);
 *   - rows of residents who died before this version are dropped before they can lift a lower bound;
 *   - equal similarities go to the smaller resident id.
 *
 * The caller holds the snapshot while a call lasts, so nobody erases what is read here. The search itself
 * (scan_search.h) touches no Python object, so the interpreter's lock can be let go meanwhile. Python's
 * stable interface only: one file serves every CPython from 3.11 on.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include "scan_search.h"

#define INTERFACE 2 /* grows with every change of what the Python side must know; see compiled.py */
#ifndef SOURCE
#define SOURCE "unknown" /* SHA-256 of scan.c and its headers, by the build */
#endif

static const ptrdiff_t LONG_SCAN = 1 << 20; /* products; from here on other threads may run meanwhile */

typedef struct {
    PyObject_HEAD
    Block block;
    Py_buffer originals, codes, owner, died;
    PyObject *names, *verdicts;
} Rows;

typedef struct {
    PyObject *name, *other; /* borrowed from the gallery's names, which only grow; NULL for nobody */
    double similarity, runner_up;
} Ranked;

static PyObject *name_of(const Rows *rows, int32_t owner)
{
    PyObject *name = PyList_GetItem(rows->names, owner);
    if (name && !PyUnicode_Check(name)) {
        PyErr_SetString(PyExc_TypeError, "a resident id is no text");
        return NULL;
    }
    return name;
}

/* Whether (similarity, name) goes before (than, other): by similarity, then by the smaller name. */
static int goes_before(double similarity, PyObject *name, double than, PyObject *other)
{
    if (!other || similarity != than)
        return !other || similarity > than;
    return PyUnicode_Compare(name, other) < 0;
}

/* Rank the compared candidates by resident. A resident's rows follow each other. */
static int rank(const Probe *p, const Rows *rows, Ranked *r)
{
    *r = (Ranked){NULL, NULL, -1.0, -1.0};
    for (Py_ssize_t i = 0; i < p->count;) {
        int32_t owner = p->candidates[i].owner;
        double best = -INFINITY;
        for (; i < p->count && p->candidates[i].owner == owner; i++)
            if (p->candidates[i].compared)
                best = fmax(best, p->candidates[i].similarity);
        if (best == -INFINITY || (r->other && best < r->runner_up))
            continue;
        PyObject *name = name_of(rows, owner);
        if (!name)
            return 0;
        if (goes_before(best, name, r->similarity, r->name)) {
            r->other = r->name, r->runner_up = r->name ? r->similarity : -1.0;
            r->name = name, r->similarity = best;
        } else if (goes_before(best, name, r->runner_up, r->other)) {
            r->other = name, r->runner_up = best;
        }
        if (PyErr_Occurred())
            return 0;
    }
    return 1;
}

static PyObject *name_or_none(PyObject *name) { return name ? name : Py_None; }

enum { STRANGER, IDENTITY, AMBIGUOUS };

static PyObject *told(const Rows *rows, int verdict, PyObject *name, double at_least, double at_most, double others)
{
    PyObject *outcome = PyTuple_GetItem(rows->verdicts, verdict);
    return outcome ? Py_BuildValue("(OOddd)", outcome, name, at_least, at_most, others) : NULL;
}

/* (verdict, resident or None, at least, at most, others at most). */
static PyObject *finding(const Probe *p, const Rows *rows, const View *view, const Outcome *o)
{
    if (o->settled && !o->top)
        return told(rows, STRANGER, Py_None, -1.0, o->at_most, o->at_most);
    if (o->settled) {
        PyObject *name = name_of(rows, o->top->owner);
        return name ? told(rows, IDENTITY, name, o->at_least, o->at_most, o->others_at_most) : NULL;
    }
    Ranked r;
    if (!rank(p, rows, &r))
        return NULL;
    if (!(r.similarity >= view->threshold))
        return told(rows, STRANGER, Py_None, -1.0, view->threshold, view->threshold);
    int verdict = r.similarity - r.runner_up >= view->margin ? IDENTITY : AMBIGUOUS;
    double others = fmax(r.runner_up, r.similarity - view->margin);
    return told(rows, verdict, r.name, r.similarity, r.similarity, others);
}

static PyObject *match(const Probe *p, const Rows *rows)
{
    Ranked r;
    if (!rank(p, rows, &r))
        return NULL;
    return Py_BuildValue("(OdOd)", name_or_none(r.name), r.similarity, name_or_none(r.other), r.runner_up);
}

/* Search for up to TOGETHER probes and append their answers: 1 done, 0 refused, -1 an error is set. */
static int answer(const Py_buffer *given, Py_ssize_t from, Py_ssize_t count, const Rows *rows, const View *view,
                  PyObject *answers, Py_ssize_t *compared_rows)
{
    Probe probes[TOGETHER];
    Outcome outcomes[TOGETHER];
    int last = given->ndim - 1, result = 1, searched;
    for (Py_ssize_t i = 0; i < count; i++) {
        const char *data = (const char *)given->buf + (last ? (from + i) * given->strides[0] : 0);
        if (!admit(&probes[i], data, given->strides[last], view->block->dim))
            return 0;
        encode(&probes[i], view);
    }
    PyThreadState *others = view->rows * view->block->dim * count > LONG_SCAN ? PyEval_SaveThread() : NULL;
    searched = search(probes, count, view, outcomes);
    if (others)
        PyEval_RestoreThread(others);
    if (!searched)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count && searched && result == 1; i++) {
        PyObject *one = view->deciding ? finding(&probes[i], rows, view, &outcomes[i]) : match(&probes[i], rows);
        result = one && PyList_Append(answers, one) == 0 ? 1 : -1;
        Py_XDECREF(one);
        *compared_rows += probes[i].compared;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (probes[i].candidates != probes[i].few)
            free(probes[i].candidates);
    return searched ? result : -1;
}

/* (answers, rows compared in float64) for (D,) or (Q, D) float32, or None when they are not that or no unit vectors. */
static PyObject *answers_to(const Rows *rows, PyObject *object, const View *view)
{
    Py_buffer given;
    if (PyObject_GetBuffer(object, &given, PyBUF_STRIDES | PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    int fits = given.itemsize == 4 && given.format && strcmp(given.format, "f") == 0 &&
               given.ndim == 1 + view->several && given.shape[view->several] == view->block->dim;
    Py_ssize_t count = fits && view->several ? given.shape[0] : 1, compared_rows = 0;
    PyObject *answers = fits ? PyList_New(0) : NULL;
    int state = answers ? 1 : fits ? -1 : 0;
    for (Py_ssize_t i = 0; i < count && state == 1; i += TOGETHER)
        state = answer(&given, i, count - i < TOGETHER ? count - i : TOGETHER, rows, view, answers, &compared_rows);
    PyBuffer_Release(&given);
    if (state == 1)
        return Py_BuildValue("(Nn)", answers, compared_rows);
    Py_XDECREF(answers);
    if (state == 0)
        Py_RETURN_NONE;
    return NULL;
}

/* Take several, rows, version and residual, which surround the probes in both questions; 0 with an error set. */
static int view_from(View *view, const Block *block, PyObject *const *args)
{
    *view = (View){.block = block, .rows = PyLong_AsSsize_t(args[2]), .version = PyLong_AsLongLong(args[3])};
    view->residual = PyFloat_AsDouble(args[4]), view->several = PyObject_IsTrue(args[0]);
    if (PyErr_Occurred())
        return 0;
    if (view->rows < 0 || view->rows > block->capacity || !(view->residual >= 0.0) || !isfinite(view->residual)) {
        PyErr_SetString(PyExc_ValueError, "rows or residual are none of this block's");
        return 0;
    }
    return 1;
}

static PyObject *rows_best_two(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    View view;
    if (count != 5) {
        PyErr_SetString(PyExc_TypeError, "best_two(several, probes, rows, version, residual)");
        return NULL;
    }
    return view_from(&view, &((Rows *)self)->block, args) ? answers_to((Rows *)self, args[1], &view) : NULL;
}

static PyObject *rows_decide(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    View view;
    if (count != 7) {
        PyErr_SetString(PyExc_TypeError, "decide(several, probes, rows, version, residual, threshold, margin)");
        return NULL;
    }
    if (!view_from(&view, &((Rows *)self)->block, args))
        return NULL;
    view.deciding = 1, view.threshold = PyFloat_AsDouble(args[5]), view.margin = PyFloat_AsDouble(args[6]);
    if (PyErr_Occurred())
        return NULL;
    if (!isfinite(view.threshold) || !(view.margin >= 0.0) || !isfinite(view.margin)) {
        PyErr_SetString(PyExc_ValueError, "threshold and margin must be finite, the margin not negative");
        return NULL;
    }
    return answers_to((Rows *)self, args[1], &view);
}

/* Take a C-contiguous buffer of this item format and number of dimensions; 0 with an error set. */
static int buffer_of(PyObject *object, Py_buffer *buffer, const char *format, int ndim, int writable)
{
    if (PyObject_GetBuffer(object, buffer, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0)) < 0)
        return 0;
    if (buffer->ndim == ndim && buffer->format && strcmp(buffer->format, format) == 0)
        return 1;
    PyBuffer_Release(buffer);
    PyErr_Format(PyExc_TypeError, "expected %d dimensions of %s", ndim, format);
    return 0;
}

static void rows_free(PyObject *self)
{
    Rows *rows = (Rows *)self;
    PyTypeObject *type = Py_TYPE(self);
    Py_buffer *all[] = {&rows->originals, &rows->codes, &rows->owner, &rows->died};
    for (int i = 0; i < 4; i++)
        if (all[i]->obj)
            PyBuffer_Release(all[i]);
    Py_XDECREF(rows->names);
    Py_XDECREF(rows->verdicts);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* Take the arrays of one arena; 0 with an error set. */
static int take_arrays(Rows *rows, PyObject *originals, PyObject *codes, PyObject *owner, PyObject *died)
{
    Block *block = &rows->block;
    if (!buffer_of(originals, &rows->originals, "f", 2, 0) || !buffer_of(codes, &rows->codes, "b", 2, 1) ||
        !buffer_of(owner, &rows->owner, "i", 1, 0) || !buffer_of(died, &rows->died, "l", 1, 0))
        return 0;
    block->originals = rows->originals.buf, block->codes = rows->codes.buf;
    block->owner = rows->owner.buf, block->died = rows->died.buf;
    block->capacity = rows->originals.shape[0], block->dim = rows->originals.shape[1];
    block->generations = rows->died.shape[0];
    if (block->dim >= 1 && block->dim <= MOST_DIM && rows->codes.shape[1] == block->dim &&
        rows->codes.shape[0] == block->capacity && rows->owner.shape[0] == block->capacity && block->scale > 0.0 &&
        isfinite(block->scale))
        return 1;
    PyErr_SetString(PyExc_ValueError, "the arrays are not those of one arena");
    return 0;
}

/* Rows(originals, codes, owner, died, names, verdicts, scale): the arrays of an arena, which stay its own. */
static PyObject *rows_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *originals, *codes, *owner, *died, *names, *verdicts;
    double scale;
    if (keywords && PyDict_Size(keywords)) {
        PyErr_SetString(PyExc_TypeError, "Rows takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OOOOO!O!d", &originals, &codes, &owner, &died, &PyList_Type, &names, &PyTuple_Type,
                          &verdicts, &scale))
        return NULL;
    Rows *rows = (Rows *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!rows)
        return NULL;
    rows->block.scale = scale;
    if (!take_arrays(rows, originals, codes, owner, died)) {
        Py_DECREF(rows);
        return NULL;
    }
    Py_INCREF(names);
    Py_INCREF(verdicts);
    rows->names = names, rows->verdicts = verdicts;
    return (PyObject *)rows;
}

static PyObject *use_plain(PyObject *module, PyObject *plain)
{
    int wanted = PyObject_IsTrue(plain);
    (void)module;
    if (wanted < 0)
        return NULL;
    pick_instructions(wanted);
    return PyUnicode_FromString(instructions);
}

/* Write the codes of rows start..stop, which nobody reads yet, and return the greatest |row - codes / scale|. */
static PyObject *rows_encode(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const Block *block = &((Rows *)self)->block;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "encode(start, stop)");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(args[0]), stop = PyLong_AsSsize_t(args[1]);
    double residual = 0.0;
    if (PyErr_Occurred())
        return NULL;
    if (start < 0 || start > stop || stop > block->capacity) {
        PyErr_SetString(PyExc_ValueError, "there are no such rows");
        return NULL;
    }
    for (Py_ssize_t at = start * block->dim; at < stop * block->dim; at += block->dim)
        residual = fmax(residual, coded(block->originals + at, block->codes + at, block->dim, (float)block->scale));
    return PyFloat_FromDouble(residual * 1.0001 + 1e-6); /* as in arena.py: the rounding of the measurement itself */
}

static PyMethodDef rows_methods[] = {
    {"encode", (PyCFunction)(void (*)(void))rows_encode, METH_FASTCALL, "Write codes; the residual of these rows."},
    {"best_two", (PyCFunction)(void (*)(void))rows_best_two, METH_FASTCALL, "The two best residents of each probe."},
    {"decide", (PyCFunction)(void (*)(void))rows_decide, METH_FASTCALL, "The decision about each probe."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot rows_slots[] = {{Py_tp_new, rows_new}, {Py_tp_dealloc, rows_free}, {Py_tp_methods, rows_methods},
                                   {Py_tp_doc, "One arena's rows."}, {0, NULL}};

static PyType_Spec rows_spec = {"edge.matcher.backends._scan.Rows", sizeof(Rows), 0, Py_TPFLAGS_DEFAULT, rows_slots};

static int fill(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &rows_spec, NULL);
    int added = type ? PyModule_AddObjectRef(module, "Rows", type) : -1;
    Py_XDECREF(type);
    pick_instructions(0);
    if (added < 0 || PyModule_AddIntConstant(module, "INTERFACE", INTERFACE) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "SOURCE", SOURCE);
}

/* similarity(row, probe): for comparing with numpy. */
static PyObject *similarity(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Py_buffer row, probe;
    (void)module;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "similarity(row, probe)");
        return NULL;
    }
    if (!buffer_of(args[0], &row, "f", 1, 0))
        return NULL;
    PyObject *result = NULL;
    if (buffer_of(args[1], &probe, "f", 1, 0)) {
        if (row.shape[0] == probe.shape[0] && row.shape[0] <= MOST_DIM)
            result = PyFloat_FromDouble(similarity_of(row.buf, probe.buf, row.shape[0]));
        else
            PyErr_SetString(PyExc_ValueError, "the lengths differ or are too large");
        PyBuffer_Release(&probe);
    }
    PyBuffer_Release(&row);
    return result;
}

static PyMethodDef functions[] = {
    {"similarity", (PyCFunction)(void (*)(void))similarity, METH_FASTCALL, "The similarity of two rows."},
    {"instructions", use_plain, METH_O, "Use plain C only (True) or what this processor can do; return its name."},
    {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_scan", NULL, 0, functions, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__scan(void) { return PyModuleDef_Init(&definition); }
