# The instruction sets that kernels are built for, beside portable C, and their flags.
#   MOBILENET_ISAS          in the cache: what is asked for; after this file: what is built
#   MOBILENET_ISA_FLAGS_*   Each switches off the next one up, so that code that leaks upwards
#                           fails to compile instead of crashing on an older machine.
#   MOBILENET_ISA_PROBE_*   An expression of intrinsics that the compiler must take with the flags.
include_guard(DIRECTORY)
include(CheckCSourceCompiles)

set(MOBILENET_ISAS all CACHE STRING
  "Instruction sets to build kernels for, separated by commas or semicolons (all: what the compiler has)")

set(MOBILENET_ISA_FLAGS_sse -msse4.1 -mno-avx)
set(MOBILENET_ISA_PROBE_sse "_mm_cvtss_f32(_mm_dp_ps(_mm_set1_ps(x), _mm_set1_ps(x), 0xff))")
set(MOBILENET_ISA_FLAGS_avx2 -mavx2 -mfma -mno-avx512f)
set(MOBILENET_ISA_PROBE_avx2
  "_mm256_cvtss_f32(_mm256_fmadd_ps(_mm256_set1_ps(x), _mm256_set1_ps(x), _mm256_set1_ps(x)))")
set(MOBILENET_ISA_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma)
set(MOBILENET_ISA_PROBE_avx512
  "_mm512_cvtss_f32(_mm512_and_ps(_mm512_set1_ps(x), _mm512_maskz_fmadd_ps((__mmask16)x,
                    _mm512_set1_ps(x), _mm512_set1_ps(x), _mm512_set1_ps(x))))")
set(MOBILENET_ISA_FLAGS_avx512bf16 ${MOBILENET_ISA_FLAGS_avx512} -mavx512bf16)
set(MOBILENET_ISA_PROBE_avx512bf16
  "_mm512_cvtss_f32(_mm512_dpbf16_ps(_mm512_set1_ps(x), (__m512bh)_mm512_set1_ps(x),
                    (__m512bh)_mm512_set1_ps(x)))")
set(MOBILENET_ISA_FLAGS_avxvnni ${MOBILENET_ISA_FLAGS_avx2} -mavxvnni)
set(MOBILENET_ISA_PROBE_avxvnni
  "(float)_mm256_extract_epi32(_mm256_dpbusd_avx_epi32(_mm256_set1_epi32((int)x), _mm256_set1_epi32((int)x),
                                                      _mm256_set1_epi32((int)x)), 0)")
set(MOBILENET_ISA_FLAGS_avx512vnni ${MOBILENET_ISA_FLAGS_avx512} -mavx512vnni)
set(MOBILENET_ISA_PROBE_avx512vnni
  "_mm512_reduce_add_epi32(_mm512_dpbusd_epi32(_mm512_set1_epi32((int)x), _mm512_set1_epi32((int)x),
                                               _mm512_set1_epi32((int)x)))")
set(MOBILENET_ISA_FLAGS_avx512vbmi ${MOBILENET_ISA_FLAGS_avx512vnni} -mavx512vbmi)
set(MOBILENET_ISA_PROBE_avx512vbmi
  "_mm512_reduce_add_epi32(_mm512_permutexvar_epi8(_mm512_set1_epi32((int)x),
                                                   _mm512_set1_epi32((int)x)))")
set(MOBILENET_ISA_FLAGS_neon "")
set(MOBILENET_ISA_PROBE_neon "vgetq_lane_f32(vfmaq_n_f32(vdupq_n_f32(x), vdupq_n_f32(x), x), 0)")
set(MOBILENET_ISA_FLAGS_neonbf16 -march=armv8.2-a+bf16)
set(MOBILENET_ISA_PROBE_neonbf16
  "vgetq_lane_f32(vbfdotq_f32(vdupq_n_f32(x), vcvtq_low_bf16_f32(vdupq_n_f32(x)),
                              vcvtq_low_bf16_f32(vdupq_n_f32(x))), 0)")

set(MOBILENET_ISA_FLAGS_neondot -march=armv8.2-a+dotprod)
set(MOBILENET_ISA_PROBE_neondot
  "vgetq_lane_s32(vdotq_laneq_s32(vdupq_n_s32((int)x), vdupq_n_s8((int)x), vdupq_n_s8((int)x), 0), 0)")

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(known sse avx2 avxvnni avx512 avx512bf16 avx512vnni avx512vbmi)
  set(header immintrin.h)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(known neon neonbf16 neondot)
  set(header arm_neon.h)
else()
  set(known "")
endif()

# Sets `result` to whether the compiler has the instruction set.
function(mobilenet_probe_isa isa result)
  set(CMAKE_REQUIRED_QUIET ON)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY) # nothing is linked, for cross compilers
  list(JOIN MOBILENET_ISA_FLAGS_${isa} " " CMAKE_REQUIRED_FLAGS)
  check_c_source_compiles(
    "#include <${header}>\nfloat probe(float x);\nfloat probe(float x) { return ${MOBILENET_ISA_PROBE_${isa}}; }\n"
    MOBILENET_COMPILER_HAS_${isa})
  set(${result} ${MOBILENET_COMPILER_HAS_${isa}} PARENT_SCOPE)
endfunction()

string(REPLACE "," ";" wanted "${MOBILENET_ISAS}")
set(asked ${wanted})
if(wanted STREQUAL "all")
  set(wanted ${known})
endif()
if("avxvnni" IN_LIST wanted) # whose table has AVX2's functions where its own would not be faster
  list(APPEND wanted avx2)
endif()
foreach(isa IN LISTS wanted)
  if(NOT isa IN_LIST known AND NOT isa STREQUAL scalar)
    list(JOIN known ", " names)
    message(FATAL_ERROR "MOBILENET_ISAS: '${isa}' is not all, nor one of scalar, ${names}, which "
                        "there are for ${CMAKE_SYSTEM_PROCESSOR}")
  endif()
endforeach()

set(MOBILENET_ISAS "")
set(names scalar) # always there
foreach(isa IN LISTS known)
  if(NOT isa IN_LIST wanted)
    continue()
  endif()
  mobilenet_probe_isa(${isa} found)
  list(JOIN MOBILENET_ISA_FLAGS_${isa} " " flags)
  set(lack "${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION} does not compile ${isa} (${flags})")
  if(found)
    list(APPEND MOBILENET_ISAS ${isa})
    string(APPEND names ", ${isa}")
  elseif(asked STREQUAL "all")
    message(WARNING "${lack}.  Its kernels are left out: machines that have it will be slower than "
                    "they could be.  MOBILENET_ISAS without it leaves this warning out.")
  else()
    message(FATAL_ERROR "MOBILENET_ISAS: ${lack}")
  endif()
endforeach()
message(STATUS "Instruction sets: ${names}")
