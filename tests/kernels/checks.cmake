# The checks of kernels, which tests, fuzz targets and `mobilenet selftest` share.
include_guard(GLOBAL)

set(sources ../guarded.c convolution_problem.c element.c families.c harness.c q8_problem.c)
foreach(family convolution depthwise elementwise fully_connected layout pointwise pool q8_convolution
        q8_depthwise q8_elementwise q8_layout q8_pointwise q8_pool softmax)
  list(APPEND sources check_${family}.c)
endforeach()
list(TRANSFORM sources PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
add_library(mobilenet-kernel-checks STATIC ${sources})
mobilenet_compile_options(mobilenet-kernel-checks)
mobilenet_optimise_without_build_type(mobilenet-kernel-checks)
target_link_libraries(mobilenet-kernel-checks PUBLIC mobilenet m)
target_include_directories(mobilenet-kernel-checks PRIVATE ${PROJECT_SOURCE_DIR}
  PUBLIC ${CMAKE_CURRENT_LIST_DIR})
if(CMAKE_CROSSCOMPILING_EMULATOR)
  target_compile_definitions(mobilenet-kernel-checks PRIVATE TESTS_ARE_EMULATED)
endif()
