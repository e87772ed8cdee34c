/* Calls each part of the library, and is both C and C++. */
#include <mobilenet/quantize.h>

#include <stdio.h>
#include <string.h>

static int fail(const char *what, const char *message) {
    fprintf(stderr, "%s: %s\n", what, message);
    return 1;
}

int main(void) {
    if (strcmp(mbn_version(), MBN_VERSION) != 0) return fail("mbn_version", mbn_version());

    if (strcmp(mbn_range_method_name(MBN_RANGE_MSE), "mse") != 0)
        return fail("mbn_range_method_name", "of another method");

    const uint32_t usable = mbn_isa_usable();
    if (!(usable & 1u << MBN_ISA_SCALAR)) return fail("mbn_isa_usable", "no scalar kernels");
    const mbn_kernels *kernels = mbn_kernels_best(MBN_ELEMENT_F32, usable);
    if (!kernels) return fail("mbn_kernels_best", "no kernels");

    mbn_network_options options;
    memset(&options, 0, sizeof options);
    options.network = "mobilenet_v2";
    mbn_network *network;
    mbn_error error;
    if (mbn_network_create(&options, &network, &error))
        return fail("mbn_network_create", error.message);
    const long long parameters = network->parameters + network->batch_norm_statistics;
    printf("mobilenet %s, kernels %s, %s: %lld parameters\n", mbn_version(), kernels->name,
           network->name, parameters);
    mbn_network_free(network);
    return parameters == 3538984 ? 0 : fail("mobilenet_v2", "3538984 parameters expected");
}
