# Flags per instruction set.  Each switches off the next one up, so that code that leaks upwards
# fails to compile instead of crashing on an older machine.
set(MOBILENET_ISA_FLAGS_sse -msse4.1 -mno-avx)
set(MOBILENET_ISA_FLAGS_avx2 -mavx2 -mfma -mno-avx512f)
set(MOBILENET_ISA_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma)
set(MOBILENET_ISA_FLAGS_neon "")

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(MOBILENET_ISAS sse avx2 avx512)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(MOBILENET_ISAS neon)
endif()
