# Spack recipe of Ithaca. From a checkout:
#
#   spack repo add packaging/spack
#   spack install ithaca
from spack.package import *


class Ithaca(MakefilePackage):
    """Long-context language models on CPU machines, from a laptop to a cluster: one prompt shared by
    many MPI ranks, with the same bits on any number of them."""

    homepage = "file://" + join_path(__file__, "..", "..", "..", "..", "..")
    git = homepage

    license("Apache-2.0")

    version("main", branch="main")

    depends_on("c", type="build")
    depends_on("gmake", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("protobuf-c")
    depends_on("mpi")
    depends_on("openblas threads=openmp")
    depends_on("hwloc")
    depends_on("numactl")
    depends_on("jansson")
    depends_on("pcre2")
    depends_on("utf8proc")
    depends_on("nettle")
    depends_on("zstd")
    depends_on("xxhash")
    depends_on("curl")
    depends_on("libedit")
    depends_on("libmicrohttpd")

    conflicts("%gcc@:10", msg="GCC 11 or later is needed")

    def flags(self):
        """OpenBLAS and libcurl are loaded when they are first used, so they need a path, too."""
        rpaths = [self.spec[name].prefix.lib for name in ("openblas", "curl")]
        return [
            "MPICC=" + self.spec["mpi"].mpicc,
            "EXTRA_LDFLAGS=" + " ".join("-Wl,-rpath," + path for path in rpaths),
        ]

    def build(self, spec, prefix):
        make("all", *self.flags())

    def install(self, spec, prefix):
        make("install", "PREFIX=" + prefix, *self.flags())
