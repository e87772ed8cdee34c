#include "file_kind.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define IMPORT ": `tools/mobilenet-import FILE OUT.safetensors' makes a model file of it"
#define SAVED_MODEL                                                                                \
    "a TensorFlow graph (saved_model.pb or a frozen graph): convert it to TensorFlow Lite, and "   \
    "import that (tools/mobilenet-import)"
#define UNPACK ": unpack it first"

#define BYTES(text) sizeof(text) - 1, text

static const struct beginning {
    size_t offset, length;
    const char *bytes;
    const char *kind;
} beginnings[] = {
    {0, BYTES("\x89HDF\r\n\x1a\n"), "an HDF5 file, as Keras writes" IMPORT},
    {4, BYTES("TFL3"), "a TensorFlow Lite file" IMPORT},
    {0, BYTES("version https://git-lfs.github.com/spec/"),
     "a Git-LFS pointer, not the file that it stands for: run `git lfs pull' in its repository, or "
     "download the file itself"},
    {0, BYTES("\x93NUMPY"), "a numpy array (.npy), no model: arrays are inputs of `mobilenet run'"},
    {0, BYTES("\x1f\x8b"), "compressed by gzip" UNPACK},
    {0, BYTES("BZh"), "compressed by bzip2" UNPACK},
    {0, BYTES("\xfd\x37zXZ"), "compressed by xz" UNPACK},
    {0, BYTES("\x28\xb5\x2f\xfd"), "compressed by zstd" UNPACK},
    {0, BYTES("7z\xbc\xaf\x27\x1c"), "a 7-Zip archive" UNPACK},
    {257, BYTES("ustar"), "a tar archive" UNPACK},
    {0, BYTES("\xff\xd8\xff"), "a JPEG image, no model"},
    {0, BYTES("\x89PNG"), "a PNG image, no model"},
    {0,
     BYTES("\x7f"
           "ELF"),
     "a program, no model"},
    {0, BYTES("GGUF"), "a GGUF file, which holds no MobileNet"},
    {4, BYTES("ORTM"), "an ONNX Runtime file (.ort): import the ONNX file that it was made from"},
    {0, BYTES("GIF8"), "a GIF image, no model"},
    {0, BYTES("%PDF"), "a PDF document, no model"},
    {0, BYTES("<?xml"),
     "XML, as OpenVINO writes networks: import the network that it was made from"},
};

/* Parts of the names of an archive's files. */
static const struct member {
    size_t length;
    const char *bytes;
    const char *kind;
} members[] = {
    {BYTES("data.pkl"), "a PyTorch checkpoint (zip)" IMPORT},
    {BYTES("constants.pkl"), "a TorchScript archive" IMPORT},
    {BYTES("model.weights.h5"), "a Keras file (.keras)" IMPORT},
    {BYTES("saved_model.pb"), SAVED_MODEL},
    {BYTES(".npy"), "numpy arrays (.npz), no model: import the checkpoint that they are from"},
};

static bool begins(const uint8_t *data, size_t size, size_t offset, size_t length,
                   const char *bytes) {
    return size >= offset + length && memcmp(data + offset, bytes, length) == 0;
}

static bool contains(const uint8_t *data, size_t size, size_t length, const char *bytes) {
    for (size_t i = 0; i + length <= size; i++) {
        if (data[i] == (uint8_t)bytes[0] && memcmp(data + i, bytes, length) == 0) return true;
    }
    return false;
}

/* The names stand in the directory at the end, the first one also at the beginning. */
static const char *kind_of_zip(const uint8_t *data, size_t size) {
    enum { HEAD = 4096, TAIL = 1 << 16 };
    const size_t head = size < HEAD ? size : HEAD, tail = size < TAIL ? size : TAIL;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const struct member *m = &members[i];
        if (contains(data, head, m->length, m->bytes) ||
            contains(data + size - tail, tail, m->length, m->bytes)) {
            return m->kind;
        }
    }
    return "a zip archive" UNPACK;
}

static bool is_page(const uint8_t *data, size_t size) {
    static const char *const tags[] = {"<!doctype html", "<html", "<head"};
    while (size > 0 && strchr("\xef\xbb\xbf \t\r\n", *data) != NULL && *data != '\0') {
        data++;
        size--;
    }
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        const size_t length = strlen(tags[i]);
        if (size >= length && strncasecmp((const char *)data, tags[i], length) == 0) return true;
    }
    return false;
}

static bool is_text(const uint8_t *data, size_t size) {
    const size_t head = size < 512 ? size : 512;
    for (size_t i = 0; i < head; i++) {
        const bool blank = data[i] == '\t' || data[i] == '\n' || data[i] == '\r';
        if (!blank && (data[i] < ' ' || data[i] > '~')) return false;
    }
    return head > 0;
}

/* Protocol buffers have no signature.  An ONNX model begins with its version, field 1, of 3 or
 * more, and another field of a model; a SavedModel with version 1 and a graph; a graph with a
 * node. */
static const char *kind_of_protobuf(const uint8_t *data, size_t size) {
    if (size < 16) return NULL;
    if (data[0] == 0x08 && data[1] == 1 && data[2] == 0x12) return SAVED_MODEL;
    static const uint8_t fields[] = {0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42};
    if (data[0] == 0x08 && data[1] >= 3 && data[1] < 64 &&
        memchr(fields, data[2], sizeof fields) != NULL) {
        return "an ONNX file" IMPORT;
    }
    const size_t head = size < 4096 ? size : 4096;
    if (data[0] == 0x0a && contains(data, head, BYTES("Placeholder"))) return SAVED_MODEL;
    return NULL;
}

const char *mbn_file_kind(const void *data, size_t size) {
    const uint8_t *bytes = data;
    /* A header of less than 4 GB, in JSON. */
    if (begins(bytes, size, 4, BYTES("\0\0\0\0{"))) return NULL;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        const struct beginning *b = &beginnings[i];
        if (begins(bytes, size, b->offset, b->length, b->bytes)) return b->kind;
    }
    if (begins(bytes, size, 0, BYTES("PK\3\4"))) return kind_of_zip(bytes, size);
    if (size >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5) {
        return "a pickle, as PyTorch writes" IMPORT;
    }
    if (is_page(bytes, size)) {
        return "an HTML page, not the file that was to be downloaded: download the file itself (a "
               "hub's page has /resolve/ or /raw/ where /blob/ is)";
    }
    if (size > 0 && bytes[0] == '{') return "JSON: give the file of the weights that is beside it";
    if (is_text(bytes, size)) return "text, no model: give the file that holds the weights";
    return kind_of_protobuf(bytes, size);
}
