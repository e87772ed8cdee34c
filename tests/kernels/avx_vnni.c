#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* REG_RIP */
#endif

#include "avx_vnni.h"

#include "harness.h"

#include <mobilenet/kernels.h>

/* qemu's user mode (7.2) does not hand YMM registers to handlers. */
#if defined(__x86_64__) && defined(__linux__) && !defined(TESTS_ARE_EMULATED)
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

/* ---- Registers ------------------------------------------------------------------------------ */

/* What the kernel saves when it calls a handler, and restores behind it: the registers as FXSAVE
 * leaves them, followed, where there are more, by the rest of what XSAVE does. */
enum {
    XMM_AT = 160,
    EXTENDED_AT = 464, /* the kernel's own words: a magic number, ... */
    STATES_AT = 512,   /* a bit for each state that is not as it was at first */
    STATE_SSE = 1,
    STATE_YMM = 2, /* the upper halves of YMM */
    STATE_ZMM = 6, /* the upper halves of ZMM 0 to 15 */
    XMM_BYTES = 16,
    ZMM_UPPER_BYTES = 32,
    REGISTERS = 16,
};
static const uint32_t extended_magic = 0x46505853;

typedef struct registers {
    char *area;
    greg_t *general;
} registers;

static bool has_state(const registers *r, int state) {
    uint64_t states;
    memcpy(&states, r->area + STATES_AT, sizeof states);
    return (states >> state & 1u) != 0;
}

/* Bytes from the area's beginning; asked for once, which on virtual machines takes long. */
static unsigned states_at[STATE_ZMM + 1] = {[STATE_SSE] = XMM_AT};

static void find_states(void) {
    unsigned size = 0, c = 0, d = 0;
    __get_cpuid_count(0xD, STATE_YMM, &size, &states_at[STATE_YMM], &c, &d);
    __get_cpuid_count(0xD, STATE_ZMM, &size, &states_at[STATE_ZMM], &c, &d);
}

static char *state_at(const registers *r, int state) {
    return r->area + states_at[state];
}

/* A half of a YMM register: what is as it was at first is 0, whatever its memory holds. */
static void half_load(const registers *r, int state, uint32_t i, uint8_t half[XMM_BYTES]) {
    memset(half, 0, XMM_BYTES);
    if (has_state(r, state)) memcpy(half, state_at(r, state) + i * XMM_BYTES, XMM_BYTES);
}

static void half_store(const registers *r, int state, uint32_t i, const uint8_t half[XMM_BYTES]) {
    char *all = state_at(r, state);
    if (!has_state(r, state)) {
        memset(all, 0, REGISTERS * XMM_BYTES);
        uint64_t states;
        memcpy(&states, r->area + STATES_AT, sizeof states);
        states |= (uint64_t)1 << state;
        memcpy(r->area + STATES_AT, &states, sizeof states);
    }
    memcpy(all + i * XMM_BYTES, half, XMM_BYTES);
}

/* Registers as instructions number them. */
static uint64_t general(const registers *r, uint32_t i) {
    static const int names[REGISTERS] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
    };
    return (uint64_t)r->general[names[i]];
}

/* ---- The instruction ------------------------------------------------------------------------ */

/* VEX.128 or .256.66.0F38.W0 50 /r, or 52 /r. */
typedef struct instruction {
    bool pairs; /* vpdpwssd: products of int16 */
    uint32_t length, halves;
    uint32_t sum, inputs; /* registers */
    bool in_memory;       /* the weights, at `address`; else in register `weights` */
    uint32_t weights;
    uint64_t address;
} instruction;

static int32_t read_int32(const uint8_t *p) {
    int32_t number;
    memcpy(&number, p, sizeof number);
    return number;
}

/* The operand in memory, from the byte behind ModRM on; x and b: the fourth bits of its
 * registers. */
static void decode_address(const uint8_t *p, const registers *r, uint32_t modrm, uint32_t x,
                           uint32_t b, instruction *i) {
    const uint32_t mode = modrm >> 6, rm = modrm & 7;
    uint64_t address = 0;
    int32_t offset = 0;
    if (rm == 4) { /* a byte follows with a base, an index and its scale */
        const uint32_t sib = *p++, base = sib & 7, index = (sib >> 3 & 7) | x << 3;
        i->length++;
        if (index != 4) address += general(r, index) << (sib >> 6);
        if (base == 5 && mode == 0) { /* no base */
            offset = read_int32(p);
            i->length += 4;
        } else {
            address += general(r, base | b << 3);
        }
    } else if (rm == 5 && mode == 0) { /* from the next instruction on */
        offset = read_int32(p);
        i->length += 4;
        address = (uint64_t)r->general[REG_RIP] + i->length;
    } else {
        address = general(r, rm | b << 3);
    }
    if (mode == 1) {
        offset = (int8_t)*p;
        i->length++;
    } else if (mode == 2) {
        offset = read_int32(p);
        i->length += 4;
    }
    i->address = address + (uint64_t)(int64_t)offset;
}

static bool decode(const registers *r, instruction *i) {
    const uint8_t *p = (const uint8_t *)(uintptr_t)r->general[REG_RIP]; /* NOLINT */
    if (p[0] != 0xC4 || (p[1] & 0x1F) != 2 || (p[2] & 0x83) != 1) return false;
    if (p[3] != 0x50 && p[3] != 0x52) return false;
    const uint32_t fourth = ~(uint32_t)p[1] >> 5, modrm = p[4]; /* R, X, B, inverted */
    *i = (instruction){
        .pairs = p[3] == 0x52,
        .length = 5,
        .halves = (p[2] & 4) != 0 ? 2 : 1,
        .sum = (modrm >> 3 & 7) | (fourth & 4) << 1,
        .inputs = ~(uint32_t)p[2] >> 3 & 15,
        .in_memory = modrm >> 6 != 3,
        .weights = (modrm & 7) | (fourth & 1) << 3,
    };
    if (i->in_memory) decode_address(p + 5, r, modrm, fourth >> 1 & 1, fourth & 1, i);
    return true;
}

static void execute(const registers *r, const instruction *i) {
    static const int states[] = {STATE_SSE, STATE_YMM};
    for (uint32_t half = 0; half < i->halves; half++) {
        uint8_t x[XMM_BYTES], sums[XMM_BYTES];
        int8_t w[XMM_BYTES];
        half_load(r, states[half], i->inputs, x);
        half_load(r, states[half], i->sum, sums);
        if (i->in_memory) {
            memcpy(w, (const char *)(uintptr_t)i->address + half * XMM_BYTES,
                   XMM_BYTES); /* NOLINT */
        } else {
            half_load(r, states[half], i->weights, (uint8_t *)w);
        }
        for (int lane = 0; lane < XMM_BYTES; lane += 4) {
            uint32_t sum;
            memcpy(&sum, sums + lane, sizeof sum);
            for (int k = lane; k < lane + 4 && !i->pairs; k++) sum += (uint32_t)(x[k] * w[k]);
            for (int k = lane; k < lane + 4 && i->pairs; k += 2) {
                int16_t a, b;
                memcpy(&a, x + k, sizeof a);
                memcpy(&b, w + k, sizeof b);
                sum += (uint32_t)(a * b);
            }
            memcpy(sums + lane, &sum, sizeof sum);
        }
        half_store(r, states[half], i->sum, sums);
    }
    /* What the instruction does not write of its register becomes 0. */
    if (i->halves == 1 && has_state(r, STATE_YMM)) {
        half_store(r, STATE_YMM, i->sum, (const uint8_t[XMM_BYTES]){0});
    }
    if (has_state(r, STATE_ZMM)) {
        memset(state_at(r, STATE_ZMM) + i->sum * ZMM_UPPER_BYTES, 0, ZMM_UPPER_BYTES);
    }
}

/* ---- The handler ---------------------------------------------------------------------------- */

static struct sigaction previous;

static void on_illegal(int signal_number, siginfo_t *info, void *context) {
    (void)info;
    ucontext_t *at = context;
    const registers r = {(char *)at->uc_mcontext.fpregs, at->uc_mcontext.gregs};
    uint32_t magic;
    memcpy(&magic, r.area + EXTENDED_AT, sizeof magic);
    instruction i;
    if (magic != extended_magic || !decode(&r, &i)) { /* a fault like any other */
        sigaction(signal_number, &previous, NULL);
        return;
    }
    do { /* they often come in pairs */
        execute(&r, &i);
        r.general[REG_RIP] += i.length;
    } while (decode(&r, &i));
}

bool avx_vnni_is_emulated(void) {
    static bool known, emulated;
    if (known) return emulated;
    known = true;
    const uint32_t usable = mbn_isa_usable();
    emulated = (usable & 1u << MBN_ISA_AVX2) != 0 && (usable & 1u << MBN_ISA_AVX_VNNI) == 0 &&
               (mbn_isa_built() & 1u << MBN_ISA_AVX_VNNI) != 0;
    if (!emulated) return false;
    find_states();
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_illegal;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &action, &previous);
    return true;
}
#else
bool avx_vnni_is_emulated(void) {
    return false;
}
#endif

static bool is_emulated(mbn_isa isa) {
    return isa == MBN_ISA_AVX_VNNI && avx_vnni_is_emulated();
}

static __attribute__((constructor)) void offer(void) {
    checks_emulate(is_emulated);
}
