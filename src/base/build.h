/* build.h - which build of the library this is. */
#ifndef ITH_BASE_BUILD_H
#define ITH_BASE_BUILD_H

/* Version, digest of the sources, pointer size and byte order: "0.2.0 (sources 1f2e3d4c5b6a, 64-bit
 * little-endian)". Ranks with the same text exchange the same messages. */
const char *ith_build_id(void);

#endif
