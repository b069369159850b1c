/* interfaces.c - reads /sys/class/net and the system's list of addresses. */
#include "comm/interfaces.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fnmatch.h>
#include <glob.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char variable[] = "OMPI_MCA_btl_tcp_if_exclude", system_folder[] = "/sys/class/net";

/* "br-" and 12 hexadecimal digits is Docker's and Podman's. */
static const char *const names[] = {"docker[0-9]*",     "docker_gwbridge", "br-????????????",
                                    "podman[0-9]*",     "virbr[0-9]*",     "lxcbr[0-9]*",
                                    "cni-podman[0-9]*", "lxdbr[0-9]*",     "incusbr[0-9]*"};

static bool has_such_name(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fnmatch(names[i], name, 0) == 0)
            return true;
    return false;
}

/* ---- Bridges ---- */

/* Does see(folder, entry) hold for an entry of `folder`? */
static bool any_entry(const char *folder, bool (*see)(const char *folder, const char *entry))
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    bool found = false;

    while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
        found = entry->d_name[0] != '.' && see(folder, entry->d_name);
    if (dir != NULL)
        closedir(dir);
    return found;
}

static bool is_lower(const char *folder, const char *entry)
{
    (void)folder;
    return strncmp(entry, "lower_", 6) == 0;
}

/* Bonds, VLANs, VXLANs and the like say so. Ends of containers and virtual machines do not. */
static bool has_type(const char *port)
{
    char path[PATH_MAX], line[128];
    FILE *file;
    bool found = false;

    snprintf(path, sizeof path, "%.4000s/uevent", port);
    file = fopen(path, "r");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, "DEVTYPE=", 8) == 0;
    if (file != NULL)
        fclose(file);
    return found;
}

/* A port that other machines can be behind. */
static bool leads_out(const char *ports, const char *port)
{
    char path[PATH_MAX], device[PATH_MAX];

    snprintf(path, sizeof path, "%.3800s/%.100s", ports, port);
    snprintf(device, sizeof device, "%.4000s/device", path);
    return access(device, F_OK) == 0 || has_type(path) || any_entry(path, is_lower);
}

static bool is_inner_bridge(const char *folder, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%.3800s/%.100s/brif", folder, name);
    return access(path, F_OK) == 0 && !any_entry(path, leads_out);
}

bool ith_interface_is_internal(const char *folder, const char *name)
{
    return has_such_name(name) || is_inner_bridge(folder, name);
}

/* ---- The user's choice ---- */

static bool file_chooses(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[1024];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = line[strspn(line, " \t")] != '#' && strstr(line, "btl_tcp_if_") != NULL;
    if (file != NULL)
        fclose(file);
    return found;
}

static bool user_chooses(void)
{
    const char *home = getenv("HOME"), *prefix = getenv("OPAL_PREFIX");
    char path[PATH_MAX];

    if (getenv(variable) != NULL || getenv("OMPI_MCA_btl_tcp_if_include") != NULL)
        return true;
    snprintf(path, sizeof path, "%.4000s/.openmpi/mca-params.conf", home != NULL ? home : "");
    if (file_chooses(path))
        return true;
    snprintf(path, sizeof path, "%.4000s/etc/openmpi-mca-params.conf",
             prefix != NULL ? prefix : "");
    return file_chooses(path) || file_chooses("/etc/openmpi/openmpi-mca-params.conf");
}

/* Appends `name`, if it fits. */
static void append(char *list, size_t size, const char *name)
{
    size_t used = strlen(list);

    if (used + strlen(name) + 2 <= size)
        snprintf(list + used, size - used, ",%s", name);
}

void ith_interfaces_choose(void)
{
    struct if_nameindex *all = user_chooses() ? NULL : if_nameindex();
    char list[512] = "127.0.0.1/8,sppp"; /* Open MPI's own value, which this replaces */
    size_t own = strlen(list);

    for (const struct if_nameindex *at = all; at != NULL && at->if_name != NULL; at++)
        if (ith_interface_is_internal(system_folder, at->if_name))
            append(list, sizeof list, at->if_name);
    if (strlen(list) > own)
        setenv(variable, list, 0);
    if (all != NULL)
        if_freenameindex(all);
}

/* ---- Speed ---- */

static long first_number(const char *path)
{
    FILE *file = fopen(path, "re");
    long value = 0;

    if (file != NULL && fscanf(file, "%ld", &value) != 1)
        value = 0;
    if (file != NULL)
        fclose(file);
    return value;
}

/* InfiniBand: "100 Gb/sec (4X EDR)" of its fastest port. */
static int32_t infiniband_mbps(const char *folder, const char *name)
{
    char pattern[PATH_MAX];
    long most = 0;
    glob_t found;

    snprintf(pattern, sizeof pattern, "%.3800s/%.100s/device/infiniband/*/ports/*/rate", folder,
             name);
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        long gbps = first_number(found.gl_pathv[i]);
        most = gbps > most ? gbps : most;
    }
    globfree(&found);
    return most > 0 && most < 1000000 ? (int32_t)most * 1000 : 0;
}

int32_t ith_interface_mbps(const char *folder, const char *name)
{
    char path[PATH_MAX];
    long mbps;

    snprintf(path, sizeof path, "%.3800s/%.100s/speed", folder, name);
    mbps = first_number(path);
    return mbps > 0 && mbps < INT32_MAX ? (int32_t)mbps : infiniband_mbps(folder, name);
}

static bool is_address(const struct sockaddr *a, const uint8_t address[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (a != NULL && a->sa_family == AF_INET)
        return memcmp(address, mapped, sizeof mapped) == 0 &&
               memcmp(address + 12, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4) ==
                   0;
    return a != NULL && a->sa_family == AF_INET6 &&
           memcmp(address, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16) == 0;
}

static ith_interface interface_named(const char *name)
{
    ith_interface i = {.mbps = ith_interface_mbps(system_folder, name)};

    snprintf(i.name, sizeof i.name, "%s", name);
    return i;
}

bool ith_interface_with(const uint8_t address[16], ith_interface *found)
{
    struct ifaddrs *all = NULL;
    bool is = false;

    if (getifaddrs(&all) != 0)
        return false;
    for (const struct ifaddrs *at = all; at != NULL && !is; at = at->ifa_next)
        if ((is = is_address(at->ifa_addr, address)))
            *found = interface_named(at->ifa_name);
    freeifaddrs(all);
    return is;
}

bool ith_interface_fastest(ith_interface *found)
{
    struct ifaddrs *all = NULL;

    *found = (ith_interface){0};
    if (getifaddrs(&all) != 0)
        return false;
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        ith_interface i;
        if (at->ifa_addr == NULL ||
            (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6) ||
            (at->ifa_flags & IFF_UP) == 0 || (at->ifa_flags & IFF_RUNNING) == 0 ||
            (at->ifa_flags & IFF_LOOPBACK) != 0 ||
            ith_interface_is_internal(system_folder, at->ifa_name))
            continue;
        i = interface_named(at->ifa_name);
        if (i.mbps > found->mbps)
            *found = i;
    }
    freeifaddrs(all);
    return found->mbps > 0;
}

/* ---- For people ---- */

void ith_interfaces_describe(char *text, size_t size)
{
    struct ifaddrs *all = NULL;
    size_t used = 0;

    text[0] = 0;
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *at = all; at != NULL && used < size; at = at->ifa_next) {
        char address[INET_ADDRSTRLEN] = "";
        if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET ||
            (at->ifa_flags & IFF_UP) == 0 || (at->ifa_flags & IFF_LOOPBACK) != 0)
            continue;
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr,
                  address, sizeof address);
        used += (size_t)snprintf(text + used, size - used, "%s%s %s", used > 0 ? ", " : "",
                                 at->ifa_name, address);
    }
    freeifaddrs(all);
}
