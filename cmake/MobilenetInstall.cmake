# Headers, library, a package for find_package(mobilenet) and a pkg-config file.  Nothing installed
# holds an absolute path, so the tree may be moved.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mobilenet)

install(TARGETS mobilenet mobilenet-quantize EXPORT mobilenetTargets)
if(TARGET mobilenet-command)
  install(TARGETS mobilenet-command)
  # Beside a shared library the command finds it from its own place.
  file(RELATIVE_PATH MOBILENET_BIN_TO_LIB ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(mobilenet-command PROPERTIES INSTALL_RPATH $ORIGIN/${MOBILENET_BIN_TO_LIB})
endif()
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
install(EXPORT mobilenetTargets NAMESPACE mobilenet:: DESTINATION ${package_dir})

get_target_property(MOBILENET_LIBRARY_TYPE mobilenet TYPE)
configure_package_config_file(cmake/mobilenetConfig.cmake.in
  ${PROJECT_BINARY_DIR}/mobilenetConfig.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break its users.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mobilenetConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/mobilenetConfig.cmake
  ${PROJECT_BINARY_DIR}/mobilenetConfigVersion.cmake
  DESTINATION ${package_dir})

if(MOBILENET_LIBRARY_TYPE STREQUAL STATIC_LIBRARY)
  install(FILES cmake/FindCpuinfo.cmake cmake/FindJansson.cmake cmake/FindPthreadpool.cmake
    DESTINATION ${package_dir})
  set(MOBILENET_PC_QUANTIZE "-lmobilenet-quantize ")
  set(MOBILENET_PC_REQUIRES_PRIVATE "libcpuinfo jansson")
  set(MOBILENET_PC_LIBS_PRIVATE "-lpthreadpool -lm ${CMAKE_THREAD_LIBS_INIT}")
endif()
file(RELATIVE_PATH MOBILENET_PC_TO_PREFIX
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" MOBILENET_PC_TO_PREFIX ${MOBILENET_PC_TO_PREFIX})
configure_file(cmake/mobilenet.pc.in ${PROJECT_BINARY_DIR}/mobilenet.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mobilenet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
