# What bench/peak.h declares, for the benchmarks and the command's `profile`: whoever comes first
# builds it.  The probes measure the machine, not the build type.
include_guard(GLOBAL)

add_library(mobilenet-peak STATIC ${CMAKE_CURRENT_LIST_DIR}/peak.c)
mobilenet_compile_options(mobilenet-peak)
target_include_directories(mobilenet-peak PUBLIC ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(mobilenet-peak PUBLIC mobilenet::mobilenet)
foreach(isa IN ITEMS scalar ${MOBILENET_ISAS})
  if(NOT EXISTS "${CMAKE_CURRENT_LIST_DIR}/peak_${isa}.c")
    continue()
  endif()
  target_sources(mobilenet-peak PRIVATE ${CMAKE_CURRENT_LIST_DIR}/peak_${isa}.c)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/peak_${isa}.c PROPERTIES
    COMPILE_OPTIONS "${MOBILENET_ISA_FLAGS_${isa}};-O3")
  string(TOUPPER ${isa} upper)
  target_compile_definitions(mobilenet-peak PRIVATE MBN_HAVE_${upper})
endforeach()
