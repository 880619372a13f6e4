# Builds palyra-run and palyra on Debian 12 and leaves them in a small image.
#
#   docker build -t palyra .
#   docker run --rm --privileged --cgroupns=host -v /sys/fs/bpf:/sys/fs/bpf palyra \
#     --allow-net '192.0.2.7:443' -- COMMAND
#
# What the options are for:
#   --privileged         loading BPF programs, mounting, and a cgroup tree that can be written
#   --cgroupns=host      runs get cgroups of the host's tree, where the programs are attached
#   -v /sys/fs/bpf       pinned programs and maps outlive the container, and bpftool on the host
#                        reads them
# The kernel is the host's: `palyra-run --report -- true` says what it can enforce.

FROM debian:12 AS build
WORKDIR /src
# Apart from the sources, so that a change of theirs does not install packages again.
COPY tools/setup tools/setup
RUN tools/setup && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release -DPALYRA_BENCHMARKS=OFF \
    && cmake --build --preset release --target palyra-run palyra \
    && mkdir /out \
    && strip -o /out/palyra-run build/release/bin/palyra-run \
    && strip -o /out/palyra-relay build/release/bin/palyra-relay \
    && strip -o /out/palyra-resolver build/release/bin/palyra-resolver \
    && strip -o /out/palyra build/release/bin/palyra

# The programs carry their libraries, apart from libc.
FROM debian:12-slim
COPY --from=build /out/ /usr/local/bin/
# Fails the build if one of them does not start here.
RUN palyra-run --version && palyra --version
ENTRYPOINT ["palyra-run"]
