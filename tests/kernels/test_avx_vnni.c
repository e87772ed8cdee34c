/* vpdpbusd and vpdpwssd as tests run them, on the CPU or emulated, against plain C: all registers,
 * and every way to address memory. */
#include "../random.h"
#include "avx_vnni.h"

#include <criterion/criterion.h>
#include <mobilenet/kernels.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__)

enum { REGISTERS = 16, BYTES = 32 };

typedef struct state {
    uint8_t ymm[REGISTERS][BYTES];
} state;

/* Calls the function with what is in `registers`, rdi = p and rsi = index, and leaves there what is
 * in the registers then. */
void vnni_call(const void *function, state *registers, const void *p, int64_t index);

#define ALL "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
#define FUNCTION(name) ".globl " #name "\n.hidden " #name "\n.p2align 4\n" #name ":\n"
/* Of each register of 16: sums, inputs, weights. */
#define OF_REGISTERS(name, instruction, kind)                                                      \
    __asm__(".text\n" FUNCTION(name) ".irp d," ALL "\n.irp x," ALL "\n.irp w," ALL                 \
                                     "\n.p2align 3\n{vex} " instruction " %" kind "\\w, %" kind    \
                                     "\\x, %" kind "\\d\nret\n"                                    \
                                     ".endr\n.endr\n.endr\n")

OF_REGISTERS(vnni_xmm, "vpdpbusd", "xmm");
OF_REGISTERS(vnni_ymm, "vpdpbusd", "ymm");
OF_REGISTERS(vnni_pairs_xmm, "vpdpwssd", "xmm");
OF_REGISTERS(vnni_pairs_ymm, "vpdpwssd", "ymm");
__asm__(".text\n" FUNCTION(vnni_call) "push %rbx\nmov %rdi, %rax\nmov %rsi, %rbx\n"
                                      "mov %rdx, %rdi\nmov %rcx, %rsi\n.irp n," ALL
                                      "\nvmovdqu \\n*32(%rbx), %ymm\\n\n.endr\n"
                                      "call *%rax\n.irp n," ALL
                                      "\nvmovdqu %ymm\\n, \\n*32(%rbx)\n.endr\n"
                                      "vzeroupper\npop %rbx\nret\n");

extern const char vnni_xmm[], vnni_ymm[], vnni_pairs_xmm[], vnni_pairs_ymm[];

/* Functions of one form of an operand in memory: sums in register 12, inputs in 7.  The form's text
 * is between what is done before and behind it. */
#define FORMS(FORM)                                                                                \
    FORM(base_rax, "mov %rdi, %rax", "(%rax)", "", 0, 0)                                           \
    FORM(base_rcx, "mov %rdi, %rcx", "127(%rcx)", "", 127, 0)                                      \
    FORM(base_rdx, "mov %rdi, %rdx", "-128(%rdx)", "", -128, 0)                                    \
    FORM(base_rbx, "push %rbx\nmov %rdi, %rbx", "128(%rbx)", "pop %rbx", 128, 0)                   \
    FORM(base_rbp, "push %rbp\nmov %rdi, %rbp", "(%rbp)", "pop %rbp", 0, 0)                        \
    FORM(base_rbp_far, "push %rbp\nmov %rdi, %rbp", "-129(%rbp)", "pop %rbp", -129, 0)             \
    FORM(base_rsi, "mov %rdi, %rsi", "64(%rsi)", "", 64, 0)                                        \
    FORM(base_rdi, "", "-1048576(%rdi)", "", -1048576, 0)                                          \
    FORM(base_r8, "mov %rdi, %r8", "(%r8)", "", 0, 0)                                              \
    FORM(base_r9, "mov %rdi, %r9", "32(%r9)", "", 32, 0)                                           \
    FORM(base_r10, "mov %rdi, %r10", "-32(%r10)", "", -32, 0)                                      \
    FORM(base_r11, "mov %rdi, %r11", "4096(%r11)", "", 4096, 0)                                    \
    FORM(base_r12, "push %r12\nmov %rdi, %r12", "(%r12)", "pop %r12", 0, 0)                        \
    FORM(base_r12_far, "push %r12\nmov %rdi, %r12", "999(%r12)", "pop %r12", 999, 0)               \
    FORM(base_r13, "push %r13\nmov %rdi, %r13", "(%r13)", "pop %r13", 0, 0)                        \
    FORM(base_r13_near, "push %r13\nmov %rdi, %r13", "5(%r13)", "pop %r13", 5, 0)                  \
    FORM(base_r14, "push %r14\nmov %rdi, %r14", "(%r14)", "pop %r14", 0, 0)                        \
    FORM(base_r15, "push %r15\nmov %rdi, %r15", "1(%r15)", "pop %r15", 1, 0)                       \
    FORM(base_rsp, "mov %rsp, %rax\nmov %rdi, %rsp", "(%rsp)", "mov %rax, %rsp", 0, 0)             \
    FORM(base_rsp_near, "mov %rsp, %rax\nmov %rdi, %rsp", "-8(%rsp)", "mov %rax, %rsp", -8, 0)     \
    FORM(base_rsp_far, "mov %rsp, %rax\nmov %rdi, %rsp", "640(%rsp)", "mov %rax, %rsp", 640, 0)    \
    FORM(index_rax, "mov %rsi, %rax", "(%rdi,%rax)", "", 0, 1)                                     \
    FORM(index_rcx, "mov %rsi, %rcx", "4(%rdi,%rcx,2)", "", 4, 2)                                  \
    FORM(index_rdx, "mov %rsi, %rdx", "-400(%rdi,%rdx,4)", "", -400, 4)                            \
    FORM(index_rbx, "push %rbx\nmov %rsi, %rbx", "(%rdi,%rbx,8)", "pop %rbx", 0, 8)                \
    FORM(index_rbp, "push %rbp\nmov %rsi, %rbp", "8(%rdi,%rbp,8)", "pop %rbp", 8, 8)               \
    FORM(index_rsi, "", "300(%rdi,%rsi,4)", "", 300, 4)                                            \
    FORM(index_rdi, "xchg %rdi, %rsi", "(%rsi,%rdi,2)", "", 0, 2)                                  \
    FORM(index_r8, "mov %rsi, %r8", "(%rdi,%r8,8)", "", 0, 8)                                      \
    FORM(index_r9, "mov %rsi, %r9", "16(%rdi,%r9,4)", "", 16, 4)                                   \
    FORM(index_r10, "mov %rsi, %r10", "-16(%rdi,%r10,2)", "", -16, 2)                              \
    FORM(index_r11, "mov %rsi, %r11", "2048(%rdi,%r11)", "", 2048, 1)                              \
    FORM(index_r12, "push %r12\nmov %rsi, %r12", "(%rdi,%r12,4)", "pop %r12", 0, 4)                \
    FORM(index_r13, "push %r13\nmov %rsi, %r13", "3(%rdi,%r13,8)", "pop %r13", 3, 8)               \
    FORM(index_r14, "push %r14\nmov %rsi, %r14", "(%rdi,%r14,2)", "pop %r14", 0, 2)                \
    FORM(index_r15, "push %r15\nmov %rsi, %r15", "(%rdi,%r15)", "pop %r15", 0, 1)                  \
    FORM(both_r13_r12, "push %r12\npush %r13\nmov %rdi, %r13\nmov %rsi, %r12", "(%r13,%r12,8)",    \
         "pop %r13\npop %r12", 0, 8)                                                               \
    FORM(both_r12_r13, "push %r12\npush %r13\nmov %rdi, %r12\nmov %rsi, %r13", "-7(%r12,%r13,4)",  \
         "pop %r13\npop %r12", -7, 4)                                                              \
    FORM(both_rbp_r9, "push %rbp\nmov %rdi, %rbp\nmov %rsi, %r9", "(%rbp,%r9,2)", "pop %rbp", 0,   \
         2)                                                                                        \
    FORM(no_base, "mov %rdi, %rax", "123(,%rax,1)", "", 123, 0)                                    \
    FORM(no_base_r10, "lea (%rdi,%rsi,2), %r10", "-60000(,%r10,1)", "", -60000, 2)

#define FORM_TEXT(name, before, operand, behind, offset, scale)                                    \
    __asm__(".text\n" FUNCTION(vnni_xmm_##name) before "\n{vex} vpdpbusd " operand                 \
                                                       ", %xmm7, %xmm12\n" behind "\nret\n");      \
    __asm__(".text\n" FUNCTION(vnni_ymm_##name) before "\n{vex} vpdpbusd " operand                 \
                                                       ", %ymm7, %ymm12\n" behind "\nret\n");
FORMS(FORM_TEXT)

#define FORM_NAMES(name, before, operand, behind, offset, scale)                                   \
    extern const char vnni_xmm_##name[], vnni_ymm_##name[];
FORMS(FORM_NAMES)

typedef struct form {
    const char *name, *xmm, *ymm;
    int64_t offset, scale;
} form;

static const form forms[] = {
#define FORM_ROW(name, before, operand, behind, offset, scale)                                     \
    {#name, vnni_xmm_##name, vnni_ymm_##name, offset, scale},
    FORMS(FORM_ROW)};

/* From the next instruction on, before and behind it; several in a row, of which each needs the one
 * before; and behind an instruction after which all upper halves are 0. */
__asm__(".text\n" FUNCTION(vnni_data) ".fill 32, 1, 0x9D\n");
__asm__(FUNCTION(vnni_rip) "{vex} vpdpbusd vnni_data(%rip), %ymm7, %ymm12\nret\n");
__asm__(FUNCTION(vnni_rip_ahead) "{vex} vpdpbusd vnni_data_ahead(%rip), %ymm7, %ymm12\nret\n"
                                 ".p2align 4\nvnni_data_ahead: .fill 32, 1, 0x9D\n");
__asm__(FUNCTION(
    vnni_chain) "{vex} vpdpbusd (%rdi), %ymm7, %ymm12\n"
                "{vex} vpdpbusd %ymm12, %ymm12, %ymm9\n{vex} vpdpbusd %xmm9, %xmm12, %xmm3\nret\n");
__asm__(FUNCTION(vnni_upper) "vzeroupper\n{vex} vpdpbusd (%rdi), %ymm7, %ymm12\nret\n");
extern const char vnni_data[], vnni_rip[], vnni_rip_ahead[], vnni_chain[], vnni_upper[];

static int64_t products_of_bytes(const uint8_t *x, const uint8_t *w) {
    int64_t total = 0;
    for (int k = 0; k < 4; k++) total += x[k] * (w[k] < 128 ? w[k] : w[k] - 256);
    return total;
}

static int64_t int16_at(const uint8_t *p) {
    const int64_t number = p[0] + 256 * p[1];
    return number < 32768 ? number : number - 65536;
}

static int64_t products_of_pairs(const uint8_t *x, const uint8_t *w) {
    return int16_at(x) * int16_at(w) + int16_at(x + 2) * int16_at(w + 2);
}

typedef int64_t products_fn(const uint8_t *x, const uint8_t *w);

/* What an instruction does, in a state; bytes: 16 or 32. */
static void dot_of(products_fn *products, state *s, int sum, int inputs, const uint8_t *weights,
                   int bytes) {
    uint8_t result[BYTES] = {0};
    for (int lane = 0; lane < bytes; lane += 4) {
        uint32_t number;
        memcpy(&number, s->ymm[sum] + lane, sizeof number);
        number += (uint32_t)products(s->ymm[inputs] + lane, weights + lane);
        memcpy(result + lane, &number, sizeof number);
    }
    memcpy(s->ymm[sum], result, BYTES);
}

static void dot(state *s, int sum, int inputs, const uint8_t *weights, int bytes) {
    dot_of(products_of_bytes, s, sum, inputs, weights, bytes);
}

static void fill(void *bytes, size_t count, random_state *r) {
    for (size_t i = 0; i < count; i++) ((uint8_t *)bytes)[i] = (uint8_t)random_int(r, 0, 255);
}

static void check(const char *function, const char *name, const state *before, const void *p,
                  int64_t index, const state *expected) {
    state after = *before;
    vnni_call(function, &after, p, index);
    for (int i = 0; i < REGISTERS; i++) {
        cr_assert(memcmp(after.ymm[i], expected->ymm[i], BYTES) == 0, "%s: register %d", name, i);
    }
}

/* Whether the instruction runs here, one way or the other. */
static bool can_run(void) {
    if (avx_vnni_is_emulated()) return true;
    return (mbn_isa_usable() & 1u << MBN_ISA_AVX_VNNI) != 0;
}

Test(avx_vnni, registers) {
    if (!can_run()) cr_skip_test("without AVX2, or built without AVX-VNNI");
    random_state r = {7};
    for (int code = 0; code < REGISTERS * REGISTERS * REGISTERS; code++) {
        const int sum = code / 256, inputs = code / 16 % 16, weights = code % 16;
        state before;
        fill(&before, sizeof before, &r);
        if (code % 5 == 0) memset(before.ymm[inputs], 255, BYTES);
        if (code % 7 == 0) memset(before.ymm[weights], 128, BYTES);
        char name[64];
        for (int bytes = 16; bytes <= BYTES; bytes += 16) {
            state expected = before;
            uint8_t operand[BYTES];
            memcpy(operand, before.ymm[weights], BYTES);
            dot(&expected, sum, inputs, operand, bytes);
            snprintf(name, sizeof name, "%d bytes, sums %d, inputs %d, weights %d", bytes, sum,
                     inputs, weights);
            check((bytes == 16 ? vnni_xmm : vnni_ymm) + (ptrdiff_t)code * 8, name, &before, NULL, 0,
                  &expected);
            expected = before;
            dot_of(products_of_pairs, &expected, sum, inputs, operand, bytes);
            check((bytes == 16 ? vnni_pairs_xmm : vnni_pairs_ymm) + (ptrdiff_t)code * 8, name,
                  &before, NULL, 0, &expected);
        }
    }
}

Test(avx_vnni, memory) {
    if (!can_run()) cr_skip_test("without AVX2, or built without AVX-VNNI");
    random_state r = {8};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        for (int bytes = 16; bytes <= BYTES; bytes += 16) {
            for (int64_t index = -300; index <= 300; index += 75) {
                static uint8_t memory[1 << 16]; /* some of it for a while the stack */
                fill(memory, sizeof memory, &r);
                state before;
                fill(&before, sizeof before, &r);
                state expected = before;
                const uint8_t *operand = memory + sizeof memory - 515;
                dot(&expected, 12, 7, operand, bytes);
                const uintptr_t p =
                    (uintptr_t)operand - (uintptr_t)(forms[i].offset + forms[i].scale * index);
                check(bytes == 16 ? forms[i].xmm : forms[i].ymm, forms[i].name, &before,
                      (const void *)p, index, &expected);
            }
        }
    }
}

Test(avx_vnni, elsewhere) {
    if (!can_run()) cr_skip_test("without AVX2, or built without AVX-VNNI");
    random_state r = {9};
    uint8_t memory[BYTES];
    fill(memory, sizeof memory, &r);
    state before;
    fill(&before, sizeof before, &r);

    state expected = before;
    dot(&expected, 12, 7, (const uint8_t *)vnni_data, BYTES);
    check(vnni_rip, "rip", &before, NULL, 0, &expected);
    check(vnni_rip_ahead, "rip, ahead", &before, NULL, 0, &expected);

    expected = before;
    dot(&expected, 12, 7, memory, BYTES);
    uint8_t twelve[BYTES], nine[BYTES];
    memcpy(twelve, expected.ymm[12], BYTES);
    dot(&expected, 9, 12, twelve, BYTES);
    memcpy(nine, expected.ymm[9], BYTES);
    dot(&expected, 3, 12, nine, 16);
    check(vnni_chain, "chain", &before, memory, 0, &expected);

    for (int i = 0; i < REGISTERS; i++) memset(before.ymm[i] + 16, 0, 16);
    expected = before;
    dot(&expected, 12, 7, memory, BYTES);
    fill(before.ymm[0] + 16, 16, &r); /* which the function clears */
    check(vnni_upper, "upper halves", &before, memory, 0, &expected);
}

#else
Test(avx_vnni, elsewhere) {
    cr_assert(!avx_vnni_is_emulated());
}
#endif
