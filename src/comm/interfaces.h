/* interfaces.h - which network interfaces lead to other machines. */
#ifndef ITH_COMM_INTERFACES_H
#define ITH_COMM_INTERFACES_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Before MPI starts. Open MPI takes two machines for neighbours if both have an address such as
 * docker0's 172.17.0.1/16, connects there, and waits for ever. So it is kept off interfaces that
 * lead to this machine's own containers and virtual machines; not where the user has chosen
 * interfaces, in the environment or in a parameter file of Open MPI's. Sets
 * OMPI_MCA_btl_tcp_if_exclude. */
void ith_interfaces_choose(void);

/* Does an interface lead to no other machine? So do those with the names that Docker, Podman, LXC
 * and libvirt give their bridges, and bridges none of whose ports is hardware, built on hardware
 * (VLAN, bond), or a tunnel. `folder`: where the system describes interfaces, /sys/class/net. */
bool ith_interface_is_internal(const char *folder, const char *name);

/* An interface and its speed as the system has it, for Ethernet and InfiniBand; 0: unknown. */
typedef struct ith_interface {
    char name[IF_NAMESIZE];
    int32_t mbps;
} ith_interface;

/* Megabits per second; `folder` as above. */
int32_t ith_interface_mbps(const char *folder, const char *name);

/* The interface with this address, IPv4 as IPv6 has it (::ffff:1.2.3.4). False: none has it. */
bool ith_interface_with(const uint8_t address[16], ith_interface *found);

/* The fastest that is up, has an address, and is not internal. False: no speed is known. */
bool ith_interface_fastest(ith_interface *found);

/* The interfaces that are up and their IPv4 addresses, for people: "eth0 10.0.0.1, docker0
 * 172.17.0.1". Without the loopback. */
void ith_interfaces_describe(char *text, size_t size);

#endif
