/* interfaces.c - reads /sys/class/net and the system's list of addresses. */
#include "comm/interfaces.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fnmatch.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char variable[] = "OMPI_MCA_btl_tcp_if_exclude";

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
        if (ith_interface_is_internal("/sys/class/net", at->if_name))
            append(list, sizeof list, at->if_name);
    if (strlen(list) > own)
        setenv(variable, list, 0);
    if (all != NULL)
        if_freenameindex(all);
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
