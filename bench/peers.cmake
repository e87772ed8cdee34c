# XNNPACK and oneDNN, from Debian's packages.  oneDNN's CMake package asks for OpenCL's headers, and
# XNNPACK has none.
find_package(OpenMP REQUIRED COMPONENTS C)
foreach(peer IN ITEMS "XNNPACK;xnnpack.h;libxnnpack-dev" "dnnl;oneapi/dnnl/dnnl.h;libdnnl-dev")
  list(POP_FRONT peer library header package)
  find_library(MOBILENET_${library}_LIBRARY ${library})
  find_path(MOBILENET_${library}_INCLUDE_DIR ${header})
  if(NOT MOBILENET_${library}_LIBRARY OR NOT MOBILENET_${library}_INCLUDE_DIR)
    message(FATAL_ERROR "MOBILENET_BENCH_PEERS needs ${package}")
  endif()
  target_include_directories(mobilenet-bench SYSTEM PRIVATE ${MOBILENET_${library}_INCLUDE_DIR})
  target_link_libraries(mobilenet-bench PRIVATE ${MOBILENET_${library}_LIBRARY})
endforeach()

execute_process(COMMAND dpkg-query -W -f \${Version} libxnnpack-dev
  OUTPUT_VARIABLE xnnpack_version ERROR_QUIET)
if(NOT xnnpack_version)
  set(xnnpack_version unknown)
endif()
set_source_files_properties(peer_xnnpack.c PROPERTIES
  COMPILE_DEFINITIONS BENCH_XNNPACK_VERSION="${xnnpack_version}")
target_sources(mobilenet-bench PRIVATE peer_xnnpack.c peer_onednn.c)
target_compile_definitions(mobilenet-bench PRIVATE BENCH_PEERS)
target_link_libraries(mobilenet-bench PRIVATE OpenMP::OpenMP_C)
