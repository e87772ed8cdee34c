/* Tables out of a model file: the same network as the library's own table, variants, and hostile
 * values. */
#include "networks.h"

#include <arch/network/architecture.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEM "\"stem\":{\"channels\":16,\"activation\":\"hard_swish\"}"
#define ROW "{\"kernel\":3,\"expand\":72,\"channels\":24,\"activation\":\"relu\",\"strides\":[2,2]}"

/* Howard et al. 2019, table 2, in numbers. */
static const char v3_small[] =
    "{" STEM ",\"rows\":["
    "{\"kernel\":3,\"channels\":16,\"squeeze\":8,\"activation\":\"relu\",\"strides\":[2,2]}," ROW
    ","
    "{\"kernel\":3,\"expand\":88,\"channels\":24,\"activation\":\"relu\"},"
    "{\"kernel\":5,\"expand\":96,\"channels\":40,\"squeeze\":24,\"activation\":\"hard_swish\","
    "\"strides\":[2,2]},"
    "{\"kernel\":5,\"expand\":240,\"channels\":40,\"squeeze\":64,\"activation\":\"hard_swish\"},"
    "{\"kernel\":5,\"expand\":240,\"channels\":40,\"squeeze\":64,\"activation\":\"hard_swish\"},"
    "{\"kernel\":5,\"expand\":120,\"channels\":48,\"squeeze\":32,\"activation\":\"hard_swish\"},"
    "{\"kernel\":5,\"expand\":144,\"channels\":48,\"squeeze\":40,\"activation\":\"hard_swish\"},"
    "{\"kernel\":5,\"expand\":288,\"channels\":96,\"squeeze\":72,\"activation\":\"hard_swish\","
    "\"strides\":[2,2]},"
    "{\"kernel\":5,\"expand\":576,\"channels\":96,\"squeeze\":144,\"activation\":\"hard_swish\"},"
    "{\"kernel\":5,\"expand\":576,\"channels\":96,\"squeeze\":144,\"activation\":\"hard_swish\"}],"
    "\"squeeze_activation\":\"relu\",\"gate\":{\"activation\":\"hard_sigmoid\"},"
    "\"head\":{\"channels\":576,\"activation\":\"hard_swish\"},"
    "\"hidden\":[{\"channels\":1024,\"activation\":\"hard_swish\"}]}";

static mbn_architecture *parse_good(const char *json) {
    mbn_architecture *architecture;
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_architecture_parse(json, "table", &architecture, &error), MBN_OK, "%s",
                 error.message);
    cr_assert_not_null(architecture);
    return architecture;
}

/* The network of a table; the table is freed. */
static mbn_network *lay_out(const char *json, mbn_network_options options) {
    mbn_architecture *architecture = parse_good(json);
    mbn_network *network;
    mbn_error error = {MBN_OK, ""};
    options.network = "table";
    cr_assert_eq(mbn_network_layout(architecture, &options, &network, &error), MBN_OK, "%s",
                 error.message);
    free(architecture);
    return network;
}

static void expect_same_layer(const mbn_layer *a, const mbn_layer *b) {
    cr_expect_str_eq(a->name, b->name);
    cr_expect_str_eq(a->batch_norm_name, b->batch_norm_name);
    const int64_t of_a[] = {a->kind,
                            a->role,
                            a->block,
                            a->input,
                            a->gate,
                            a->residual,
                            a->input_height,
                            a->input_width,
                            a->input_channels,
                            a->output_height,
                            a->output_width,
                            a->output_channels,
                            a->kernel_height,
                            a->kernel_width,
                            a->stride_vertical,
                            a->stride_horizontal,
                            a->pad_top,
                            a->pad_left,
                            a->pad_bottom,
                            a->pad_right,
                            a->bias,
                            a->matrix,
                            a->activation.kind,
                            a->weights,
                            a->parameters,
                            a->batch_norm_statistics,
                            a->multiply_adds};
    const int64_t of_b[] = {b->kind,
                            b->role,
                            b->block,
                            b->input,
                            b->gate,
                            b->residual,
                            b->input_height,
                            b->input_width,
                            b->input_channels,
                            b->output_height,
                            b->output_width,
                            b->output_channels,
                            b->kernel_height,
                            b->kernel_width,
                            b->stride_vertical,
                            b->stride_horizontal,
                            b->pad_top,
                            b->pad_left,
                            b->pad_bottom,
                            b->pad_right,
                            b->bias,
                            b->matrix,
                            b->activation.kind,
                            b->weights,
                            b->parameters,
                            b->batch_norm_statistics,
                            b->multiply_adds};
    for (size_t i = 0; i < sizeof of_a / sizeof of_a[0]; i++)
        cr_expect_eq(of_a[i], of_b[i], "%s: number %zu differs", a->name, i);
    cr_expect_eq(a->activation.slope, b->activation.slope, "%s", a->name);
    cr_expect_eq(a->activation.offset, b->activation.offset, "%s", a->name);
}

Test(architecture_json, a_table_in_numbers_is_the_network_of_that_name) {
    const mbn_network_options options = {.network = "mobilenet_v3_small",
                                         .source = MBN_SOURCE_TORCHVISION,
                                         .input_height = 160,
                                         .input_width = 97,
                                         .classes = 7};
    mbn_network *named = make_network(&options);
    mbn_network *table = lay_out(v3_small, options);
    cr_assert_eq(table->layer_count, named->layer_count);
    for (int32_t i = 0; i < named->layer_count; i++)
        expect_same_layer(&table->layers[i], &named->layers[i]);
    cr_expect_eq(table->parameters, named->parameters);
    cr_expect_eq(table->multiply_adds, named->multiply_adds);
    cr_expect_str_eq(table->name, "table");
    mbn_network_free(table);
    mbn_network_free(named);
}

Test(architecture_json, resizing_is_laying_out_at_that_size) {
    mbn_network_options options = {.network = "mobilenet_v3_large", .padding = MBN_PADDING_SAME};
    mbn_network *small = make_network(&options), *resized = NULL;
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_network_resize(small, 97, 129, &resized, &error), MBN_OK, "%s", error.message);
    options.input_height = 97;
    options.input_width = 129;
    mbn_network *made = make_network(&options);
    for (int32_t i = 0; i < made->layer_count; i++)
        expect_same_layer(&resized->layers[i], &made->layers[i]);
    cr_expect_eq(resized->multiply_adds, made->multiply_adds);
    cr_expect_eq(resized->input_height, 97);
    cr_expect_eq(resized->input_width, 129);
    mbn_network_free(made);
    mbn_network_free(resized);
    cr_expect_eq(mbn_network_resize(small, 31, 0, &resized, &error), MBN_INVALID_ARGUMENT);
    cr_expect_null(resized);
    mbn_network_free(small);
}

Test(architecture_json, variants_are_data) {
    mbn_network *n = lay_out(
        "{\"stem\":{\"channels\":8,\"strides\":[2,1],\"activation\":\"relu6\"},\"rows\":["
        "{\"kernel\":3,\"expand\":8,\"channels\":8,\"squeeze\":22,\"activation\":\"relu\","
        "\"strides\":[2,1]},"
        "{\"kind\":\"separable\",\"kernel\":5,\"channels\":8,\"activation\":\"relu6\"},"
        "{\"kind\":\"inverted_residual\",\"kernel\":5,\"channels\":8,\"activation\":\"none\"},"
        "{\"kernel\":3,\"channels\":8,\"activation\":\"relu\",\"residual\":false}],"
        "\"squeeze_activation\":\"relu6\","
        "\"gate\":{\"activation\":\"hard_sigmoid\",\"slope\":0.2,\"offset\":0.25},"
        "\"max_pool\":{\"window\":2,\"stride\":2},"
        "\"hidden\":[{\"channels\":5,\"activation\":\"relu\"},{\"channels\":6,\"activation\":"
        "\"none\"}],\"batch_norm\":false}",
        (mbn_network_options){.input_height = 48, .input_width = 192, .classes = 2});
    static const struct {
        const char *name;
        mbn_layer_role role;
        int32_t height, width, channels;
        int32_t residual;
        mbn_activation_kind activation;
    } expected[] = {
        {"features.0.0", MBN_ROLE_STEM, 24, 192, 8, -1, MBN_ACTIVATION_RELU6},
        {"features.1.block.0.0", MBN_ROLE_EXPAND, 24, 192, 8, -1, MBN_ACTIVATION_RELU},
        {"features.1.block.1.0", MBN_ROLE_DEPTHWISE, 12, 192, 8, -1, MBN_ACTIVATION_RELU},
        {"features.1.block.2.avgpool", MBN_ROLE_SQUEEZE_POOL, 1, 1, 8, -1, MBN_ACTIVATION_NONE},
        {"features.1.block.2.fc1", MBN_ROLE_SQUEEZE, 1, 1, 22, -1, MBN_ACTIVATION_RELU6},
        {"features.1.block.2.fc2", MBN_ROLE_EXCITE, 1, 1, 8, -1, MBN_ACTIVATION_HARD_SIGMOID},
        {"features.1.block.2.scale", MBN_ROLE_SCALE, 12, 192, 8, -1, MBN_ACTIVATION_NONE},
        {"features.1.block.3.0", MBN_ROLE_PROJECT, 12, 192, 8, -1, MBN_ACTIVATION_NONE},
        {"features.2.block.0.0", MBN_ROLE_DEPTHWISE, 12, 192, 8, -1, MBN_ACTIVATION_RELU6},
        {"features.2.block.1.0", MBN_ROLE_PROJECT, 12, 192, 8, -1, MBN_ACTIVATION_RELU6},
        {"features.3.block.0.0", MBN_ROLE_DEPTHWISE, 12, 192, 8, -1, MBN_ACTIVATION_NONE},
        {"features.3.block.1.0", MBN_ROLE_PROJECT, 12, 192, 8, 9, MBN_ACTIVATION_NONE},
        {"features.4.block.0.0", MBN_ROLE_DEPTHWISE, 12, 192, 8, -1, MBN_ACTIVATION_RELU},
        {"features.4.block.1.0", MBN_ROLE_PROJECT, 12, 192, 8, -1, MBN_ACTIVATION_NONE},
        {"maxpool", MBN_ROLE_HEAD_MAX_POOL, 6, 96, 8, -1, MBN_ACTIVATION_NONE},
        {"avgpool", MBN_ROLE_HEAD_POOL, 1, 1, 8, -1, MBN_ACTIVATION_NONE},
        {"classifier.0", MBN_ROLE_HIDDEN, 1, 1, 5, -1, MBN_ACTIVATION_RELU},
        {"classifier.3", MBN_ROLE_HIDDEN, 1, 1, 6, -1, MBN_ACTIVATION_NONE},
        {"classifier.6", MBN_ROLE_LOGITS, 1, 1, 2, -1, MBN_ACTIVATION_NONE},
    };
    cr_assert_eq((size_t)n->layer_count, sizeof expected / sizeof expected[0]);
    for (int32_t i = 0; i < n->layer_count; i++) {
        const mbn_layer *layer = &n->layers[i];
        cr_expect_str_eq(layer->name, expected[i].name);
        cr_expect_eq(layer->role, expected[i].role, "%s", layer->name);
        cr_expect_eq(layer->output_height, expected[i].height, "%s", layer->name);
        cr_expect_eq(layer->output_width, expected[i].width, "%s", layer->name);
        cr_expect_eq(layer->output_channels, expected[i].channels, "%s", layer->name);
        cr_expect_eq(layer->residual, expected[i].residual, "%s", layer->name);
        cr_expect_eq(layer->activation.kind, expected[i].activation, "%s", layer->name);
        cr_expect_str_eq(layer->batch_norm_name, "");
        cr_expect_eq(layer->batch_norm_statistics, 0);
        cr_expect_eq(layer->bias, layer->weights > 0, "%s", layer->name);
    }
    cr_expect_eq(n->layers[5].activation.slope, 0.2F);
    cr_expect_eq(n->layers[5].activation.offset, 0.25F);
    mbn_network_free(n);
}

Test(architecture_json, a_network_may_end_before_the_logits) {
    const mbn_network_options options = {.classes = 7};
    static const char *const hidden[] = {"",
                                         ",\"hidden\":[{\"channels\":5,\"activation\":\"relu\"}]"};
    static const char *const last[] = {"avgpool", "classifier.0"};
    for (size_t i = 0; i < 2; i++) {
        char json[512];
        snprintf(json, sizeof json, "{" STEM ",\"rows\":[" ROW "]%s,\"logits\":false}", hidden[i]);
        mbn_network *n = lay_out(json, options);
        cr_expect_str_eq(n->layers[n->layer_count - 1].name, last[i]);
        cr_expect_eq(n->classes, 0);
        mbn_network_free(n);
    }
    mbn_network *whole = lay_out("{" STEM ",\"rows\":[" ROW "],\"logits\":true}", options);
    cr_expect_eq(whole->layers[whole->layer_count - 1].role, MBN_ROLE_LOGITS);
    cr_expect_eq(whole->classes, 7);
    mbn_network_free(whole);
}

Test(architecture_json, rows_may_have_their_own_squeeze_activation) {
    mbn_network *n = lay_out("{" STEM ",\"rows\":["
                             "{\"kernel\":3,\"channels\":16,\"squeeze\":4,\"activation\":\"relu\"},"
                             "{\"kernel\":3,\"channels\":16,\"squeeze\":4,\"activation\":\"relu\","
                             "\"squeeze_activation\":\"hard_swish\"},"
                             "{\"kernel\":3,\"channels\":16,\"squeeze\":4,\"activation\":\"relu\","
                             "\"squeeze_activation\":\"none\"}],\"squeeze_activation\":\"relu6\"}",
                             (mbn_network_options){.classes = 7});
    static const mbn_activation_kind expected[] = {MBN_ACTIVATION_RELU6, MBN_ACTIVATION_HARD_SWISH,
                                                   MBN_ACTIVATION_NONE};
    for (int32_t block = 0; block < 3; block++) {
        cr_expect_eq(find_layer(n, block, MBN_ROLE_SQUEEZE)->activation.kind, expected[block]);
        cr_expect_eq(find_layer(n, block, MBN_ROLE_EXCITE)->activation.kind,
                     MBN_ACTIVATION_HARD_SIGMOID);
    }
    mbn_network_free(n);
}

Test(architecture_json, hostile_values_are_named) {
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"", "not JSON"},
        {"{", "not JSON: {"},
        {"[]", "it is not an object"},
        {"{\"stem\":1,\"stem\":2}", "not JSON"},
        {"{}", "rows: not a list of 1 to 256 objects"},
        {"{\"rows\":[]}", "rows: not a list"},
        {"{\"rows\":[1]," STEM "}", "rows[0] is not an object"},
        {"{\"rows\":[" ROW "]}", "stem: missing"},
        {"{\"rows\":[" ROW "],\"stem\":[]}", "stem is not an object"},
        {"{\"rows\":[" ROW "],\"stem\":{}}", "stem.channels: missing"},
        {"{\"rows\":[" ROW "],\"stem\":{\"channels\":0}}", "stem.channels: not a whole number"},
        {"{\"rows\":[" ROW "],\"stem\":{\"channels\":1e3}}", "stem.channels: not a whole number"},
        {"{\"rows\":[" ROW "],\"stem\":{\"channels\":4294967297}}", "stem.channels: not a whole"},
        {"{\"rows\":[" ROW "],\"stem\":{\"channels\":16}}", "stem.activation: missing"},
        {"{\"rows\":[" ROW "],\"stem\":{\"channels\":16,\"activation\":\"swish\"}}",
         "stem.activation: swish is not none, relu"},
        {"{\"rows\":[" ROW "],\"stem\":{\"channels\":16,\"activation\":7}}", "stem.activation: it"},
        {"{\"rows\":[" ROW "],\"stem\":{\"channels\":1,\"activation\":\"relu\",\"strides\":[2]}}",
         "stem.strides: not two numbers"},
        {"{\"rows\":[" ROW "],\"colour\":1," STEM "}", "colour: no such field"},
        {"{\"rows\":[{\"kernel\":4,\"channels\":8,\"activation\":\"relu\"}]," STEM "}",
         "rows[0].kernel: neither 3 nor 5"},
        {"{\"rows\":[" ROW ",{\"kernel\":7}]," STEM "}", "rows[1].kernel: not a whole number"},
        {"{\"rows\":[{\"kernel\":3,\"channels\":-8,\"activation\":\"relu\"}]," STEM "}",
         "rows[0].channels"},
        {"{\"rows\":[{\"kernel\":3,\"channels\":16385,\"activation\":\"relu\"}]," STEM "}",
         "rows[0].channels: not a whole number from 1 to 16384"},
        {"{\"rows\":[{\"kernel\":3,\"channels\":8,\"squeeze\":-1,\"activation\":\"relu\"}]," STEM
         "}",
         "rows[0].squeeze"},
        {"{\"rows\":[{\"kernel\":3,\"channels\":8,\"expand\":0,\"activation\":\"relu\"}]," STEM "}",
         "rows[0].expand"},
        {"{\"rows\":[{\"kernel\":3,\"channels\":8,\"activation\":\"relu\",\"strides\":[3,1]}]," STEM
         "}",
         "rows[0].strides"},
        {"{\"rows\":[{\"kernel\":3,\"channels\":8,\"activation\":\"relu\",\"residual\":0}]," STEM
         "}",
         "rows[0].residual: neither true nor false"},
        {"{\"rows\":[{\"kernel\":3,\"channels\":8,\"activation\":\"relu\","
         "\"squeeze_activation\":\"relu\"}]," STEM "}",
         "rows[0].squeeze_activation: there is no squeeze"},
        {"{\"rows\":[" ROW "],\"logits\":0," STEM "}", "logits: neither true nor false"},
        {"{\"rows\":[{\"kind\":\"fused\",\"kernel\":3}]," STEM "}", "rows[0].kind: fused"},
        {"{\"rows\":[{\"kind\":[],\"kernel\":3}]," STEM "}", "rows[0].kind: it"},
        {"{\"rows\":[{\"kind\":\"separable\",\"kernel\":3,\"expand\":8,\"channels\":8,"
         "\"activation\":\"relu\"}]," STEM "}",
         "rows[0].expand: a separable row"},
        {"{\"rows\":[" ROW "],\"gate\":{\"slope\":1}," STEM "}", "gate.activation: missing"},
        {"{\"rows\":[" ROW "],\"gate\":{\"activation\":\"hard_sigmoid\",\"slope\":0}," STEM "}",
         "gate.slope: not a number"},
        {"{\"rows\":[" ROW "],\"gate\":{\"activation\":\"hard_sigmoid\",\"offset\":1e9}," STEM "}",
         "gate.offset"},
        {"{\"rows\":[" ROW "],\"gate\":{\"activation\":\"hard_swish\",\"slope\":1}," STEM "}",
         "gate.activation: slope and offset"},
        {"{\"rows\":[" ROW "],\"head\":{\"channels\":8}," STEM "}", "head.activation: missing"},
        {"{\"rows\":[" ROW "],\"max_pool\":{\"window\":2}," STEM "}", "max_pool.stride: missing"},
        {"{\"rows\":[" ROW "],\"max_pool\":{\"window\":0,\"stride\":1}," STEM "}",
         "max_pool.window"},
        {"{\"rows\":[" ROW "],\"pool\":\"min\"," STEM "}", "pool: min is neither average nor max"},
        {"{\"rows\":[" ROW "],\"pool\":1," STEM "}", "pool: it is neither average nor max"},
        {"{\"rows\":[" ROW "],\"hidden\":{}," STEM "}", "hidden: not a list"},
        {"{\"rows\":[" ROW "],\"hidden\":[{\"channels\":8}]," STEM "}",
         "hidden[0].activation: missing"},
        {"{\"rows\":[" ROW "],\"batch_norm\":1," STEM "}", "batch_norm: neither true nor false"},
        {"{\"rows\":[" ROW "],\"convolution_bias\":null," STEM "}", "convolution_bias: neither"},
        {"{\"rows\":[" ROW "],\"squeeze_activation\":\"\"," STEM "}", "squeeze_activation:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mbn_architecture *architecture = NULL;
        mbn_error error = {MBN_OK, ""};
        cr_expect_eq(mbn_architecture_parse(cases[i].json, "table", &architecture, &error),
                     MBN_MALFORMED, "%s", cases[i].json);
        cr_expect_null(architecture);
        cr_expect_not_null(strstr(error.message, cases[i].message), "%s: %s", cases[i].json,
                           error.message);
    }
}

Test(architecture_json, too_many_rows_are_refused) {
    enum { ROWS = 257 };
    char *json = malloc(64 + ROWS * sizeof ROW);
    cr_assert_not_null(json);
    size_t length = (size_t)sprintf(json, "{" STEM ",\"rows\":[" ROW);
    for (int i = 1; i < ROWS; i++) length += (size_t)sprintf(json + length, "," ROW);
    strcpy(json + length, "]}");
    mbn_architecture *architecture;
    mbn_error error = {MBN_OK, ""};
    cr_expect_eq(mbn_architecture_parse(json, "table", &architecture, &error), MBN_MALFORMED);
    cr_expect_null(architecture);
    free(json);
}

/* ---- Model files ----------------------------------------------------------------------------- */

static uint8_t *make_file(int32_t channels, size_t *size) {
    const mbn_network_options options = {.network = "mobilenet_v3_small",
                                         .input_height = 64,
                                         .input_width = 64,
                                         .classes = 5,
                                         .input_channels = channels};
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_network_init(&options, 3, NULL, size, &error), MBN_OK, "%s", error.message);
    uint8_t *bytes = malloc(*size);
    cr_assert_not_null(bytes);
    cr_assert_eq(mbn_network_init(&options, 3, bytes, size, &error), MBN_OK, "%s", error.message);
    return bytes;
}

/* The file with more metadata: `field` goes in front of what is there. */
static uint8_t *with_metadata(const uint8_t *file, size_t *size, const char *key,
                              const char *value) {
    static const char opening[] = "{\"__metadata__\":{";
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | file[i];
    cr_assert_eq(memcmp(file + 8, opening, sizeof opening - 1), 0);
    char *field = malloc(2 * strlen(value) + strlen(key) + 16);
    cr_assert_not_null(field);
    char *out = field + sprintf(field, "\"%s\":\"", key);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '"') *out++ = '\\';
        *out++ = *c;
    }
    strcpy(out, "\",");
    const size_t more = (strlen(field) + 7) / 8 * 8, start = 8 + sizeof opening - 1;
    uint8_t *result = malloc(*size + more);
    cr_assert_not_null(result);
    memcpy(result, file, start);
    memset(result + start, ' ', more);
    memcpy(result + start, field, strlen(field));
    memcpy(result + start + more, file + start, *size - start);
    for (int i = 0; i < 8; i++) result[i] = (uint8_t)((length + more) >> 8 * i);
    *size += more;
    free(field);
    return result;
}

static void run(const mbn_model *model, int32_t height, int32_t width, float logits[5]) {
    const mbn_context_options options = {.input_height = height, .input_width = width};
    mbn_context *context;
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_context_create(model, &options, &context, &error), MBN_OK, "%s",
                 error.message);
    const size_t count = (size_t)(height * width * mbn_model_network(model)->input_channels);
    float *input = malloc(count * sizeof *input);
    cr_assert_not_null(input);
    for (size_t i = 0; i < count; i++) input[i] = (float)(i * 2654435761U % 1000) / 500.0F - 1.0F;
    cr_assert_eq(mbn_run(context, input, MBN_NHWC, 1, MBN_LOGITS, logits, &error), MBN_OK, "%s",
                 error.message);
    free(input);
    mbn_context_free(context);
}

/* For images of so many channels. */
static void compare_table_with_name(int32_t channels) {
    size_t named_size, size;
    uint8_t *named_file = make_file(channels, &named_size);
    size = named_size;
    uint8_t *table_file = with_metadata(named_file, &size, "architecture", v3_small);
    mbn_model *named, *table;
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_model_load_memory(named_file, named_size, NULL, &named, &error), MBN_OK, "%s",
                 error.message);
    cr_assert_eq(mbn_model_load_memory(table_file, size, NULL, &table, &error), MBN_OK, "%s",
                 error.message);
    static const int32_t sizes[][2] = {{64, 64}, {97, 33}, {128, 160}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        float expected[5], got[5];
        run(named, sizes[i][0], sizes[i][1], expected);
        run(table, sizes[i][0], sizes[i][1], got);
        cr_expect_arr_eq(got, expected, sizeof got);
        cr_expect_neq(expected[0], expected[1]);
    }
    mbn_model_free(table);
    mbn_model_free(named);
    free(table_file);
    free(named_file);
}

Test(architecture_json, a_model_with_its_own_table_runs_at_every_size) {
    compare_table_with_name(3);
}

Test(architecture_json, a_table_may_read_grey) {
    compare_table_with_name(1);
}

Test(architecture_json, model_files_with_a_bad_table_are_refused) {
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"{" STEM ",\"rows\":[{}]}", "metadata architecture: rows[0].kernel: missing"},
        {"{" STEM ",\"rows\":[" ROW "]}", "features.1.block.0.0.weight: expected [72,16,1,1]"},
        /* Terabytes, were they allocated before the tensors are looked at. */
        {"{" STEM ",\"rows\":[{\"kernel\":5,\"channels\":16384,\"activation\":\"relu\"},"
         "{\"kernel\":5,\"expand\":16384,\"channels\":16384,\"activation\":\"relu\"}]}",
         "features.1.block.0.0.weight: expected [16,1,5,5]"},
    };
    size_t original;
    uint8_t *file = make_file(3, &original);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = original;
        uint8_t *bad = with_metadata(file, &size, "architecture", cases[i].json);
        mbn_model *model;
        mbn_error error = {MBN_OK, ""};
        cr_expect_eq(mbn_model_load_memory(bad, size, NULL, &model, &error), MBN_MALFORMED);
        cr_expect_null(model);
        cr_expect_not_null(strstr(error.message, cases[i].message), "%s", error.message);
        free(bad);
    }
    free(file);
}
