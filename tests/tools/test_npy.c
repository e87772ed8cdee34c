#include <npy.h>

#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Files in memory ------------------------------------------------------------------------- */

/* Magic, version and header length, then the header, then `bytes` bytes of data; sized exactly, so
 * that the sanitizer sees an over-read. */
static uint8_t *file_of(int version, const char *header, const void *data, size_t bytes,
                        size_t *size) {
    size_t length = strlen(header);
    size_t before = version == 1 ? 10 : 12;
    *size = before + length + bytes;
    uint8_t *file = malloc(*size);
    cr_assert_not_null(file);
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (uint8_t)version;
    file[7] = 0;
    for (size_t i = 8; i < before; i++) file[i] = (uint8_t)(length >> 8 * (i - 8));
    memcpy(file + before, header, length);
    if (bytes > 0) memcpy(file + before + length, data, bytes);
    return file;
}

static void expect_error(uint8_t *file, size_t size, mbn_status status, const char *message) {
    mbn_npy array;
    mbn_error error = {MBN_OK, ""};
    cr_expect_eq(mbn_npy_parse(file, size, &array, &error), status, "%s: status %d", error.message,
                 (int)error.status);
    cr_expect_not_null(strstr(error.message, message), "expected '%s' in '%s'", message,
                       error.message);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static const float six[6] = {0, 1, 2, 3, 4, 5};

/* The headers are NumPy 1.24's, from numpy.lib.format.write_array, padded to 128 bytes in all. */
Test(npy, reads_what_numpy_writes) {
    for (int version = 1; version <= 3; version++) {
        char header[128];
        int width = version == 1 ? 117 : 115;
        snprintf(header, sizeof header, "%-*s\n", width,
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
        size_t size;
        uint8_t *file = file_of(version, header, six, sizeof six, &size);
        cr_assert_eq(size, 152);
        mbn_npy array;
        mbn_error error = {MBN_OK, ""};
        cr_assert_eq(mbn_npy_parse(file, size, &array, &error), MBN_OK, "%s", error.message);
        cr_expect_eq(array.rank, 2);
        cr_expect(array.shape[0] == 2 && array.shape[1] == 3);
        cr_expect_eq(array.count, 6);
        cr_expect_eq(memcmp(array.values, six, sizeof six), 0);
        free(array.values);
    }
}

/* Other order, other quotes, no blanks, Python 2's long integers, data at an odd offset. */
Test(npy, reads_other_spellings) {
    static const char *const headers[] = {
        "{\"shape\":(6L,),\"descr\":\"<f4\",\"fortran_order\":False}",
        "{ 'fortran_order' : False , 'shape' : ( 1 , 6 ) , 'descr' : '<f4' , } \n",
        "{'descr':'<f4','shape':(3,1,2,),'fortran_order':False,}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        size_t size;
        uint8_t *file = file_of(1, headers[i], six, sizeof six, &size);
        mbn_npy array;
        mbn_error error = {MBN_OK, ""};
        cr_assert_eq(mbn_npy_parse(file, size, &array, &error), MBN_OK, "%s", error.message);
        cr_expect_eq(array.count, 6);
        cr_expect_eq(memcmp(array.values, six, sizeof six), 0);
        free(array.values);
    }
}

Test(npy, reads_a_number_and_an_empty_array) {
    size_t size;
    mbn_npy array;
    mbn_error error;
    uint8_t *file =
        file_of(1, "{'descr':'<f4','fortran_order':False,'shape':()}", six + 3, 4, &size);
    cr_assert_eq(mbn_npy_parse(file, size, &array, &error), MBN_OK);
    cr_expect(array.rank == 0 && array.count == 1 && array.values[0] == 3.0f);
    cr_expect_str_eq(mbn_npy_shape_text(&array).text, "()");
    free(array.values);

    file = file_of(1, "{'descr':'<f4','fortran_order':False,'shape':(5,0)}", NULL, 0, &size);
    cr_assert_eq(mbn_npy_parse(file, size, &array, &error), MBN_OK);
    cr_expect(array.rank == 2 && array.count == 0);
    cr_expect_str_eq(mbn_npy_shape_text(&array).text, "(5, 0)");
    free(array.values);
}

/* ---- Malformed files ------------------------------------------------------------------------- */

#define F4 "'descr':'<f4'"
#define C_ORDER "'fortran_order':False"
#define SIX "'shape':(2,3)"

Test(npy, says_what_is_wrong_with_a_header) {
    static const struct {
        const char *header;
        mbn_status status;
        const char *message;
    } cases[] = {
        {"", MBN_MALFORMED, "expected {"},
        {"[" F4 "]", MBN_MALFORMED, "expected {"},
        {"{}", MBN_MALFORMED, "no key 'descr'"},
        {"{" F4 "," C_ORDER "}", MBN_MALFORMED, "no key 'shape'"},
        {"{" F4 "," SIX "}", MBN_MALFORMED, "no key 'fortran_order'"},
        {"{" F4 "," C_ORDER "," SIX, MBN_MALFORMED, "a comma or }"},
        {"{" F4 " " C_ORDER "," SIX "}", MBN_MALFORMED, "a comma or }"},
        {"{" F4 "," C_ORDER "," SIX "}x", MBN_MALFORMED, "nothing after }"},
        {"{" F4 "," F4 "," C_ORDER "," SIX "}", MBN_MALFORMED, "repeated key 'descr'"},
        {"{" F4 "," C_ORDER "," SIX ",'k':1}", MBN_MALFORMED, "unknown key 'k'"},
        {"{descr:'<f4'}", MBN_MALFORMED, "a key"},
        {"{'descr", MBN_MALFORMED, "a key"},
        {"{'descr''<f4'}", MBN_MALFORMED, "a colon"},
        {"{'descr':<f4}", MBN_MALFORMED, "a type"},
        {"{'descr':'0123456789012345678901234567890123456789'}", MBN_MALFORMED, "a type"},
        {"{'descr':'>f4'," C_ORDER "," SIX "}", MBN_UNSUPPORTED, "big-endian"},
        {"{'descr':'<f8'," C_ORDER "," SIX "}", MBN_UNSUPPORTED, "type '<f8', expected float32"},
        {"{'descr':'|u1'," C_ORDER "," SIX "}", MBN_UNSUPPORTED, "type '|u1'"},
        {"{'descr':[('x','<f4')]," C_ORDER "," SIX "}", MBN_UNSUPPORTED, "structured"},
        {"{" F4 ",'fortran_order':True," SIX "}", MBN_UNSUPPORTED, "Fortran order"},
        {"{" F4 ",'fortran_order':0," SIX "}", MBN_MALFORMED, "True or False"},
        {"{" F4 "," C_ORDER ",'shape':6}", MBN_MALFORMED, "tuple"},
        {"{" F4 "," C_ORDER ",'shape':(6)}", MBN_MALFORMED, "a comma after the only dimension"},
        {"{" F4 "," C_ORDER ",'shape':(2 3)}", MBN_MALFORMED, "a comma after the only"},
        {"{" F4 "," C_ORDER ",'shape':(1,2 3)}", MBN_MALFORMED, "the end of shape"},
        {"{" F4 "," C_ORDER ",'shape':(-6,)}", MBN_MALFORMED, "a dimension"},
        {"{" F4 "," C_ORDER ",'shape':(,)}", MBN_MALFORMED, "a dimension"},
        {"{" F4 "," C_ORDER ",'shape':(9223372036854775808,)}", MBN_MALFORMED, "a dimension"},
        {"{" F4 "," C_ORDER ",'shape':(99999999999999999999999,)}", MBN_MALFORMED, "a dimension"},
        {"{" F4 "," C_ORDER ",'shape':(4294967296,4294967296)}", MBN_MALFORMED, "overflows"},
        {"{" F4 "," C_ORDER ",'shape':(4611686018427387904,2)}", MBN_MALFORMED, "overflows"},
        {"{" F4 "," C_ORDER ",'shape':(0,4294967296,4294967296)}", MBN_MALFORMED, "overflows"},
        {"{" F4 "," C_ORDER ",'shape':(9223372036854775807,)}", MBN_MALFORMED, "overflows"},
        {"{" F4 "," C_ORDER ",'shape':(7,)}", MBN_MALFORMED, "needs 28: truncated"},
        {"{" F4 "," C_ORDER ",'shape':(5,)}", MBN_MALFORMED,
         "24 bytes of data where the shape needs 20"},
        {"{" F4 "," C_ORDER ",'shape':(1,1,1,1,1,1,1,1,6)}", MBN_UNSUPPORTED, "more than 8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size;
        uint8_t *file = file_of(1, cases[i].header, six, sizeof six, &size);
        expect_error(file, size, cases[i].status, cases[i].message);
    }
}

Test(npy, refuses_what_is_not_a_npy_file) {
    size_t size;
    uint8_t *file = file_of(1, "{}", NULL, 0, &size);
    file[1] = 'n';
    expect_error(file, size, MBN_MALFORMED, "not a .npy file");
    for (int version = 0; version <= 4; version += 4) {
        file = file_of(version, "{}", NULL, 0, &size);
        expect_error(file, size, MBN_UNSUPPORTED, "of the .npy format");
    }
    file = file_of(2, "{}", NULL, 0, &size);
    memset(file + 8, 0xff, 4); /* a header of 4 GB */
    expect_error(file, size, MBN_MALFORMED, "truncated in the header");
    expect_error(calloc(1, 1), 0, MBN_MALFORMED, "not a .npy file");
}

Test(npy, refuses_a_file_cut_anywhere) {
    for (int version = 1; version <= 2; version++) {
        size_t whole;
        uint8_t *file = file_of(version, "{" F4 "," C_ORDER "," SIX "}\n", six, sizeof six, &whole);
        for (size_t size = 0; size < whole; size++) {
            uint8_t *cut = malloc(size + (size == 0));
            memcpy(cut, file, size);
            expect_error(cut, size, MBN_MALFORMED, "");
        }
        free(file);
    }
}

/* Whatever a byte of the header becomes: an error, or an array that fits its data. */
Test(npy, survives_any_byte_in_the_header) {
    static const char header[] = "{" F4 "," C_ORDER "," SIX "}\n";
    size_t size;
    uint8_t *file = file_of(1, header, six, sizeof six, &size);
    int accepted = 0;
    for (size_t at = 0; at < size - sizeof six; at++) {
        for (int byte = 0; byte < 256; byte++) {
            uint8_t *changed = malloc(size);
            memcpy(changed, file, size);
            changed[at] = (uint8_t)byte;
            mbn_npy array;
            mbn_error error = {MBN_OK, ""};
            if (mbn_npy_parse(changed, size, &array, &error) != MBN_OK) {
                cr_assert_str_not_empty(error.message);
                continue;
            }
            accepted++;
            int64_t count = 1;
            for (int32_t i = 0; i < array.rank; i++) count *= array.shape[i];
            cr_assert_eq(count, 6);
            free(array.values);
        }
    }
    cr_expect_geq(accepted, (int)(size - sizeof six)); /* each byte's own value, at least */
    free(file);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static char directory[] = "/tmp/mobilenet-test-XXXXXX";

static void make_directory(void) {
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
}

static int count_files(void) {
    DIR *listing = opendir(".");
    cr_assert_not_null(listing);
    int count = 0;
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        if (entry->d_name[0] != '.') count++;
    }
    closedir(listing);
    return count;
}

static void remove_directory(void) {
    DIR *listing = opendir(".");
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            unlink(entry->d_name);
        }
    }
    closedir(listing);
    rmdir(directory);
}

TestSuite(npy_files, .init = make_directory, .fini = remove_directory);

Test(npy_files, reads_back_what_it_writes) {
    float values[24];
    for (int i = 0; i < 24; i++) values[i] = (float)i / 7.0f;
    values[3] = -INFINITY;
    values[4] = NAN;
    static const mbn_npy shapes[] = {
        {.rank = 0, .count = 1},
        {.rank = 1, .shape = {24}, .count = 24},
        {.rank = 2, .shape = {3, 8}, .count = 24},
        {.rank = 3, .shape = {3, 0, 8}, .count = 0},
        {.rank = 8, .shape = {1, 2, 1, 3, 1, 2, 2, 1}, .count = 24},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        mbn_npy written = shapes[i];
        written.values = values;
        mbn_npy read;
        mbn_error error = {MBN_OK, ""};
        cr_assert_eq(mbn_npy_write("a.npy", &written, &error), MBN_OK, "%s", error.message);
        cr_assert_eq(mbn_npy_read("a.npy", &read, &error), MBN_OK, "%s", error.message);
        cr_expect_eq(read.rank, written.rank);
        cr_expect_eq(memcmp(read.shape, written.shape, sizeof read.shape), 0);
        cr_expect_eq(read.count, written.count);
        cr_expect_eq(memcmp(read.values, values, (size_t)read.count * sizeof(float)), 0);
        free(read.values);
    }
    cr_expect_eq(count_files(), 1);
}

Test(npy_files, writes_the_bytes_that_numpy_writes) {
    float value = 1.5f;
    mbn_npy array = {.rank = 1, .shape = {1}, .count = 1, .values = &value};
    mbn_error error;
    cr_assert_eq(mbn_npy_write("a.npy", &array, &error), MBN_OK);
    /* numpy.save("a.npy", numpy.array([1.5], "f4")), NumPy 1.24 */
    char expected[132];
    memcpy(expected, "\x93NUMPY\x01\x00v\x00", 10);
    snprintf(expected + 10, sizeof expected - 10, "%-117s\n",
             "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }");
    memcpy(expected + 128, "\x00\x00\xc0\x3f", 4);
    char bytes[133];
    FILE *file = fopen("a.npy", "rb");
    cr_assert_not_null(file);
    cr_expect_eq(fread(bytes, 1, sizeof bytes, file), sizeof expected);
    fclose(file);
    cr_expect_eq(memcmp(bytes, expected, sizeof expected), 0);
}

Test(npy_files, names_what_cannot_be_opened) {
    mbn_npy array = {.rank = 0, .count = 1, .values = (float[]){1}};
    mbn_error error;
    cr_expect_eq(mbn_npy_read("missing.npy", &array, &error), MBN_IO);
    cr_expect_str_eq(error.message, "No such file or directory");
    cr_expect_eq(mbn_npy_read(".", &array, &error), MBN_IO);
    cr_expect_str_eq(error.message, "Is a directory");
    cr_expect_eq(mbn_npy_write("missing/a.npy", &array, &error), MBN_IO);
    cr_expect_str_eq(error.message, "No such file or directory");
    cr_expect_eq(count_files(), 0);
}

/* A full disk, here a limit on file size, leaves the old file and nothing else. */
Test(npy_files, keeps_the_old_file_when_it_cannot_write) {
    float values[1000] = {1};
    mbn_npy small = {.rank = 1, .shape = {1}, .count = 1, .values = values};
    mbn_npy large = {.rank = 1, .shape = {1000}, .count = 1000, .values = values};
    mbn_error error;
    cr_assert_eq(mbn_npy_write("a.npy", &small, &error), MBN_OK);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000}), 0);
    cr_expect_eq(mbn_npy_write("a.npy", &large, &error), MBN_IO);
    cr_expect_str_eq(error.message, "File too large");
    mbn_npy read;
    cr_assert_eq(mbn_npy_read("a.npy", &read, &error), MBN_OK);
    cr_expect_eq(read.count, 1);
    free(read.values);
    cr_expect_eq(count_files(), 1);
}

Test(npy_files, keeps_modes_and_links) {
    mbn_npy array = {.rank = 0, .count = 1, .values = (float[]){1}};
    mbn_error error;
    struct stat status;
    umask(027);
    cr_assert_eq(mbn_npy_write("a.npy", &array, &error), MBN_OK);
    cr_assert_eq(stat("a.npy", &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0640);

    cr_assert_eq(chmod("a.npy", 0604), 0);
    cr_assert_eq(symlink("a.npy", "link.npy"), 0);
    cr_assert_eq(mbn_npy_write("link.npy", &array, &error), MBN_OK);
    cr_assert_eq(lstat("link.npy", &status), 0);
    cr_expect(S_ISLNK(status.st_mode));
    cr_assert_eq(lstat("a.npy", &status), 0);
    cr_expect(S_ISREG(status.st_mode));
    cr_expect_eq(status.st_mode & 0777, 0604);

    cr_assert_eq(mbn_npy_write("/dev/null", &array, &error), MBN_OK);
    cr_assert_eq(stat("/dev/null", &status), 0);
    cr_expect(S_ISCHR(status.st_mode));
}
