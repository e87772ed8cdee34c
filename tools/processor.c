#include "processor.h"

#include <cpuinfo.h>

#include <stddef.h>

const char *mbn_processor_name(void) {
    if (!cpuinfo_initialize()) return "unknown, cpuinfo cannot read this machine";
    const struct cpuinfo_package *package =
        cpuinfo_get_packages_count() > 0 ? cpuinfo_get_package(0) : NULL;
    return package != NULL && package->name[0] != '\0' ? package->name : "without a name";
}
