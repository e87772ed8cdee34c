/* What is fetched beside the multiply-adds.
 *
 * A fully connected layer reads every weight once, and waits for it: those of v3-large are 16 MB,
 * which takes an eighth of its time where they come from memory.  Pointwise convolutions wait for
 * nothing, so while they run, the weights of the fully connected layers behind them are brought
 * nearer: to L2 as far as they fit, else to L3.  Zen 5, while neighbours have most of L3: v3-large
 * 3 to 4 % faster, v2 1 to 2 %; where all weights stay in L3 by themselves, as fast as without. */
#include "plan.h"

/* Multiply-adds for which at most one byte is fetched.  At their peak that is a sixth of what one
 * core of Zen 5 reads from memory; 6 and 9 of them were slower, since pointwise fetches its own
 * weights, too. */
enum { WORK_PER_BYTE = 16 };

static bool is_fully_connected(const mbn_step *step) {
    return step->filter.kind == MBN_LAYER_FULLY_CONNECTED;
}

static const char *weights_end(const mbn_fully_connected_args *args) {
    const int32_t blocks = mbn_block_count(args->output_channels, args->blocking.block);
    return (const char *)args->operands.weights + blocks * args->operands.weights_stride;
}

/* Multiply-adds of a call beside which something can be fetched. */
static int64_t work_of(const mbn_call *call) {
    if (call->kind != MBN_LAYER_POINTWISE) return 0;
    const mbn_pointwise_args *args = &call->args.pointwise;
    return (int64_t)args->height * args->width * args->input_channels * args->output_channels;
}

static int64_t work_of_steps(const mbn_step *steps, int32_t count) {
    int64_t work = 0;
    for (int32_t i = 0; i < count; i++) {
        work += work_of(&steps[i].expand) + work_of(&steps[i].filter) + work_of(&steps[i].project);
    }
    return work;
}

/* Has the call fetch the first bytes of *wanted, if it has nothing to fetch yet. */
static void fetch_in(mbn_call *call, int64_t work_per_byte, mbn_fetch *wanted) {
    const size_t most = (size_t)(work_of(call) / work_per_byte);
    if (most == 0 || call->fetch.bytes > 0) return;
    const size_t bytes = wanted->bytes < most ? wanted->bytes : most;
    call->fetch = (mbn_fetch){wanted->data, bytes};
    wanted->data += bytes;
    wanted->bytes -= bytes;
}

void mbn_plan_fetches(mbn_step *steps, int32_t count) {
    int32_t previous_end = 0; /* of the run of fully connected layers before */
    for (int32_t i = 0; i < count;) {
        if (!is_fully_connected(&steps[i])) {
            i++;
            continue;
        }
        const int32_t first = i;
        while (i < count && is_fully_connected(&steps[i])) i++;
        /* The layers of a run lie together in the packed weights. */
        const char *begin = steps[first].filter.args.fully_connected.operands.weights;
        const char *end = weights_end(&steps[i - 1].filter.args.fully_connected);
        mbn_fetch wanted = {begin, (size_t)(end - begin)};
        /* Where there is time, over the latter half of the steps since the run before. */
        const int64_t work = work_of_steps(steps + previous_end, first - previous_end);
        const int64_t spread = work / 2 / (int64_t)wanted.bytes;
        const int64_t work_per_byte = spread > WORK_PER_BYTE ? spread : WORK_PER_BYTE;
        /* What is read first is fetched last, and still in L2. */
        for (int32_t s = first - 1; s >= 0 && wanted.bytes > 0; s--) {
            fetch_in(&steps[s].project, work_per_byte, &wanted);
            fetch_in(&steps[s].filter, work_per_byte, &wanted);
            fetch_in(&steps[s].expand, work_per_byte, &wanted);
        }
        previous_end = i;
    }
}
