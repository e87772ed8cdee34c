#include <mobilenet/kernels.h>
