# What every target of the project is compiled with.

# Extensions are off, contraction too: a multiply-add is fused where a kernel says so and nowhere
# else, so that a result does not depend on the compiler's taste.
function(mobilenet_compile_options target)
  set_target_properties(${target} PROPERTIES
    C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
    C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
  target_compile_definitions(${target} PRIVATE _POSIX_C_SOURCE=200809L)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANG_AND_ID:C,GNU,Clang,AppleClang>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion
    -ffp-contract=off>)
  if(MOBILENET_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(MOBILENET_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${MOBILENET_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${MOBILENET_SANITIZE})
  endif()
endfunction()

# A parent project without a build type compiles without -O, and would make of the library one that is
# half as fast, without a word.  Where it says nothing about optimisation, the library is optimised
# all the same.
function(mobilenet_optimise_without_build_type target)
  if(CMAKE_BUILD_TYPE OR CMAKE_CONFIGURATION_TYPES OR CMAKE_C_FLAGS MATCHES "(^| )-O")
    return()
  endif()
  message(STATUS "No build type: mobilenet is compiled with -O3 -DNDEBUG, as in Release")
  target_compile_options(${target} PRIVATE -O3)
  target_compile_definitions(${target} PRIVATE NDEBUG)
endfunction()
