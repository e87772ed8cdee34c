/* Other libraries' operators on the networks' shapes, beside ours in one program
 * (-DMOBILENET_BENCH_PEERS=ON).
 *
 * A peer gets the layout it likes best, its weights packed ahead, one thread, and random operands
 * of its own.  What it cannot fuse into the operator is left out, in its favour. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "suite.h"

typedef struct bench_peer {
    const char *name;
    bool (*start)(void); /* once; false: it does not work on this machine */
    void (*version)(char *text, size_t size);
    bench_function *run; /* its context is a bench_case of a layer with weights */
} bench_peer;

extern const bench_peer bench_xnnpack, bench_onednn;

/* Registers the family's shapes for a peer, as family/peer/shape. */
void bench_register_peer(bench_suite *suite, const bench_family *family, const bench_peer *peer);

#endif
