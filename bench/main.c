#include "machine.h"
#include "peer.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>

static const bench_family *const families[] = {
    &bench_pointwise,
    &bench_depthwise,
    &bench_depthwise_border,
    &bench_convolution,
    &bench_batch_norm,
    &bench_channel_scale,
    &bench_add,
    &bench_global_average_pool,
    &bench_max_pool,
    &bench_fully_connected,
    &bench_softmax,
    &bench_to_blocked_nhwc,
    &bench_to_blocked_nchw,
    &bench_from_blocked_nhwc,
    &bench_from_blocked_nchw,
    &bench_packing,
    &bench_compare_separable,
};

#if defined(BENCH_PEERS)
static const bench_peer *const peers[] = {&bench_xnnpack, &bench_onednn};
static const bench_family *const peer_families[] = {&bench_pointwise, &bench_depthwise,
                                                    &bench_convolution, &bench_fully_connected};

/* Starts them and registers what they run.  Versions are in the report's head. */
static void register_peers(bench_suite *suite) {
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        char version[64];
        peers[i]->version(version, sizeof version);
        bench_context(peers[i]->name, peers[i]->start() ? version : "does not start");
        for (size_t f = 0; f < sizeof peer_families / sizeof peer_families[0]; f++) {
            bench_register_peer(suite, peer_families[f], peers[i]);
        }
    }
}
#endif

static uint32_t isas;

static void measure_machine(void) {
    machine_measure(isas);
}

int main(int argc, char **argv) {
    isas = mbn_isa_usable();
    const char *wanted = getenv("MOBILENET_ISA");
    if (wanted != NULL) isas &= mbn_isa_parse(wanted);
    if (isas == 0) {
        fprintf(stderr, "MOBILENET_ISA=%s: nothing that this machine can run; usable:", wanted);
        for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
            if ((mbn_isa_usable() >> isa & 1u) != 0) {
                fprintf(stderr, " %s", mbn_isa_name((mbn_isa)isa));
            }
        }
        fputc('\n', stderr);
        return 1;
    }
    bench_suite *suite = bench_suite_create(isas);
    if (suite == NULL) return 1;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        bench_register_family(suite, families[i]);
    }
    bench_register_networks(suite);
#if defined(BENCH_PEERS)
    register_peers(suite);
#endif
    const int status = bench_main(argc, argv, measure_machine);
    bench_suite_free(suite);
    return status;
}
